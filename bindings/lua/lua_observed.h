/* The function that a state has: one that tells the observer of each operation and calls the other,
 * or the other itself, so that a state that is not observed does not pay. */
#ifndef HAK_LUA_OBSERVED_H
#define HAK_LUA_OBSERVED_H

#include "hakmem_lua.h"

/* The function that a state with this heap has, until it is closed. */
lua_Alloc hak__lua_function(const hak_heap *heap);

/* Whether `function` is such a one, of some heap; and whether it observes. */
bool hak__lua_is_ours(lua_Alloc function);
bool hak__lua_observes(lua_Alloc function);

#endif
