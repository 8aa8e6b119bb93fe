/* Objects of a state that tell its heap what happens to it.
 *
 * One lies in the registry and is finalized when the state is closed. In a state from
 * hak_lua_newstate it was marked first of all objects; Lua finalizes in the reverse order of
 * marking, so that it comes last.
 *
 * What tells of cycles of the collector depends on the version. In Lua 5.1 to 5.3, it is the colour
 * of that object, one of two whites, which each cycle changes and which is looked at where the heap
 * takes its long ways: nothing is called, so that a script cannot tell, however deep in calls the
 * cycle may end. In LuaJIT and 5.4, whose generations leave old objects as they are, it is a second
 * object: garbage from the beginning, it is finalized by each cycle, and followed by another or
 * marked again. */
#include "lua_sentinel.h"

#include <lauxlib.h>

#include "heap/heap.h"
#include "lua_close.h"
#include "lua_pace.h"
#include "lua_vm.h"

static const char key;        /* of the one in the registry */
static const char thread_key; /* of a thread, where the main one is not known */

typedef struct sentinel {
    hak_lua_adapter *adapter;
    bool lasts; /* in the registry */
} sentinel;

static sentinel *push_sentinel(lua_State *L, hak_lua_adapter *adapter, bool lasts)
{
    sentinel *object = lua_newuserdata(L, sizeof *object);
    *object = (sentinel){adapter, lasts};
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

/* In front of a userdata's bytes lie, in each of these versions, two words, of which the second
 * begins with its type and its colour, and three more. Where it looks otherwise, it is not used. */
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

/* Far more than an object takes, and than classes leave each other of a limit. */
#define ROOM ((size_t)256 * 1024)

static bool has_room(const hak_heap *heap)
{
    return hak__heap_headroom(heap) >= ROOM;
}

/* Makes sure that the next cycle finalizes one too. A new object does it, which must not be tried
 * where memory is about to run out, since a finalizer must not fail: then 5.4 marks the same one
 * again, which generations would leave alone. LuaJIT, which crashes where memory
 * runs out in a finalizer, cannot; there, only refusals ask the collector from then on. */
static void renew(lua_State *L, const hak_heap *heap)
{
    if (has_room(heap)) {
        push_sentinel(L, ((const sentinel *)lua_touserdata(L, 1))->adapter, false);
        if (lua_getmetatable(L, 1)) lua_setmetatable(L, -2);
    } else if (LUA_VERSION_NUM >= 504 && lua_getmetatable(L, 1)) {
        lua_setmetatable(L, 1);
    }
}

static int finalize(lua_State *L)
{
    const sentinel *of = lua_touserdata(L, 1);
    hak_lua_adapter *adapter = of->adapter;
    if (of->lasts) {
        hak__lua_at_close(L, adapter, __builtin_frame_address(0));
    } else if (!hak__lua_is_closing(adapter)) {
        hak__lua_cycle_is_over(adapter);
        uint16_t kept = hak__heap_keep_back(adapter->heap, 0);
        renew(L, adapter->heap);
        hak__heap_keep_back(adapter->heap, kept);
    }
    return 0;
}

/* ------------------------------------------------------------------ placing them */

/* A thread to ask the collector by, for as long as the state lives. */
static void place_thread(lua_State *L, hak_lua_adapter *adapter)
{
    adapter->thread = hak__lua_main_thread(L);
    if (adapter->thread) return;
    lua_pushlightuserdata(L, (void *)&thread_key);
    adapter->thread = lua_newthread(L);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

/* They get their finalizer last, when nothing can fail any more. */
int hak__lua_place_sentinels(lua_State *L)
{
    hak_lua_adapter *adapter = lua_touserdata(L, 1);
    place_thread(L, adapter);
    const sentinel *lasting = push_sentinel(L, adapter, true);
    push_sentinel(L, adapter, false);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, finalize);
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
