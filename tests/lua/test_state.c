/* States made by hak_lua_newstate: their options, their limits, the callers' memory, and what their
 * scripts see of it. */
#include <errno.h>

#include "support.h"

/* ------------------------------------------------------------------ making states */

static void a_state_gets_a_heap_of_its_own_with_lua_defaults(void **unused)
{
    (void)unused;
    lua_State *L = hak_lua_newstate(NULL), *other = hak_lua_newstate(NULL);
    assert_non_null(L);
    hak_heap *heap = hak_lua_heap(L);
    assert_non_null(heap);
    assert_ptr_not_equal(heap, hak_lua_heap(other));
    assert_string_equal(hak_heap_name(heap), "lua");
    assert_string_equal(hak_heap_profile(heap), "balanced");
    assert_int_equal(hak_heap_limit(heap), 0);
    assert_true(hak_heap_owns(heap, L));
    assert_false(hak_heap_owns(hak_lua_heap(other), L));
    /* Granularity 8: a block of 40 bytes takes 40. */
    void *block = hak_heap_alloc(heap, 40);
    assert_int_equal(hak_heap_usable_size(heap, block), 40);
    hak_heap_free(heap, block);
    hak_lua_close(other);
    hak_lua_close(L);
}

static void options_of_a_state_are_those_of_its_heap(void **unused)
{
    (void)unused;
    hak_heap_options options = {
        .granularity = 16, .limit = 4 * MIB, .profile = "lean", .name = "guest"};
    lua_State *L = hak_lua_newstate(&options);
    assert_non_null(L);
    hak_heap *heap = hak_lua_heap(L);
    assert_string_equal(hak_heap_name(heap), "guest");
    assert_string_equal(hak_heap_profile(heap), "lean");
    assert_int_equal(hak_heap_limit(heap), 4 * MIB);
    void *block = hak_heap_alloc(heap, 40);
    assert_int_equal(hak_heap_usable_size(heap, block), 48);
    hak_heap_free(heap, block);
    luaL_openlibs(L);
    run(L, "t = {} for i = 1, 1000 do t[i] = {i} end");
    hak_lua_close(L);
}

static void bad_options_give_einval_and_no_state(void **unused)
{
    (void)unused;
    static char memory[1024];
    const hak_heap_options bad[] = {
        {.profile = "fastest"},
        {.granularity = 12},
        {.memory = memory, .memory_size = sizeof memory},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        assert_null(hak_lua_newstate(&bad[i]));
        assert_int_equal(errno, EINVAL);
        lua_State *L = luaL_newstate();
        errno = 0;
        assert_null(hak_lua_install(L, &bad[i]));
        assert_int_equal(errno, EINVAL);
        assert_null(hak_lua_heap(L));
        lua_close(L);
    }
}

/* Every limit from nothing to plenty, so that making the state fails at every point it can. */
static void a_limit_too_small_for_a_state_gives_enomem_and_leaks_nothing(void **unused)
{
    (void)unused;
    size_t space = 0, resident = 0;
    for (int round = 0; round < 40; round++) {
        size_t made = 0, refused = 0;
        for (size_t limit = 1; limit < 200 * KIB; limit += limit < 64 * KIB ? 2048 : 16 * KIB) {
            errno = 0;
            lua_State *L = hak_lua_newstate(&(hak_heap_options){.limit = limit});
            if (L) {
                made++;
                assert_true(footprint(L) <= limit);
                hak_lua_close(L);
            } else {
                refused++;
                assert_int_equal(errno, ENOMEM);
            }
        }
        assert_true(made > 0);
        assert_true(refused > 1);
        if (round == 3) space = address_space(), resident = rss();
    }
    assert_true(address_space() <= space + 256 * KIB);
    assert_true(rss() <= resident + 256 * KIB);
}

static void the_heap_of_a_stock_state_is_null(void **unused)
{
    (void)unused;
    lua_State *L = luaL_newstate();
    assert_null(hak_lua_heap(L));
    lua_close(L);
}

static void coroutines_share_the_heap_of_their_state(void **unused)
{
    (void)unused;
    lua_State *L = hak_lua_newstate(NULL);
    lua_State *co = lua_newthread(L);
    assert_ptr_equal(hak_lua_heap(co), hak_lua_heap(L));
    assert_true(hak_heap_owns(hak_lua_heap(L), co));
    hak_lua_close(L);
}

/* ------------------------------------------------------------------ what luaL_newstate sets */

static char *told_by(const life *way, const char *code)
{
    capture c = capture_begin();
    lua_State *L = way->make();
    assert_non_null(L);
    luaL_openlibs(L);
    run(L, code);
    way->end(L);
    return capture_end(c);
}

static void assert_tells_the_same(const char *code, const char *part)
{
    char *stock = told_by(&(life){"", make_stock, lua_close}, code);
    char *ours = told_by(&(life){"", make_hakmem, hak_lua_close}, code);
    assert_string_equal(ours, stock);
    if (!strstr(stock, part)) fail_msg("'%s' is not in: %s", part, stock);
    free(stock);
    free(ours);
}

static void the_panic_function_is_the_same(void **unused)
{
    (void)unused;
    lua_State *stock = make_stock(), *ours = make_hakmem();
    assert_ptr_equal(lua_atpanic(ours, NULL), lua_atpanic(stock, NULL));
    lua_close(stock);
    hak_lua_close(ours);
}

/* In LuaJIT since 2025. */
static void errors_in_finalizers_are_reported_the_same(void **unused)
{
    (void)unused;
    const char *const code =
        "if newproxy then\n"
        "    getmetatable(newproxy(true)).__gc = function() error('boom') end\n"
        "    pcall(collectgarbage) pcall(collectgarbage)\n"
        "end";
    lua_State *L = make_stock();
    lua_getfield(L, LUA_REGISTRYINDEX, "_VMEVENTS");
    bool reports = IS_LUAJIT && !lua_isnil(L, -1);
    lua_close(L);
    assert_tells_the_same(code, reports ? "boom" : "");
}

/* Off in 5.4, on in 5.5. */
static void warnings_are_the_same(void **unused)
{
    (void)unused;
    assert_tells_the_same("if warn then warn('one') end", LUA_VERSION_NUM >= 505 ? "one" : "");
    assert_tells_the_same(
        "if warn then warn('@on') warn('two', ' parts') warn('@off') warn('no') end",
        SINCE_54 ? "two parts" : "");
}

/* ------------------------------------------------------------------ limits, seen from C */

static const char *const endless = "local t = {} while true do t[#t + 1] = {#t} end";

static void reaching_the_limit_is_lua_errmem_and_the_state_lives_on(void **unused)
{
    (void)unused;
    lua_State *L = hak_lua_newstate(&(hak_heap_options){.limit = 4 * MIB});
    assert_non_null(L);
    luaL_openlibs(L);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(try_run(L, endless), LUA_ERRMEM);
        assert_string_equal(lua_tostring(L, -1), "not enough memory");
        drop_garbage(L);
        assert_true(footprint(L) <= 4 * MIB);
        run(L, "local t = {} for i = 1, 5000 do t[i] = {i} end");
    }
    hak_lua_close(L);
}

static int collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    return 0;
}

#if SINCE_54
static void count_warning(void *ud, const char *message, int to_be_continued)
{
    (void)message, (void)to_be_continued;
    ++*(int *)ud;
}
#endif

/* The adapter's own finalizers fail nowhere, be there no room for a single object. */
static void a_collection_in_a_full_heap_raises_nothing(void **unused)
{
    (void)unused;
    int warnings = 0;
    lua_State *L = hak_lua_newstate(&(hak_heap_options){.limit = 4 * MIB});
    assert_non_null(L);
#if SINCE_54
    lua_setwarnf(L, count_warning, &warnings);
#endif
    run(L, "return"); /* calls take memory, the first time */
    lua_pushcfunction(L, collect);
    hak_heap *heap = hak_lua_heap(L);
    for (size_t size = 64 * KIB; size >= 8; size = size > KIB ? size / 2 : size - 8) {
        while (hak_heap_alloc(heap, size)) continue;
    }
    for (int i = 0; i < 4; i++) {
        lua_pushvalue(L, -1);
        assert_int_equal(lua_pcall(L, 0, 0, 0), 0);
    }
    assert_int_equal(warnings, 0);
    hak_lua_close(L);
}

/* ------------------------------------------------------------------ on the caller's memory */

static char callers_memory[1 << 20];

static uint64_t os_calls(lua_State *L)
{
    hak_stats stats;
    hak_heap_stats(hak_lua_heap(L), &stats);
    return stats.os.total;
}

/* `offset` makes the memory unaligned. */
static void live_inside(size_t size, size_t offset, const char *code)
{
    /* A canary on both sides. */
    memset(callers_memory, 0x5a, sizeof callers_memory);
    char *memory = callers_memory + 64 + offset;
    hak_heap_options options = {.memory = memory, .memory_size = size};
    lua_State *L = hak_lua_newstate(&options);
    assert_non_null(L);
    uint64_t calls = os_calls(L);
    assert_true((char *)L >= memory && (char *)L < memory + size);
    luaL_openlibs(L);
    run(L, code);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(try_run(L, endless), LUA_ERRMEM);
        drop_garbage(L);
        run(L, code);
    }
    assert_int_not_equal(try_run(L, "return string.rep('x', 2^24)"), 0);
    assert_non_null(strstr(lua_tostring(L, -1), "not enough memory"));
    drop_garbage(L);
    run(L, code);
    assert_int_equal(os_calls(L), calls);
    hak_lua_close(L);
    for (size_t i = 0; i < 64 + offset; i++) assert_int_equal(callers_memory[i], 0x5a);
    for (size_t i = 64 + offset + size; i < sizeof callers_memory; i++) {
        assert_int_equal(callers_memory[i], 0x5a);
    }
}

static void a_state_lives_inside_256_kib_of_the_callers_memory(void **unused)
{
    (void)unused;
    const char *code = "local t = {} for i = 1, 200 do t[i] = {i, tostring(i)} end\n"
                       "local s = 0 for i = 1, 200 do s = s + t[i][1] + #t[i][2] end\n"
                       "assert(s == 20100 + 492)";
    live_inside(256 * KIB, 0, code);
    live_inside(256 * KIB, 1, code);
    live_inside(256 * KIB - 4097, 4095, code);
}

static void a_state_lives_inside_nearly_1_mib_of_the_callers_memory(void **unused)
{
    (void)unused;
    live_inside(sizeof callers_memory - 128, 0,
                "local t = {} for i = 1, 3000 do t[i] = {i} end\n"
                "local s = string.rep('abc', 10000) assert(#s == 30000)\n"
                "local co = {} for i = 1, 20 do co[i] = coroutine.wrap(function(a)\n"
                "  while true do a = coroutine.yield(a + i) end end) end\n"
                "for r = 1, 50 do for i = 1, 20 do assert(co[i](r) == r + i) end end\n"
                "assert(#table.concat({s, s}) == 60000)");
}

/* Without hakmem.so: what the host is linked with serves its scripts. */
static void scripts_of_a_host_see_and_limit_their_heap(void **unused)
{
    (void)unused;
    lua_State *L = hak_lua_newstate(&(hak_heap_options){.name = "host's own"});
    assert_non_null(L);
    luaL_openlibs(L);
    lua_pushcfunction(L, luaopen_hakmem);
    assert_int_equal(0, lua_pcall(L, 0, 1, 0));
    lua_setglobal(L, "hakmem");
    assert_int_equal(0, luaL_dostring(L, "assert(hakmem.installed() and not hakmem.install())\n"
                                         "assert(hakmem.heap_name() == \"host's own\")\n"
                                         "assert(hakmem.stats().live_blocks > 0)\n"
                                         "assert(hakmem.limit(8 * 1024 * 1024) > 0)"));
    assert_int_equal(8 * 1024 * 1024, hak_heap_limit(hak_lua_heap(L)));
    hak_lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_of_a_host_see_and_limit_their_heap),
        cmocka_unit_test(a_state_gets_a_heap_of_its_own_with_lua_defaults),
        cmocka_unit_test(options_of_a_state_are_those_of_its_heap),
        cmocka_unit_test(bad_options_give_einval_and_no_state),
        cmocka_unit_test(a_limit_too_small_for_a_state_gives_enomem_and_leaks_nothing),
        cmocka_unit_test(the_heap_of_a_stock_state_is_null),
        cmocka_unit_test(the_panic_function_is_the_same),
        cmocka_unit_test(errors_in_finalizers_are_reported_the_same),
        cmocka_unit_test(warnings_are_the_same),
        cmocka_unit_test(coroutines_share_the_heap_of_their_state),
        cmocka_unit_test(reaching_the_limit_is_lua_errmem_and_the_state_lives_on),
        cmocka_unit_test(a_collection_in_a_full_heap_raises_nothing),
        cmocka_unit_test(a_state_lives_inside_256_kib_of_the_callers_memory),
        cmocka_unit_test(a_state_lives_inside_nearly_1_mib_of_the_callers_memory),
    };
    return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
