/* The bins: which slab each size class allocates from, and where the next one comes from when it
 * runs dry. A slab is current (in its class's bin), partial or dry (in one of its class's lists) or
 * full; what moves it from one state to the next is here.
 *
 * This is also where a heap looks for memory it already has before it takes more. */
#ifndef HAK_BINS_H
#define HAK_BINS_H

#include "heap/blocks.h"

/* Makes `slab`, with `live` blocks and in no list, the one that its class allocates from, in place
 * of `before` or hak__no_slab. */
void hak__bins_set_current(hak_heap *heap, hak_slab *slab, size_t live, hak_slab *before);

/* Gives that bin, whose slab has no free block, a slab that has some: one that frees have reopened,
 * the rest of the current one, or a new one. NULL when memory is exhausted. */
hak_slab *hak__bins_refill(hak_heap *heap, hak_bin_class class);

/* Opens a full slab that has free blocks: it has been freed from often enough to be used again. */
void hak__bins_reopen(hak_heap *heap, hak_slab *slab);

/* A dry slab has a free block now. */
void hak__bins_moisten(hak_heap *heap, hak_slab *slab);

/* The countdown of a partial slab has run out: its last block has been freed, or one that makes it
 * worth being searched again. */
void hak__bins_run_down(hak_heap *heap, hak_slab *slab);

/* A full slab wakes when one of so many of its blocks is free, as a power of two. */
size_t hak__bins_wake_shift(const hak_heap *heap);

/* Goes over the current slabs: each time, *at is the class of the last one, zeros to begin with.
 * NULL at the end. */
hak_slab *hak__bins_next(const hak_heap *heap, hak_bin_class *at);

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

/* Leaves every bin without a slab: the next allocation of each class takes the long way, and each
 * slab is given back with its last block. */
void hak__bins_empty(hak_heap *heap);

#endif
