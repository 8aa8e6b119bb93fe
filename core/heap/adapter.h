/* The functions of a heap for adapters, beside those for blocks. */
#ifndef HAK_ADAPTER_H
#define HAK_ADAPTER_H

#include "heap/blocks.h"
#include "heap/guard.h"

/* ------------------------------------------------------------------ making and leaving it */

/* For messages: why hak_heap_new returned NULL with `error` for valid options. */
const char *hak__heap_new_failure(int error);

/* Sets the hints of a heap without blocks. `hints` must outlive it. */
void hak__heap_suit(hak_heap *heap, const hak_hints *hints);

/* Empties all bins. The next allocation of each class takes the slow path; each slab retires
 * with its last block. */
void hak__heap_detach(hak_heap *heap);

/* Makes all frees take the slow path. hak__heap_show undoes that with the value returned. */
static inline uintptr_t hak__heap_hide(hak_heap *heap)
{
    uintptr_t base = heap->base;
    heap->base = HAK_NO_BASE;
    return base;
}

static inline void hak__heap_show(hak_heap *heap, uintptr_t base)
{
    heap->base = base;
}

/* Makes requests for `size` bytes, and for what rounds up to it in steps of 8, always take the slow
 * path, so that the adapter notices them. Above HAK_SMALL_MAX they do anyway. */
void hak__heap_watch(hak_heap *heap, size_t size);

/* Makes fork() wait for the locks that a heap takes. To be called before handlers are registered
 * for a lock that is held while a heap is called: libc calls the handlers in reverse order. */
void hak__heap_respect_fork(void);

/* ------------------------------------------------------------------ whose block it is */

/* Where a block lies. */
typedef struct hak_placed {
    hak_heap *heap; /* NULL: in no heap, or in one on a caller's memory */
    size_t size;    /* bytes that it can hold; 0: only who uses the heap can know */
} hak_placed;

/* Any thread may ask about a block that it keeps alive. */
hak_placed hak__heap_place(const void *block);

/* ------------------------------------------------------------------ memory */

/* For a program at rest. Purges retained pages down to `keep` bytes, half of the profile's
 * retain_least and what was prewarmed; and all that waits. Does not search for holes. Returns the
 * bytes by which the footprint fell. */
size_t hak__heap_rest(hak_heap *heap, size_t keep);

/* Bytes that the heap has learned to retain beyond the profile's retain_least. */
static inline size_t hak__heap_learned(const hak_heap *heap)
{
    return heap->pages.demand.released.keep;
}

/* Bytes of the footprint in pages with blocks. */
static inline size_t hak__heap_in_use(const hak_heap *heap)
{
    return heap->pages.footprint - heap->pages.retained;
}

/* The limit in bytes; SIZE_MAX: none. */
static inline size_t hak__heap_most(const hak_heap *heap)
{
    return heap->pages.limit;
}

/* Bytes that the footprint may grow by until the limit. */
static inline size_t hak__heap_headroom(const hak_heap *heap)
{
    HAK_GUARDED(heap);
    return heap->pages.footprint < heap->pages.limit ? heap->pages.limit - heap->pages.footprint
                                                     : 0;
}

/* Sets aside `pages` pages of the limit; returns the number before. */
static inline uint16_t hak__heap_set_adapter_reserve(hak_heap *heap, uint16_t pages)
{
    HAK_GUARDED(heap);
    uint16_t before = heap->pages.adapter_reserve;
    heap->pages.adapter_reserve = pages;
    return before;
}

/* ------------------------------------------------------------------ blocks in the nest */

/* Whether `slab` is the nest's record. */
static inline bool hak__heap_is_nest(const hak_heap *heap, const hak_slab *slab)
{
    return slab == heap->nest.run;
}

/* Resizes a block of the nest to `size` bytes in place; false if it cannot. *had: bytes that the
 * block can hold, or 0 if these or `size` are above HAK_SMALL_MAX. Not in a heap that keeps kinds
 * apart. */
bool hak__heap_resize_in_nest(hak_heap *heap, void *block, size_t size, size_t *had);

#endif
