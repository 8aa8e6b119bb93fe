/* The kinds of block that Lua passes, and the choice between the lua_Alloc functions for heaps with
 * and without kinds. */
#ifndef HAK_LUA_KINDS_H
#define HAK_LUA_KINDS_H

#include "hakmem_lua.h"

/* The lua_Alloc function for `heap`; whether `function` is one of the two. */
lua_Alloc hak__lua_alloc_of(const hak_heap *heap);
bool hak__lua_is_alloc(lua_Alloc function);

/* The kind of a new block, for the value `what` that Lua passes as its old size. */
unsigned hak__lua_kind_of(size_t what);

/* Names the kinds of a heap that keeps them apart; does nothing to others. */
void hak__lua_name_kinds(hak_heap *heap);

#endif
