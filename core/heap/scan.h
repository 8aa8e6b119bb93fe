/* Scans of the partial slabs of a heap for holes. A call scans a few of them, so that it does not
 * take long however many there are, and the next one continues there. */
#ifndef HAK_SCAN_H
#define HAK_SCAN_H

#include "heap/blocks.h"

/* Searches for holes, until `reads` free blocks were read and units passed. True if the heap has
 * `bytes` bytes to give back: retained pages, known holes, and, if all slabs were searched, the
 * holes of the current slabs. */
bool hak__scan_search(hak_heap *heap, size_t bytes, size_t reads);

/* Purges holes, up to `bytes` bytes, or until `reads` as above. Returns the bytes purged. */
size_t hak__scan_give(hak_heap *heap, size_t bytes, size_t reads);

/* ------------------------------------------------------------------ policy/pace.h for a heap */

/* For a heap that is about to touch `bytes` more: hak__pace_least_gain, hak__pace_target. */
size_t hak__scan_least_gain(hak_heap *heap, size_t bytes);
size_t hak__scan_target(const hak_heap *heap, size_t bytes);

/* hak__pace_pays_for_itself, for a block of `bytes` new bytes. */
bool hak__scan_pays_for_itself(const hak_heap *heap, size_t bytes);

/* The bytes paid for scans so far: those allocated, and the peak, since each new page is a page
 * fault too. */
static inline size_t hak__scan_paid(const hak_heap *heap)
{
    return heap->pace.clock + heap->pages.footprint_peak;
}

/* hak__pace_in_earnest. */
static inline bool hak__scan_in_earnest(const hak_heap *heap)
{
    return hak__pace_in_earnest(&heap->pace, hak__scan_paid(heap));
}

/* hak__pace_charge. */
static inline void hak__scan_charge(hak_heap *heap, size_t given, size_t read)
{
    hak__pace_charge(&heap->pace, hak__scan_paid(heap), given, read);
}

#endif
