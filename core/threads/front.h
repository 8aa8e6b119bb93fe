/* The hot path of hak_malloc and hak_free, for these and for what replaces libc's functions. */
#ifndef HAK_FRONT_H
#define HAK_FRONT_H

#include "threads/thread.h"

/* The slow paths. They end the call. Inlined, they would have the hot path save registers. */
#define HAK_SLOW __attribute__((noinline))

HAK_SLOW void *hak__thread_alloc_slow(size_t size, hak_heap *heap);
HAK_SLOW void hak__thread_free_elsewhere(void *block); /* NULL, or blocks of other threads */
HAK_SLOW void hak__thread_free_event(hak_heap *heap, hak_slab *slab, void *block);

/* Whether a block is one of hak_malloc's. */
bool hak__thread_has(const void *block);

static inline void *hak__thread_alloc(size_t size)
{
    hak_heap *heap = hak__thread_enter();
    if (HAK_LIKELY(size <= HAK_SMALL_MAX)) {
        hak_slab *slab = heap->bin[(size + 7) / 8];
        if (HAK_LIKELY(slab->free != NULL)) {
            void *block = hak__slab_pop(slab);
            hak__thread_leave();
            return block;
        }
    }
    return hak__thread_alloc_slow(size, heap);
}

/* Whether a block lies in a superslab of the heap. */
static inline bool hak__thread_lies_in(const hak_heap *heap, const void *block)
{
    size_t unit = ((uintptr_t)block - heap->base) >> HAK_UNIT_SHIFT;
    if (HAK_UNLIKELY(unit >= heap->units)) return false;
    return hak__region_owner_of_unit(unit) == &heap->pages;
}

static inline void hak__thread_free(void *block)
{
    hak_heap *heap = hak__thread_enter();
    if (HAK_UNLIKELY(!hak__thread_lies_in(heap, block))) {
        hak__thread_free_elsewhere(block);
        return;
    }
    hak_slab *slab = hak__heap_slab_of(heap, block);
    if (HAK_UNLIKELY(hak__heap_put(heap, slab, block))) {
        hak__thread_free_event(heap, slab, block);
        return;
    }
    hak__thread_leave();
}

#endif
