/* Objects of a state that notify its heap: lua_sentinel.c. */
#ifndef HAK_LUA_SENTINEL_H
#define HAK_LUA_SENTINEL_H

#include "lua_adapter.h"

/* A lua_CFunction; its argument is the adapter, a light userdata. Makes the heap end with the state
 * and be notified of each cycle of the collector. */
int hak__lua_place_sentinels(lua_State *L);

/* The adapter of the state, even if a host has wrapped the allocator; NULL: none. */
hak_lua_adapter *hak__lua_adapter_of(lua_State *L);

#endif
