/* The marks of the collector's pace lie where docs/design.md says: at half of the room up to the
 * limit, and at seven eighths. Of Lua 5.1's limit a part is set aside, which is no room. Up to Lua
 * 5.3 cycles are noticed by the colour of an object, whichever that is at first. */
#include "heap/blocks.h"
#include "lua_adapter.h"
#include "support.h"

#define SLACK ((size_t)64) /* bytes, of rounding */

static void check(lua_State *L, size_t limit, size_t kept)
{
    hak_heap *heap = hak_lua_heap(L);
    lua_gc(L, LUA_GCCOLLECT, 0);
    for (int i = 0; i < 100; i++) run(L, "local t = {1, 2, 3}"); /* the slow path */
    const hak_lua_pace *pace = &((hak_lua_adapter *)heap->adapter)->pace;
    assert_int_equal(pace->limit, limit);
    size_t room = (pace->hurry_at - pace->begin_at) * 8 / 3;
    size_t used = pace->begin_at - room / 2, all = used + room + kept;
    if (all > limit + SLACK || all + SLACK < limit || used > limit / 2)
        fail_msg("marks %zu and %zu of %zu", pace->begin_at, pace->hurry_at, limit);
}

static void marks_divide_the_room_up_to_the_limit(void **unused)
{
    (void)unused;
    static const size_t limits[] = {4 * MIB, 16 * MIB, 64 * MIB};
    for (size_t i = 0; i < 3; i++) {
        lua_State *L = hak_lua_newstate(&(hak_heap_options){.limit = limits[i]});
        if (!L) skip();
        size_t part = limits[i] / 16 < MIB ? limits[i] / 16 : MIB;
        check(L, limits[i], LUA_VERSION_NUM == 501 && !IS_LUAJIT ? part : 0);
        hak_lua_close(L);
    }
}

/* New objects have the other colour after each cycle. */
static void either_colour_is_watched(void **unused)
{
    (void)unused;
    bool by_colour = LUA_VERSION_NUM < 504 && !IS_LUAJIT;
    unsigned char colours = 0;
    for (int cycles = 0; cycles < 2; cycles++) {
        lua_State *L = luaL_newstate();
        lua_gc(L, LUA_GCSTOP, 0);
        for (int i = 0; i < cycles; i++) lua_gc(L, LUA_GCCOLLECT, 0);
        hak_heap *heap = hak_lua_install(L, NULL);
        if (!heap) skip();
        const hak_lua_adapter *adapter = heap->adapter;
        assert_int_equal(adapter->mark != NULL, by_colour);
        colours |= adapter->colour;
        lua_close(L);
    }
    assert_int_equal(colours, by_colour ? 3 : 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_divide_the_room_up_to_the_limit),
        cmocka_unit_test(either_colour_is_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
