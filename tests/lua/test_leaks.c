/* Of a state that is closed nothing is left behind: neither memory nor address space grows from one
 * life to the next, and on the caller's memory the next state finds every byte free. */
#include "lives.h"

static const char *const small_life =
    "local t = {} for i = 1, 300 do t[i] = {i, 's' .. i} end\n"
    "local co = coroutine.wrap(function() coroutine.yield(1) end) co()\n"
    "kept = {t, co, io and io.tmpfile and true, string.rep('x', 30000), function() return t end}";

#define ENOUGH 250 /* lives for 4 KiB that are lost with each to be seen */

/* Address space and resident memory after `most` lives are those after a tenth of them. */
static void assert_no_growth(const life *way, int most, bool libraries, const char *code)
{
    int cycles = most / (int)scale();
    if (cycles < ENOUGH) cycles = most < ENOUGH ? most : ENOUGH;
    size_t rss_then = 0, space_then = 0;
    for (int i = 0; i < cycles; i++) {
        if (i == cycles / 10) {
            empty_pool();
            rss_then = rss();
            space_then = address_space();
        }
        lua_State *L = way->make();
        assert_non_null(L);
        if (libraries) luaL_openlibs(L);
        if (code) run(L, code);
        way->end(L);
    }
    empty_pool();
    size_t grown = rss() > rss_then ? rss() - rss_then : 0;
    size_t mapped = address_space() > space_then ? address_space() - space_then : 0;
    if (grown > MIB || mapped > MIB) {
        fail_msg("%s, %d cycles: resident memory grew by %zu KiB, address space by %zu KiB",
                 way->name, cycles, grown / KIB, mapped / KIB);
    }
}

static void five_thousand_lives_do_not_grow_the_process(void **unused)
{
    (void)unused;
    assert_no_growth(&lives[0], 5000, false, NULL);
    assert_no_growth(&lives[0], 2000, true, small_life);
}

static void lua_close_instead_of_hak_lua_close_leaks_nothing(void **unused)
{
    (void)unused;
    assert_no_growth(&lives[1], 2000, true, small_life);
}

static void closing_after_install_leaks_nothing(void **unused)
{
    (void)unused;
    assert_no_growth(&lives[2], 500, true, small_life);
    assert_no_growth(&lives[3], 500, true, small_life);
    assert_no_growth(&lives[4], 500, true, small_life);
}

/* Whether the state is collected while the coroutine lives, and whether it is known by then. */
static void no_heap_is_left(void **unused)
{
    (void)unused;
    hak_process_stats before, after;
    hak_process_stats_read(&before);
    for (size_t way = 0; way < LIVES; way++) {
        lua_State *L = lives[way].make();
        luaL_openlibs(L);
        run(L, small_life);
        drop_garbage(L);
        lives[way].end(L);
        hak_process_stats_read(&after);
        if (after.heaps != before.heaps) fail_msg("%s: the heap is left", lives[way].name);
    }
}

static void compiled_traces_go_with_their_state(void **unused)
{
    (void)unused;
    const char *hot = "local s = 0 for i = 1, 3000 do local t = {i} s = s + t[1] end\n"
                      "local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end\n"
                      "for i = 1, 100 do f(20) end";
    assert_no_growth(&lives[0], 400, true, hot);
    assert_no_growth(&lives[1], 400, true, hot);
}

static void large_blocks_go_with_their_state(void **unused)
{
    (void)unused;
    const char *large =
        "s = string.rep('0123456789', 300000) t = {} for i = 1, 70000 do t[i] = i end";
    assert_no_growth(&lives[0], 20, true, large);
    assert_no_growth(&lives[1], 20, true, large);
    assert_no_growth(&lives[2], 20, true, large);
}

/* Where not even what closing early takes is to be had. */
static void a_full_heap_is_closed(void **unused)
{
    (void)unused;
    hak_process_stats before, after;
    hak_process_stats_read(&before);
    lua_State *L = hak_lua_newstate(&(hak_heap_options){.limit = MIB});
    assert_non_null(L);
    luaL_openlibs(L);
    for (size_t size = 8192; size >= 8; size /= 2) {
        while (hak_lua_alloc(hak_lua_heap(L), NULL, 0, size)) continue;
    }
    hak_lua_close(L);
    hak_process_stats_read(&after);
    assert_int_equal(after.heaps, before.heaps);
}

/* As a heap on the caller's memory shows it: the next state finds every byte free. */
static void closing_frees_the_callers_memory_for_the_next_state(void **unused)
{
    (void)unused;
    static char memory[1 << 20];
    hak_heap_options options = {.memory = memory, .memory_size = sizeof memory};
    for (int i = 0; i < 50; i++) {
        lua_State *L = hak_lua_newstate(&options);
        assert_non_null(L);
        luaL_openlibs(L);
        run(L, small_life);
        if (i % 2) hak_lua_close(L);
        else lua_close(L);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_thousand_lives_do_not_grow_the_process),
        cmocka_unit_test(lua_close_instead_of_hak_lua_close_leaks_nothing),
        cmocka_unit_test(closing_after_install_leaks_nothing),
        cmocka_unit_test(no_heap_is_left),
        cmocka_unit_test(compiled_traces_go_with_their_state),
        cmocka_unit_test(large_blocks_go_with_their_state),
        cmocka_unit_test(a_full_heap_is_closed),
        cmocka_unit_test(closing_frees_the_callers_memory_for_the_next_state),
    };
    return cmocka_run_group_tests_name("leaving nothing", tests, NULL, NULL);
}
