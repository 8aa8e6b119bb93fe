/* The bins: the current slab of each size class. A slab is current (in the bin of its class),
 * partial or dry (in a list of its class: partial.h), or full. refill.h and retire.h change its
 * state. */
#ifndef HAK_BINS_H
#define HAK_BINS_H

#include "heap/blocks.h"

/* Sets the current slab of a class; hak__no_slab: none. */
void hak__bins_set(hak_heap *heap, hak_bin_class class, hak_slab *slab);

/* Makes `slab` the current slab of its class. It has `live` live blocks and is in no list. `before`
 * is the current slab until then, or hak__no_slab. */
void hak__bins_set_current(hak_heap *heap, hak_slab *slab, size_t live, hak_slab *before);

/* A full slab wakes when 1 + (capacity >> shift) of its blocks are free; returns that shift. */
size_t hak__bins_wake_shift(const hak_heap *heap);

/* Iterates over the current slabs. *at is the class of the last one, zeros at
 * first. NULL: the end. */
hak_slab *hak__bins_next(const hak_heap *heap, hak_bin_class *at);

/* Whether the countdown of a current slab is its live blocks: for medium blocks, which the hot
 * path never hands out. */
static inline bool hak__bins_count_live(size_t block_size)
{
    return block_size > HAK_SMALL_MAX;
}

/* Bytes of pages in use of the current slabs: an upper bound of their pages without a block. */
size_t hak__bins_pages(const hak_heap *heap);

#endif
