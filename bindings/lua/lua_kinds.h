/* The kinds of block that Lua tells, and the lua_Alloc functions of heaps that keep them apart and
 * that do not. */
#ifndef HAK_LUA_KINDS_H
#define HAK_LUA_KINDS_H

#include "hakmem_lua.h"

/* The allocator for a state in `heap`, and whether `function` is one of those. */
lua_Alloc hak__lua_alloc_of(const hak_heap *heap);
bool hak__lua_is_alloc(lua_Alloc function);

/* The kind of a new block that Lua wants for `what`. */
unsigned hak__lua_kind_of(size_t what);

/* Names the kinds of such a heap; of another, nothing. */
void hak__lua_name_kinds(hak_heap *heap);

#endif
