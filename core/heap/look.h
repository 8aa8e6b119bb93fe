/* Looks for holes in the partial slabs of a heap: some at a time, so that no call takes long
 * however many there are. The next look goes on where the last one ended. */
#ifndef HAK_LOOK_H
#define HAK_LOOK_H

#include "heap/blocks.h"

/* Searches, until so many free blocks were read and units passed. True when the heap has `bytes` to
 * give back: what is retained, the holes that are known, and, when all slabs were searched, those
 * of the current slabs. */
bool hak__look_search(hak_heap *heap, size_t bytes, size_t reads);

/* Gives holes back, until it has given `bytes`, or as above; returns how many bytes. */
size_t hak__look_give(hak_heap *heap, size_t bytes, size_t reads);

/* ------------------------------------------------------------------ policy/pace.h for a heap */

/* What a heap that is about to touch `bytes` more must find for it to be worth the calls, and what
 * to give back then. */
size_t hak__look_least_gain(hak_heap *heap, size_t bytes);
size_t hak__look_target(const hak_heap *heap, size_t bytes);

/* Whether a look for a block of so many new bytes is paid for by the block. */
bool hak__look_pays_for_itself(const hak_heap *heap, size_t bytes);

/* What has paid for looks so far, in bytes: what was allocated, and the peak, since a new page is a
 * page fault too. */
static inline size_t hak__look_paid(const hak_heap *heap)
{
    return heap->pace.clock + heap->pages.footprint_peak;
}

/* Whether a heap that grows beyond its peak does so in earnest. */
static inline bool hak__look_in_earnest(const hak_heap *heap)
{
    return hak__pace_in_earnest(&heap->pace, hak__look_paid(heap));
}

/* Puts off the next look until what this one has cost was paid. */
static inline void hak__look_charge(hak_heap *heap, size_t given, size_t read)
{
    hak__pace_charge(&heap->pace, hak__look_paid(heap), given, read);
}

#endif
