/* States made by hak_lua_newstate and taken over by hak_lua_install: their options, their limits,
 * the callers' memory, and that their host functions are those of luaL_newstate. */
#include <errno.h>
#include <sys/wait.h>

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

/* ------------------------------------------------------------------ taking states over */

static void installing_twice_returns_the_first_heap_and_ignores_the_options(void **unused)
{
    (void)unused;
    lua_State *L = luaL_newstate();
    hak_heap *heap = hak_lua_install(L, &(hak_heap_options){.name = "first"});
    assert_non_null(heap);
    assert_ptr_equal(hak_lua_heap(L), heap);
    assert_ptr_equal(hak_lua_install(L, &(hak_heap_options){.name = "second", .limit = 1}), heap);
    assert_string_equal(hak_heap_name(heap), "first");
    assert_int_equal(hak_heap_limit(heap), 0);
    lua_close(L);

    L = hak_lua_newstate(NULL);
    assert_ptr_equal(hak_lua_install(L, NULL), hak_lua_heap(L));
    hak_lua_close(L);
}

static void installing_under_a_limit_too_small_leaves_the_state_as_it_was(void **unused)
{
    (void)unused;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    int top = lua_gettop(L);
    errno = 0;
    assert_null(hak_lua_install(L, &(hak_heap_options){.limit = 100}));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(lua_gettop(L), top);
    assert_null(hak_lua_heap(L));
    run(L, "t = {} for i = 1, 10000 do t[i] = {i} end");
    assert_non_null(hak_lua_install(L, NULL));
    lua_close(L);
}

static int install_here(lua_State *L)
{
    lua_pushboolean(L, hak_lua_install(L, NULL) != NULL);
    return 1;
}

static void blocks_from_before_go_back_to_their_allocator(void **unused)
{
    (void)unused;
    counted count = {.refuse_after = -1};
    lua_State *L = lua_newstate(counted_alloc, &count);
    if (!L) skip(); /* LuaJIT without GC64 */
    luaL_openlibs(L);
    run(L, "t = {} for i = 1, 20000 do t[i] = {i, 's' .. i, function() return i end} end");
    hak_heap *heap = hak_lua_install(L, NULL);
    assert_non_null(heap);
    size_t before = count.live;
    run(L, "for i = 1, 20000, 2 do t[i] = {} end collectgarbage() collectgarbage()");
    assert_true(count.live < before * 2 / 3);
    run(L, "for i = 2, 20000, 2 do local o = t[i]\n"
           "  assert(o[1] == i and o[2] == 's' .. i and o[3]() == i) end\n"
           "t = nil collectgarbage() collectgarbage()");
    assert_true(count.live < 3000);
    lua_close(L);
    assert_int_equal(count.live, 0);
    assert_int_equal(count.bytes, 0);
}

static void install_raises_a_memory_error_where_lua_has_no_memory_for_it(void **unused)
{
    (void)unused;
    int raised = 0, installed = 0;
    for (long n = 0; n < 200 && !installed; n++) {
        counted count = {.refuse_after = -1};
        lua_State *L = lua_newstate(counted_alloc, &count);
        if (!L) skip();
        luaL_openlibs(L);
        lua_gc(L, LUA_GCSTOP, 0);
        lua_pushcfunction(L, install_here);
        count.refuse_after = n;
        int status = lua_pcall(L, 0, 1, 0);
        count.refuse_after = -1;
        if (status == 0) {
            installed += lua_toboolean(L, -1);
        } else {
            /* Before 5.4, lua_error cannot pass on the status. */
            raised++;
            assert_int_equal(status, LUA_54 ? LUA_ERRMEM : status);
            assert_string_equal(lua_tostring(L, -1), "not enough memory");
            assert_null(hak_lua_heap(L));
        }
        lua_settop(L, 0);
        lua_gc(L, LUA_GCRESTART, 0);
        run(L, "local t = {} for i = 1, 1000 do t[i] = {i} end");
        lua_close(L);
        assert_int_equal(count.live, 0);
    }
    assert_true(raised > 0);
    assert_int_equal(installed, 1);
}

static void an_install_that_failed_leaves_no_heap_behind(void **unused)
{
    (void)unused;
    size_t resident = 0;
    for (int i = 0; i < 1200; i++) {
        counted count = {.refuse_after = -1};
        lua_State *L = lua_newstate(counted_alloc, &count);
        if (!L) skip();
        lua_pushcfunction(L, install_here);
        count.refuse_after = i % 6;
        lua_pcall(L, 0, 1, 0);
        lua_close(L);
        if (i == 150) resident = rss();
    }
    assert_true(rss() <= resident + MIB);
}

static void finalizers_run_at_the_end_may_install(void **unused)
{
    (void)unused;
    counted count = {.refuse_after = -1};
    lua_State *L = lua_newstate(counted_alloc, &count);
    if (!L) skip();
    luaL_openlibs(L);
    lua_register(L, "install", install_here);
    lua_newuserdata(L, 8);
    lua_newtable(L);
    luaL_loadstring(L, "installed = install() for i = 1, 1000 do local t = {i} end");
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_close(L);
    assert_int_equal(count.live, 0);
}

/* ------------------------------------------------------------------ limits, seen from C */

static const char *const endless = "local t = {} while true do t[#t + 1] = {#t} end";

/* 5.1 and LuaJIT try no collection when memory runs out, nor does the buffer of 5.3. */
static void drop_garbage(lua_State *L)
{
    lua_settop(L, 0);
    if (LUA_VERSION_NUM < 504) lua_gc(L, LUA_GCCOLLECT, 0);
}

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

#if LUA_54
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
#if LUA_54
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

/* What happens to a call outside a protected one, in a child: its exit status and its stderr. */
typedef struct ending {
    int status;
    char *text;
} ending;

static ending ending_of(lua_State *(*make)(void), void (*act)(lua_State *))
{
    capture errors = capture_begin();
    pid_t pid = fork();
    if (pid == 0) {
        act(make());
        _exit(0);
    }
    ending result = {0};
    waitpid(pid, &result.status, 0);
    result.text = capture_end(errors);
    return result;
}

static lua_State *make_limited(void)
{
    lua_State *L = hak_lua_newstate(&(hak_heap_options){.limit = 1 * MIB});
    luaL_openlibs(L);
    /* Small blocks, so that no room is left. */
    if (try_run(L, "while true do hold = {hold} end") != LUA_ERRMEM) _exit(9);
    drop_garbage(L);
    return L;
}

static void take_much(lua_State *L)
{
    for (int i = 0; i < 8; i++) lua_newuserdata(L, 20 * KIB);
}

static void take_much_with_grace(lua_State *L)
{
    hak_heap *heap = hak_lua_heap(L);
    if (hak_heap_grace_used(heap) != 0) _exit(2);
    hak_heap_grace(heap, 512 * KIB);
    take_much(L);
    size_t used = hak_heap_grace_used(heap);
    hak_heap_grace(heap, 0);
    if (used < 100 * KIB || used > 512 * KIB) _exit(3);
    if (hak_heap_grace_used(heap) != used) _exit(4);
    lua_settop(L, 0);
    /* The limit holds as before. */
    if (try_run(L, "while true do hold = {hold} end") != LUA_ERRMEM) _exit(5);
    lua_pushnil(L);
    lua_setglobal(L, "hold");
    lua_gc(L, LUA_GCCOLLECT, 0);
    hak_heap_trim(heap);
    if (footprint(L) > 256 * KIB) _exit(6);
    hak_lua_close(L);
}

static void grace_keeps_unprotected_calls_from_ending_the_process(void **unused)
{
    (void)unused;
    ending without = ending_of(make_limited, take_much);
    assert_true(without.status != 0);
    assert_non_null(strstr(without.text, "PANIC"));
    free(without.text);
    ending with = ending_of(make_limited, take_much_with_grace);
    assert_int_equal(with.status, 0);
    assert_string_equal(with.text, "");
    free(with.text);
}

/* ------------------------------------------------------------------ as luaL_newstate sets them */

static char buffer[4096];

/* Also where the program has made stderr a stream with a buffer. */
static void raise_string(lua_State *L)
{
    setvbuf(stderr, buffer, _IOFBF, sizeof buffer);
    lua_pushstring(L, "the message");
    lua_error(L);
}

static void raise_number(lua_State *L)
{
    lua_pushnumber(L, 42);
    lua_error(L);
}

static void raise_through_call(lua_State *L)
{
    luaL_openlibs(L);
    luaL_loadstring(L, "error('from a chunk')");
    lua_call(L, 0, 0);
}

#if LUA_54
static void raise_table(lua_State *L)
{
    lua_newtable(L);
    lua_error(L);
}
#endif

static void an_unprotected_error_panics_as_in_a_stock_state(void **unused)
{
    (void)unused;
    void (*const acts[])(lua_State *) = {
        raise_string,
        raise_number,
        raise_through_call,
#if LUA_54
        raise_table,
#endif
    };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        ending expected = ending_of(make_stock, acts[i]);
        ending got = ending_of(make_hakmem, acts[i]);
        assert_true(expected.status != 0);
        assert_int_equal(got.status, expected.status);
        assert_string_equal(got.text, expected.text);
        free(expected.text);
        free(got.text);
    }
}

#if LUA_54
static char *warnings_of(lua_State *L)
{
    luaL_openlibs(L);
    capture errors = capture_begin();
    run(L, "warn('off by default')\n"
           "warn('@unknown') warn('@on') warn('one') warn('in ', 'three ', 'pieces')\n"
           "warn('@on') warn('@', 'on') warn('@off', ' is text here') warn('@no such control')\n"
           "warn('still on') warn('@off') warn('not shown') warn('nor ', 'this') warn('@on')\n"
           "warn('') warn('again')");
    lua_warning(L, "from ", 1);
    lua_warning(L, "C", 0);
    lua_warning(L, "@off", 0);
    lua_warning(L, "hidden", 0);
    return capture_end(errors);
}

static void warn_and_exit(lua_State *L)
{
    setvbuf(stderr, buffer, _IOFBF, sizeof buffer);
    luaL_openlibs(L);
    run(L, "warn('@on') warn('one') warn('in ', 'pieces')");
    _exit(0);
}

static void warnings_are_shown_at_once(void **unused)
{
    (void)unused;
    ending expected = ending_of(make_stock, warn_and_exit);
    ending got = ending_of(make_hakmem, warn_and_exit);
    assert_string_equal(expected.text, "Lua warning: one\nLua warning: in pieces\n");
    assert_string_equal(got.text, expected.text);
    free(expected.text);
    free(got.text);
}

static void warnings_are_shown_as_in_a_stock_state(void **unused)
{
    (void)unused;
    lua_State *stock = make_stock(), *ours = make_hakmem();
    char *expected = warnings_of(stock), *got = warnings_of(ours);
    assert_non_null(strstr(expected, "Lua warning: in three pieces\n"));
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    lua_close(stock);
    hak_lua_close(ours);
}
#endif

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
        cmocka_unit_test(coroutines_share_the_heap_of_their_state),
        cmocka_unit_test(installing_twice_returns_the_first_heap_and_ignores_the_options),
        cmocka_unit_test(installing_under_a_limit_too_small_leaves_the_state_as_it_was),
        cmocka_unit_test(blocks_from_before_go_back_to_their_allocator),
        cmocka_unit_test(install_raises_a_memory_error_where_lua_has_no_memory_for_it),
        cmocka_unit_test(an_install_that_failed_leaves_no_heap_behind),
        cmocka_unit_test(finalizers_run_at_the_end_may_install),
        cmocka_unit_test(reaching_the_limit_is_lua_errmem_and_the_state_lives_on),
        cmocka_unit_test(a_collection_in_a_full_heap_raises_nothing),
        cmocka_unit_test(grace_keeps_unprotected_calls_from_ending_the_process),
        cmocka_unit_test(an_unprotected_error_panics_as_in_a_stock_state),
#if LUA_54
        cmocka_unit_test(warnings_are_shown_as_in_a_stock_state),
        cmocka_unit_test(warnings_are_shown_at_once),
#endif
        cmocka_unit_test(a_state_lives_inside_256_kib_of_the_callers_memory),
        cmocka_unit_test(a_state_lives_inside_nearly_1_mib_of_the_callers_memory),
    };
    return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
