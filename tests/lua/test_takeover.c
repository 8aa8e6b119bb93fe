/* States taken over by hak_lua_install: once, wherever it is called, with blocks from before that
 * go back to their allocator; where it fails, the state is as it was. */
#include <errno.h>

#include "support.h"

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
    lua_State *L = new_state(counted_alloc, &count);
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
        lua_State *L = new_state(counted_alloc, &count);
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
            assert_int_equal(status, SINCE_54 ? LUA_ERRMEM : status);
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
        lua_State *L = new_state(counted_alloc, &count);
        if (!L) skip();
        lua_pushcfunction(L, install_here);
        count.refuse_after = i % 6;
        lua_pcall(L, 0, 1, 0);
        lua_close(L);
        if (i == 150) resident = rss();
    }
    assert_true(rss() <= resident + MIB);
}

static int install_and_note(lua_State *L)
{
    bool *installed = lua_touserdata(L, lua_upvalueindex(1));
    *installed = hak_lua_install(L, NULL) != NULL;
    return 0;
}

static void finalizers_run_at_the_end_may_install(void **unused)
{
    (void)unused;
    bool installed = false;
    counted count = {.refuse_after = -1};
    lua_State *L = new_state(counted_alloc, &count);
    if (!L) skip();
    luaL_openlibs(L);
    lua_pushlightuserdata(L, &installed);
    lua_pushcclosure(L, install_and_note, 1);
    lua_setglobal(L, "install");
    lua_newuserdata(L, 8);
    lua_newtable(L);
    luaL_loadstring(L, "install() for i = 1, 1000 do local t = {i} end");
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_close(L);
    assert_true(installed);
    assert_int_equal(count.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(installing_twice_returns_the_first_heap_and_ignores_the_options),
        cmocka_unit_test(installing_under_a_limit_too_small_leaves_the_state_as_it_was),
        cmocka_unit_test(blocks_from_before_go_back_to_their_allocator),
        cmocka_unit_test(install_raises_a_memory_error_where_lua_has_no_memory_for_it),
        cmocka_unit_test(an_install_that_failed_leaves_no_heap_behind),
        cmocka_unit_test(finalizers_run_at_the_end_may_install),
    };
    return cmocka_run_group_tests_name("taking states over", tests, NULL, NULL);
}
