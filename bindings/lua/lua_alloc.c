/* The lua_Alloc function: what Lua calls for every object. */
#include <string.h>

#include "heap.h"
#include "lua_state.h"

/* A block that the hot path's range does not hold: huge, in a spill region, on a caller's memory,
 * or of the allocator before us. */
static bool is_foreign(const hak_heap *heap, const void *block)
{
    const hak_lua_adapter *adapter = heap->adapter;
    return adapter && adapter->previous && !hak_heap_owns(heap, block);
}

__attribute__((noinline)) static void free_outside(hak_heap *heap, void *block, size_t old_size)
{
    if (is_foreign(heap, block)) {
        const hak_lua_adapter *adapter = heap->adapter;
        adapter->previous(adapter->previous_ud, block, old_size, 0);
    } else {
        hak__heap_free_outside(heap, block);
    }
}

/* A block of another allocator moves to this heap, unless it is so large that its own allocator may
 * move pages where we would have to copy. */
#define MOVE_MAX ((size_t)1 << 20)

static void *resize_foreign(hak_heap *heap, void *block, size_t old_size, size_t new_size)
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

__attribute__((noinline)) static void *resize(hak_heap *heap, void *block, size_t old_size,
                                              size_t new_size)
{
    if (HAK_LIKELY(hak__heap_maps(heap, block))) {
        hak_slab *slab = &heap->slabs[((uintptr_t)block - heap->base) >> HAK_UNIT_SHIFT];
        if (HAK_LIKELY(slab->block_size && new_size <= HAK_MEDIUM_MAX)) {
            if (hak__class_of(new_size, heap->granularity) == slab->size_class) return block;
            void *other = hak__heap_alloc(heap, new_size);
            if (!other) return new_size <= old_size ? block : NULL;
            memcpy(other, block, old_size < new_size ? old_size : new_size);
            hak__heap_free_mapped(heap, block);
            return other;
        }
    } else if (is_foreign(heap, block)) {
        return resize_foreign(heap, block, old_size, new_size);
    }
    return hak_heap_realloc(heap, block, new_size);
}

void *hak_lua_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    hak_heap *heap = ud;
    if (block == NULL) return new_size ? hak__heap_alloc(heap, new_size) : NULL;
    if (new_size != 0) return resize(heap, block, old_size, new_size);
    if (HAK_LIKELY(hak__heap_maps(heap, block))) {
        hak__heap_free_mapped(heap, block);
    } else {
        free_outside(heap, block, old_size);
    }
    return NULL;
}
