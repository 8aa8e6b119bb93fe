/* The bins: which slab each size class allocates from, and where the next one comes from when it
 * runs dry. A slab is current (in its class's bin), partial (in its class's list) or full; what
 * moves it from one state to the next is here.
 *
 * This is also where a heap looks for memory it already has before it takes more. */
#ifndef HAK_BINS_H
#define HAK_BINS_H

#include "heap.h"

/* Makes `slab` the one that class `index` of a kind allocates from; hak__no_slab leaves it without.
 */
void hak__bins_set(hak_heap *heap, unsigned kind, unsigned index, hak_slab *slab);

/* Gives that bin, whose slab has no free block, a slab that has some: one that frees have reopened,
 * the rest of the current one, or a new one. NULL when memory is exhausted. */
hak_slab *hak__bins_refill(hak_heap *heap, unsigned kind, unsigned index);

/* A full slab has been freed from often enough to be used again. */
void hak__bins_reopen(hak_heap *heap, hak_slab *slab);

/* The last block of a partial slab has been freed. */
void hak__bins_retire(hak_heap *heap, hak_slab *slab);

/* Counts a medium block of a current slab that is handed out: their frees are counted too. */
static inline void hak__bins_count(hak_slab *slab)
{
    if (slab->countdown < (int32_t)HAK_LEFT_FAR / 2) slab->countdown++;
}

/* The counter of a current slab's frees has run out. One of medium blocks is empty, and retires
 * unless this has happened to its class before, and often: the class is busy then. */
void hak__bins_idle(hak_heap *heap, hak_slab *slab);

/* Retires the current slabs that are empty, and trims the nest; an empty bin is filled again on
 * demand. Returns how many. */
size_t hak__bins_retire_idle(hak_heap *heap);

/* Bytes of pages of the current slabs: as many may be without a block. */
size_t hak__bins_pages(const hak_heap *heap);

/* Leaves every bin empty: the next allocation of each class takes the long way. */
void hak__bins_empty(hak_heap *heap);

/* Opens the full slabs that have free blocks, however few; returns how many. */
size_t hak__bins_wake(hak_heap *heap);

/* Called before `bytes` more are touched: a heap that reaches a new peak first gives back what it
 * can do without, if it is time for that. */
void hak__bins_before_peak(hak_heap *heap, size_t bytes);

#endif
