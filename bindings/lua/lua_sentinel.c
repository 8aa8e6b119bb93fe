/* Two objects of a state that tell its heap what happens to it, by their finalizers.
 *
 * One lies in the registry and is finalized when the state is closed. In a state from
 * hak_lua_newstate it was marked first of all objects; Lua finalizes in the reverse order of
 * marking, so that it comes last. The other is garbage from the beginning, and so is finalized by
 * each cycle of the collector, and marked again or followed by another: then the heap gives back
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

#if LUA_VERSION_NUM >= 503
/* Marks the object at index 1, which has been finalized, for finalization again. */
static void renew(lua_State *L, hak_lua_adapter *adapter)
{
    (void)adapter;
    if (lua_getmetatable(L, 1)) lua_setmetatable(L, 1);
}
#else
/* Far more than an object takes, and than classes leave each other of a limit. */
#define ROOM ((size_t)256 * 1024)

/* Here an object is finalized once. Where memory is about to run out there is no next one, since a
 * finalizer must not fail. */
static void renew(lua_State *L, hak_lua_adapter *adapter)
{
    const hak_heap *heap = adapter->heap;
    if (heap->limit - heap->footprint < ROOM || heap->footprint > heap->limit) return;
    push_sentinel(L, adapter, false);
    if (lua_getmetatable(L, 1)) lua_setmetatable(L, -2);
}
#endif

static int finalize(lua_State *L)
{
    void *ud;
    const sentinel *of = lua_touserdata(L, 1);
    hak_lua_adapter *adapter = of->adapter;
    if (of->lasts) {
        hak__lua_at_close(L, adapter);
    } else if (lua_getallocf(L, &ud) == hak_lua_alloc) {
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
