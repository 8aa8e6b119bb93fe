/* A look for holes round all slabs of a heap, some of it at a time, so that no call takes long
 * however many there are. It is over when nothing is left of it in `round_left`. */
#ifndef HAK_LOOK_H
#define HAK_LOOK_H

#include "heap/blocks.h"

/* Begins one, which only searches, or gives back what it finds. */
void hak__look_begin(hak_heap *heap, bool searches);

/* Goes on with a search until so many free blocks have been read and units passed. True when there
 * are `worth` bytes to be had, with what is retained and, at its end, with the slabs in use. */
bool hak__look_search(hak_heap *heap, size_t worth, size_t reads);

/* Goes on with one that gives back, until it has given `bytes`, or as above; returns how many. */
size_t hak__look_give(hak_heap *heap, size_t bytes, size_t reads);

/* ------------------------------------------------------------------ policy/pace.h for a heap */

/* Whether a heap grows in earnest that reaches such a peak. */
static inline bool hak__look_in_earnest(const hak_heap *heap, size_t peak)
{
    return hak__pace_in_earnest(&heap->pace, peak, heap->refills);
}

/* What a look has to be worth for a heap that is about to touch `bytes` more, and what to give back
 * then. */
size_t hak__look_worth(hak_heap *heap, size_t bytes);
size_t hak__look_share(const hak_heap *heap, size_t bytes);

/* Whether a look for a block of so many new bytes is paid for by the block. */
bool hak__look_pays_for_itself(const hak_heap *heap, size_t bytes);

/* What has paid for looks so far: the program's work, and growth, a byte as a byte, since a new
 * page is a page fault too. */
static inline size_t hak__look_paid(const hak_heap *heap)
{
    return heap->pace.work + heap->pages.footprint_peak;
}

/* Puts off the next look until so much of what this one took has been paid. */
static inline void hak__look_pay(hak_heap *heap, size_t given, size_t read)
{
    hak__pace_pay(&heap->pace, hak__look_paid(heap), given, read);
}

#endif
