/* The end of a state, and with it of its heap: lua_close.c. */
#ifndef HAK_LUA_CLOSE_H
#define HAK_LUA_CLOSE_H

#include "lua_adapter.h"

/* Called when the state is closed, and its other finalizers have run, by the finalizer whose frame
 * that is. May not return. */
void hak__lua_at_close(lua_State *L, hak_lua_adapter *adapter, void *frame);

/* The allocator of a state that lua_close takes apart: freeing one by one what goes with the heap
 * is left out, and with the state's own block the heap goes. */
void *hak__lua_alloc_closing(void *ud, void *block, size_t old_size, size_t new_size);

#endif
