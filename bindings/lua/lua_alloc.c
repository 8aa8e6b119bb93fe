/* The lua_Alloc function: what Lua calls for every object. */
#include "lua_alloc.h"

#include "lua_state.h"
#include "nest.h"

bool hak__lua_is_foreign(const hak_heap *heap, const void *block)
{
    const hak_lua_adapter *adapter = heap->adapter;
    return adapter && adapter->previous && !hak_heap_owns(heap, block);
}

__attribute__((noinline)) void hak__lua_free_outside(hak_heap *heap, void *block, size_t old_size)
{
    if (hak__lua_is_foreign(heap, block)) {
        const hak_lua_adapter *adapter = heap->adapter;
        adapter->previous(adapter->previous_ud, block, old_size, 0);
    } else {
        hak__heap_free_outside(heap, block);
    }
}

/* A block of another allocator moves to this heap, unless it is so large that its own allocator may
 * move pages where we would have to copy. */
#define MOVE_MAX ((size_t)1 << 20)

void *hak__lua_resize_foreign(hak_heap *heap, void *block, size_t old_size, size_t new_size)
{
    const hak_lua_adapter *adapter = heap->adapter;
    void *other = old_size <= MOVE_MAX ? hak__heap_alloc(heap, new_size) : NULL;
    if (!other) {
        /* It may pass the limit only by shrinking. */
        if (old_size <= MOVE_MAX && new_size > old_size) return NULL;
        return adapter->previous(adapter->previous_ud, block, old_size, new_size);
    }
    memcpy(other, block, old_size < new_size ? old_size : new_size);
    adapter->previous(adapter->previous_ud, block, old_size, 0);
    return other;
}

/* Lua tells the old size, so that it need not be looked for. */
__attribute__((noinline)) void *hak__lua_resize_in_nest(hak_heap *heap, void *block,
                                                        size_t old_size, size_t new_size)
{
    if (old_size > HAK_SMALL_MAX || new_size > HAK_SMALL_MAX) {
        return hak__heap_realloc(heap, block, new_size);
    }
    size_t granularity = heap->granularity;
    if (hak__class_of(new_size, granularity) == hak__class_of(old_size, granularity)) return block;
    if (new_size > old_size && hak__nest_extend(heap, block, new_size)) return block;
    void *other = hak__heap_alloc(heap, new_size);
    if (!other) return new_size <= old_size ? block : NULL;
    memcpy(other, block, old_size < new_size ? old_size : new_size);
    hak__heap_free_mapped(heap, block);
    return other;
}

__attribute__((noinline)) static void *resize(hak_heap *heap, void *block, size_t old_size,
                                              size_t new_size)
{
    return hak__lua_resize(heap, block, old_size, new_size, false);
}

void *hak_lua_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    hak_heap *heap = ud;
    if (block == NULL) return new_size ? hak__heap_alloc(heap, new_size) : NULL;
    if (new_size != 0) return resize(heap, block, old_size, new_size);
    hak__lua_free(heap, block, old_size);
    return NULL;
}
