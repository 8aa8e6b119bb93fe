/* What the lua_Alloc functions share. */
#ifndef HAK_LUA_ALLOC_H
#define HAK_LUA_ALLOC_H

#include <stdbool.h>
#include <string.h>

#include "heap/heap.h"
#include "lua_adapter.h"
#include "lua_pace.h"

/* The slow paths of a free: of a block whose slab needs attention, and of one outside the range of
 * the hot path. They return NULL, as lua_Alloc does: so they are last calls, and a free on the hot
 * path needs no stack frame. */
void *hak__lua_free_event(hak_heap *heap, hak_slab *slab, void *block);
void *hak__lua_free_outside(hak_heap *heap, void *block, size_t old_size);

/* Resizes a block of the previous allocator. */
void *hak__lua_resize_foreign(hak_heap *heap, void *block, size_t old_size, size_t new_size);

/* The slow paths of an allocation: hak__heap_alloc_slow and hak__heap_alloc_kind_slow, with the
 * work for the collector's pace around them. */
void *hak__lua_alloc_slow(hak_heap *heap, size_t size);
void *hak__lua_alloc_kind_slow(hak_heap *heap, unsigned kind, size_t size);

/* hak__heap_realloc with the same work. */
void *hak__lua_realloc(hak_heap *heap, void *block, size_t size);

/* Resizes a block in the nest of a heap that does not keep kinds apart. */
void *hak__lua_resize_in_nest(hak_heap *heap, void *block, size_t new_size);

/* hak__heap_alloc with the slow path above. */
static inline void *hak__lua_take(hak_heap *heap, size_t size)
{
    void *block = hak__heap_take(heap, size);
    return HAK_LIKELY(block != NULL) ? block : hak__lua_alloc_slow(heap, size);
}

/* The same for another block in place of one that is resized, which is never a new state's; and for
 * one of a kind. */
static inline void *hak__lua_take_other(hak_heap *heap, size_t size)
{
    void *block = hak__heap_take(heap, size);
    return HAK_LIKELY(block != NULL) ? block : hak__lua_alloc_paced(heap, 0, size);
}

static inline void *hak__lua_take_other_kind(hak_heap *heap, unsigned kind, size_t size)
{
    void *block = hak__heap_take_kind(heap, kind, size);
    return HAK_LIKELY(block != NULL) ? block : hak__lua_alloc_paced(heap, kind, size);
}

/* Resizes any block to a size other than 0. The size of our own blocks is read from their records,
 * since callers other than Lua pass any `old_size`. `by_kind`, a constant: the heap may keep kinds
 * apart; the block then keeps its kind. */
static inline __attribute__((always_inline)) void *
hak__lua_resize(hak_heap *heap, void *block, size_t old_size, size_t new_size, bool by_kind)
{
    if (HAK_LIKELY(hak__heap_maps(heap, block))) {
        hak_slab *slab = hak__heap_slab_of(heap, block);
        if (HAK_LIKELY(slab->block_size && new_size <= HAK_MEDIUM_MAX)) {
            if (hak__heap_class_of(heap, new_size) == slab->size_class) return block;
            size_t had = slab->block_size;
            void *other = by_kind ? hak__lua_take_other_kind(heap, slab->block_kind, new_size)
                                  : hak__lua_take_other(heap, new_size);
            if (!other) return new_size <= had ? block : NULL;
            memcpy(other, block, had < new_size ? had : new_size);
            hak__heap_free_mapped(heap, block);
            return other;
        }
        if (!by_kind && !hak__heap_keeps_kinds(heap) && hak__heap_is_nest(heap, slab)) {
            return hak__lua_resize_in_nest(heap, block, new_size);
        }
    } else if (hak__lua_is_foreign(heap, block)) {
        return hak__lua_resize_foreign(heap, block, old_size, new_size);
    }
    return hak__lua_realloc(heap, block, new_size);
}

/* Frees any block; not NULL. Returns NULL. */
static inline void *hak__lua_free(hak_heap *heap, void *block, size_t old_size)
{
    if (HAK_UNLIKELY(!hak__heap_maps(heap, block)))
        return hak__lua_free_outside(heap, block, old_size);
    hak_slab *slab = hak__heap_slab_of(heap, block);
    if (HAK_UNLIKELY(hak__heap_put(heap, slab, block)))
        return hak__lua_free_event(heap, slab, block);
    return NULL;
}

#endif
