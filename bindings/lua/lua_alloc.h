/* What the lua_Alloc functions share. */
#ifndef HAK_LUA_ALLOC_H
#define HAK_LUA_ALLOC_H

#include <stdbool.h>
#include <string.h>

#include "kinds.h"

/* Whether a block that the hot path's range does not hold (huge, in a spill region, on a caller's
 * memory) is of the allocator before us. */
bool hak__lua_is_foreign(const hak_heap *heap, const void *block);

/* Frees, and resizes, one that is. */
void hak__lua_free_outside(hak_heap *heap, void *block, size_t old_size);
void *hak__lua_resize_foreign(hak_heap *heap, void *block, size_t old_size, size_t new_size);

/* Resizes one that lies in the nest of a heap that does not keep kinds apart. */
void *hak__lua_resize_in_nest(hak_heap *heap, void *block, size_t old_size, size_t new_size);

/* Resizes any block to a size other than 0. `by_kind`, a constant, says whether the heap may keep
 * kinds apart; then the block stays with its own. */
static inline __attribute__((always_inline)) void *
hak__lua_resize(hak_heap *heap, void *block, size_t old_size, size_t new_size, bool by_kind)
{
    if (HAK_LIKELY(hak__heap_maps(heap, block))) {
        hak_slab *slab = &heap->slabs[((uintptr_t)block - heap->base) >> HAK_UNIT_SHIFT];
        if (HAK_LIKELY(slab->block_size && new_size <= HAK_MEDIUM_MAX)) {
            if (hak__class_of(new_size, heap->granularity) == slab->size_class) return block;
            void *other = by_kind ? hak__heap_alloc_kind(heap, slab->block_kind, new_size)
                                  : hak__heap_alloc(heap, new_size);
            if (!other) return new_size <= old_size ? block : NULL;
            memcpy(other, block, old_size < new_size ? old_size : new_size);
            hak__heap_free_mapped(heap, block);
            return other;
        }
        if (!by_kind && !heap->kinds && slab == heap->nest.run) {
            return hak__lua_resize_in_nest(heap, block, old_size, new_size);
        }
    } else if (hak__lua_is_foreign(heap, block)) {
        return hak__lua_resize_foreign(heap, block, old_size, new_size);
    }
    return hak__heap_realloc(heap, block, new_size);
}

/* Frees any block but NULL. */
static inline void hak__lua_free(hak_heap *heap, void *block, size_t old_size)
{
    if (HAK_LIKELY(hak__heap_maps(heap, block))) {
        hak__heap_free_mapped(heap, block);
    } else {
        hak__lua_free_outside(heap, block, old_size);
    }
}

#endif
