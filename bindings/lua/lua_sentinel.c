/* Two objects of a state that tell its heap what happens to it, by their finalizers.
 *
 * One lies in the registry and is finalized when the state is closed. In a state from
 * hak_lua_newstate it was marked first of all objects; Lua finalizes in the reverse order of
 * marking, so that it comes last. The other is garbage from the beginning, and so is finalized by
 * each cycle of the collector, and followed by another or marked again: then the heap gives back
 * what it does not retain.
 */
#include <lauxlib.h>

#include "heap.h"
#include "lua_state.h"

static const char key; /* of the one in the registry */

typedef struct sentinel {
    hak_lua_adapter *adapter;
    bool lasts; /* in the registry */
} sentinel;

static void push_sentinel(lua_State *L, hak_lua_adapter *adapter, bool lasts)
{
    *(sentinel *)lua_newuserdata(L, sizeof(sentinel)) = (sentinel){adapter, lasts};
}

/* Far more than an object takes, and than classes leave each other of a limit. */
#define ROOM ((size_t)256 * 1024)

static bool has_room(const hak_heap *heap)
{
    return heap->footprint <= heap->limit && heap->limit - heap->footprint >= ROOM;
}

/* Makes sure that the next cycle finalizes one too. A new object does it, which must not be tried
 * where memory is about to run out, since a finalizer must not fail: then the one at index 1 is
 * marked again where Lua can do that, from 5.3 on. (5.3 has no generations, to which an object that
 * is marked again would be an old one, left alone by minor cycles.) */
static void renew(lua_State *L, hak_lua_adapter *adapter)
{
    if (LUA_VERSION_NUM != 503 && has_room(adapter->heap)) {
        push_sentinel(L, adapter, false);
        if (lua_getmetatable(L, 1)) lua_setmetatable(L, -2);
    } else if (LUA_VERSION_NUM >= 503) {
        if (lua_getmetatable(L, 1)) lua_setmetatable(L, 1);
    }
}

static int finalize(lua_State *L)
{
    void *ud;
    const sentinel *of = lua_touserdata(L, 1);
    hak_lua_adapter *adapter = of->adapter;
    if (of->lasts) {
        hak__lua_at_close(L, adapter);
    } else if (hak__lua_is_ours(lua_getallocf(L, &ud))) {
        hak_heap_settle(adapter->heap);
        renew(L, adapter);
    }
    return 0;
}

/* They get their finalizer last, when nothing can fail any more. */
int hak__lua_place_sentinels(lua_State *L)
{
    hak_lua_adapter *adapter = lua_touserdata(L, 1);
    push_sentinel(L, adapter, false);
    push_sentinel(L, adapter, true);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, finalize);
    lua_setfield(L, -2, "__gc");
    lua_pushlightuserdata(L, (void *)&key);
    lua_pushvalue(L, -3);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, -1);
    lua_setmetatable(L, -3);
    lua_setmetatable(L, -3);
    return 0;
}
