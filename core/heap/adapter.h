/* What an adapter asks of a heap beside blocks. */
#ifndef HAK_ADAPTER_H
#define HAK_ADAPTER_H

#include "heap/blocks.h"

/* ------------------------------------------------------------------ making and leaving it */

/* Why hak_heap_new returned NULL though its options are valid, for messages. */
const char *hak__heap_new_failure(int error);

/* Has a heap that has no blocks yet suit a program with such hints, which must outlive it. */
void hak__heap_suit(hak_heap *heap, const hak_hints *hints);

/* Leaves every bin without a slab: the next allocation of each class takes the long way, and each
 * slab is given back with its last block. */
void hak__heap_detach(hak_heap *heap);

/* Has all blocks take the long way of freeing, and back again by what that has returned. */
static inline uintptr_t hak__heap_hide(hak_heap *heap)
{
    uintptr_t base = heap->base;
    heap->base = (uintptr_t)1 << 63; /* no block is in the range of the hot path then */
    return base;
}

static inline void hak__heap_show(hak_heap *heap, uintptr_t base)
{
    heap->base = base;
}

/* Keeps fork() from finding a lock of a heap held: to be called before handlers are registered for
 * a lock that is held while a heap is called. */
void hak__heap_respect_fork(void);

/* ------------------------------------------------------------------ memory */

/* Gives back at once all but `keep` bytes and half of what the profile always retains, and what
 * waits: for a program that is done with what it has dropped. Does not look for holes. Returns how
 * many bytes of this heap. */
size_t hak__heap_rest(hak_heap *heap, size_t keep);

/* The bytes that what it gave back has taught it to retain. */
static inline size_t hak__heap_learned(const hak_heap *heap)
{
    return heap->pages.demand.released.keep;
}

/* Bytes of pages with blocks. */
static inline size_t hak__heap_in_use(const hak_heap *heap)
{
    return heap->pages.footprint - heap->pages.retained;
}

/* The limit; SIZE_MAX: none. */
static inline size_t hak__heap_most(const hak_heap *heap)
{
    return heap->pages.limit;
}

/* Bytes that the footprint may grow by until then. */
static inline size_t hak__heap_headroom(const hak_heap *heap)
{
    return heap->pages.footprint < heap->pages.limit ? heap->pages.limit - heap->pages.footprint
                                                     : 0;
}

/* So many pages of the limit are kept back; returns how many were. */
static inline uint16_t hak__heap_keep_back(hak_heap *heap, uint16_t pages)
{
    uint16_t before = heap->pages.kept_back;
    heap->pages.kept_back = pages;
    return before;
}

/* ------------------------------------------------------------------ blocks in the nest */

/* Whether that record is the nest's. */
static inline bool hak__heap_is_nest(const hak_heap *heap, const hak_slab *slab)
{
    return slab == heap->nest.run;
}

/* Makes a block of the nest of a heap that does not keep kinds apart hold `size` bytes where it is;
 * false if that cannot be. *had is what it can hold, 0 unless both are small. */
bool hak__heap_resize_in_nest(hak_heap *heap, void *block, size_t size, size_t *had);

#endif
