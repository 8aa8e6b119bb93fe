/* The bins: which slab each size class allocates from. A slab is current (in its class's bin),
 * partial or dry (in one of its class's lists: partial.h) or full; what moves it from one state to
 * the next is in refill.h and retire.h. */
#ifndef HAK_BINS_H
#define HAK_BINS_H

#include "heap/blocks.h"

/* Has a class allocate from `slab`, or from none: hak__no_slab. */
void hak__bins_set(hak_heap *heap, hak_bin_class class, hak_slab *slab);

/* Makes `slab`, with `live` blocks and in no list, the one that its class allocates from, in place
 * of `before` or hak__no_slab. */
void hak__bins_set_current(hak_heap *heap, hak_slab *slab, size_t live, hak_slab *before);

/* A full slab wakes when one of so many of its blocks is free, as a power of two. */
size_t hak__bins_wake_shift(const hak_heap *heap);

/* Goes over the current slabs: each time, *at is the class of the last one, zeros to begin with.
 * NULL at the end. */
hak_slab *hak__bins_next(const hak_heap *heap, hak_bin_class *at);

/* Whether a current slab of such blocks counts those that are live: medium ones, none of which the
 * hot path hands out. */
static inline bool hak__bins_count_live(size_t block_size)
{
    return block_size > HAK_SMALL_MAX;
}

/* Counts a medium block of a current slab that is handed out: their frees are counted too. */
static inline void hak__bins_count(hak_slab *slab)
{
    if (slab->countdown < (int32_t)HAK_LEFT_FAR / 2) slab->countdown++;
}

/* Bytes of pages of the current slabs: as many may be without a block. */
size_t hak__bins_pages(const hak_heap *heap);

#endif
