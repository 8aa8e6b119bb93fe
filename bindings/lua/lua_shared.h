/* Heaps on which more than one state lives.
 *
 * A library may make a state with the allocator of another one: lua_getallocf tells the function
 * and its `ud`, and lua_newstate takes them. With Lua's own allocator the two may then be used by
 * different threads, and be closed in any order.
 *
 * The heap notices the second state by the first block that lua_newstate asks for: it has a size
 * of its own, which always takes the slow path. From then on the heap is guarded
 * (core/heap/guard.h) and lives until the last of its states is closed. It is not known which state
 * a block belongs to: so the collector's pace is no longer changed, and hak_lua_close visits each
 * object.
 *
 * Any other block may happen to have that size. So the requests that follow must be those of
 * lua_newstate; otherwise it was none, and the heap is as before. */
#ifndef HAK_LUA_SHARED_H
#define HAK_LUA_SHARED_H

#include "heap/heap.h"
#include "lua_adapter.h"
#include "lua_vm.h"

/* Whether a request that takes the slow path is one for hak__lua_alloc_rare: the heap has had no
 * request yet, is shared, or a state is being made. */
static inline bool hak__lua_alloc_is_rare(const hak_heap *heap, size_t size)
{
    return hak__lua_is_shared(heap) || size == hak__lua_request(0) || !heap->root;
}

void *hak__lua_alloc_rare(hak_heap *heap, unsigned kind, size_t size);

/* To be called before a block of a shared heap is resized. */
void hak__lua_shared_resize(hak_heap *heap);

/* Frees a block of a shared heap, or of the allocator before it. May end the heap. */
void hak__lua_shared_free(hak_heap *heap, void *block, size_t old_size);

/* Makes the block of a heap's only state known. `block` may be another allocator's. */
void hak__lua_set_state(hak_heap *heap, void *block);

/* Makes the heap of a state shared before there is a second one. False: no memory. */
bool hak__lua_share(hak_heap *heap);

#endif
