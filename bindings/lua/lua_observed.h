/* The lua_Alloc function of a state: the usual one, or, while the state is observed, one that tells
 * the observer of each operation and calls the usual one. */
#ifndef HAK_LUA_OBSERVED_H
#define HAK_LUA_OBSERVED_H

#include "hakmem_lua.h"

/* The function for a state with this heap, until it is closed. */
lua_Alloc hak__lua_function(const hak_heap *heap);

/* Whether `function` is one of ours, for any heap; and whether it observes. */
bool hak__lua_is_ours(lua_Alloc function);
bool hak__lua_observes(lua_Alloc function);

#endif
