/* Objects of a state that notify its heap.
 *
 * One lies in the registry and is finalized when the state is closed. In a state from
 * hak_lua_newstate it was marked for finalization before all others. Lua finalizes in the reverse
 * order of marking, so it comes last.
 *
 * How cycles of the collector are noticed depends on the version:
 * - Lua 5.1 to 5.3: by the colour of that object, one of two whites, which each cycle changes. The
 *   slow paths of the heap read it. Nothing is called, so a script cannot notice, however deep in
 *   calls the cycle ends.
 * - LuaJIT and 5.4, whose generations leave old objects as they are: by a second object. It is
 *   garbage from the beginning; each cycle finalizes it, and another follows, or it is marked
 *   again. */
#include "lua_sentinel.h"

#include <lauxlib.h>

#include "heap/heap.h"
#include "lua_close.h"
#include "lua_pace.h"
#include "lua_vm.h"

static const char key; /* of the sentinel in the registry */

typedef struct sentinel {
    hak_lua_finalized finalized;
    hak_lua_adapter *adapter;
    bool lasts; /* lies in the registry */
} sentinel;

static void finalize(lua_State *L, void *frame);

static sentinel *push_sentinel(lua_State *L, hak_lua_adapter *adapter, bool lasts)
{
    sentinel *object = lua_newuserdata(L, sizeof *object);
    *object = (sentinel){{finalize}, adapter, lasts};
    return object;
}

hak_lua_adapter *hak__lua_adapter_of(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    const sentinel *object = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return object ? object->adapter : NULL;
}

/* ------------------------------------------------------------------ by colour */

/* Offsets of the header in front of a userdata's bytes, in each of these versions: two words, of
 * which the second begins with the type and the colour, and three more. If the type or the colour
 * is unexpected, the header is not used. */
#define HEADER 40
#define TYPE   8
#define COLOUR 9

static void watch_colour(hak_lua_adapter *adapter, const sentinel *object)
{
    const unsigned char *header = (const unsigned char *)object - HEADER;
    if (LUA_VERSION_NUM >= 504 || hak__lua_is_luajit() || sizeof(void *) != 8) return;
    unsigned char white = header[COLOUR] & 3;
    if (header[TYPE] != LUA_TUSERDATA || (white != 1 && white != 2)) return;
    adapter->mark = header + COLOUR;
    adapter->colour = white;
}

/* ------------------------------------------------------------------ by finalizers */

/* Bytes: far more than an object takes, and than the reserve of the limit (hak__class_reserve). */
#define ROOM ((size_t)256 * 1024)

static bool has_room(const hak_heap *heap)
{
    return hak__heap_headroom(heap) >= ROOM;
}

/* Makes the next cycle finalize a sentinel too: a new object. It is not made when memory is about
 * to run out, since a finalizer must not fail. Then 5.4 marks the same object again, which
 * generations would leave alone. LuaJIT, which crashes if memory runs out in a finalizer, cannot do
 * that: later cycles go unnoticed. */
static void renew(lua_State *L, const hak_heap *heap)
{
    if (has_room(heap)) {
        push_sentinel(L, ((const sentinel *)lua_touserdata(L, 1))->adapter, false);
        if (lua_getmetatable(L, 1)) lua_setmetatable(L, -2);
    } else if (LUA_VERSION_NUM >= 504 && lua_getmetatable(L, 1)) {
        lua_setmetatable(L, 1);
    }
}

static void finalize(lua_State *L, void *frame)
{
    const sentinel *of = lua_touserdata(L, 1);
    hak_lua_adapter *adapter = of->adapter;
    if (of->lasts) {
        hak__lua_at_close(L, adapter, frame);
    } else if (!hak__lua_is_closing(adapter)) {
        hak__lua_cycle_is_over(adapter);
        uint16_t kept = hak__heap_set_adapter_reserve(adapter->heap, 0);
        renew(L, adapter->heap);
        hak__heap_set_adapter_reserve(adapter->heap, kept);
    }
}

/* ------------------------------------------------------------------ placing them */

/* The sentinels get their finalizer last, when nothing can fail any more. */
int hak__lua_place_sentinels(lua_State *L)
{
    hak_lua_adapter *adapter = lua_touserdata(L, 1);
    const sentinel *lasting = push_sentinel(L, adapter, true);
    push_sentinel(L, adapter, false);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, hak__lua_finalize);
    lua_setfield(L, -2, "__gc");
    lua_pushlightuserdata(L, (void *)&key);
    lua_pushvalue(L, 2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 4);
    lua_setmetatable(L, 2);
    watch_colour(adapter, lasting);
    if (!adapter->mark) lua_setmetatable(L, 3);
    return 0;
}
