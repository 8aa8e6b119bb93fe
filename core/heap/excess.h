/* Purges what a heap retains beyond the bound of its profile. Called where slabs retire and large
 * blocks are freed, never on the hot path. */
#ifndef HAK_EXCESS_H
#define HAK_EXCESS_H

#include "heap/scan.h"

/* If more is retained than the bound, purges down to half of it, so that a program that swings
 * around the bound does not call the OS each time. */
void hak__excess_purge(hak_heap *heap);

/* Purges holes if the pages of partial slabs exceed the bound: what a burst leaves behind where a
 * few of its blocks live on. Does not begin while the heap is busy. */
void hak__excess_punch(hak_heap *heap);

/* ------------------------------------------------------------------ policy/retain.h for a heap */

static inline size_t hak__heap_bound(const hak_heap *heap)
{
    return hak__retain_bound(hak__policy(heap), &heap->pages.demand);
}

static inline size_t hak__heap_wait(const hak_heap *heap)
{
    return hak__retain_wait(hak__policy(heap), heap->hints);
}

static inline void hak__heap_learn(hak_heap *heap)
{
    hak__retain_learn(hak__policy(heap), &heap->pages.demand, heap->pages.footprint);
}

static inline void hak__heap_released(hak_heap *heap, size_t before)
{
    hak__retain_released(&heap->pages.demand, before, heap->pages.footprint);
}

static inline size_t hak__heap_needed(hak_heap *heap)
{
    hak_pages *pages = &heap->pages;
    return hak__retain_needed(hak__policy(heap), &pages->demand, pages->footprint - pages->retained,
                              pages->retained, hak__scan_paid(heap));
}

/* While more than `keep` bytes are retained, moves whole superslabs and huge blocks to those that
 * wait, if the heap lets them wait. */
static inline void hak__heap_let_wait(hak_heap *heap, size_t keep)
{
    hak__purge_let_wait(&heap->pages, keep, hak__heap_wait(heap));
}

#endif
