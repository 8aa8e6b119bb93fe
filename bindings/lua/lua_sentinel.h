/* Objects of a state that tell its heap what happens to it: lua_sentinel.c. */
#ifndef HAK_LUA_SENTINEL_H
#define HAK_LUA_SENTINEL_H

#include "lua_adapter.h"

/* Called by Lua with the adapter, a light userdata: makes sure that the heap goes with the state,
 * and is told of each cycle of the collector. */
int hak__lua_place_sentinels(lua_State *L);

/* The adapter of the state, also where a host has wrapped the allocator; NULL: none. */
hak_lua_adapter *hak__lua_adapter_of(lua_State *L);

#endif
