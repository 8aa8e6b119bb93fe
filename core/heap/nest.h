/* The nest: where a heap begins. One unit of the shared region holds the heap itself and behind it
 * its first blocks, of all sizes side by side, so that a small heap spends neither a page on each
 * class that it has touched nor a superslab. (On a caller's memory the blocks alone, in a run of
 * units.)
 *
 * A bit for each eight bytes says where a block begins: a block's size is the distance to the next
 * one. Freed blocks go to a list of their class, and large ones are cut again.
 *
 * The hot path does not know of nests: to allocate, a class without a slab takes the slow path, and
 * to free, a nest's record is like a span's. So a class moves on to slabs for good when it is busy,
 * or the nest is full. What its blocks leave free is still used before the class takes pages; and
 * when the last block is gone from a nest that the heap has outgrown, its pages go back. */
#ifndef HAK_NEST_H
#define HAK_NEST_H

#include "heap/blocks.h"

/* Sets the nest up in the units of `run`, from `begin` bytes on. */
void hak__nest_open(hak_heap *heap, hak_slab *run, size_t begin);

/* A block of a class from the nest; NULL if the class has moved on, or does now. */
void *hak__nest_alloc(hak_heap *heap, hak_bin_class class);

/* The same where nothing has to be looked for: from the class's list, the gap or the pages in use.
 * NULL: take the long way. Not in a heap that keeps kinds apart. */
void *hak__nest_take(hak_heap *heap, unsigned index, size_t size);

/* Lets classes that have moved on take what the nest has for them; false if that is nothing. */
bool hak__nest_come_back(hak_heap *heap);

/* A cycle of the collector is over: classes that are not busy within one may stay. */
void hak__nest_settle(hak_heap *heap);

/* Makes room for the heap's lists in the nest, where some is kept for them: with its first slab or
 * large block a heap needs them. False when that would pass the limit. */
bool hak__nest_give_lists(hak_heap *heap);

/* Sees to it that the heap has them. */
static inline bool hak__nest_ensure_lists(hak_heap *heap)
{
    return hak__heap_has_lists(heap) || hak__nest_give_lists(heap);
}

/* Frees one. Aborts if no block begins there, or it is free already as far as can be told. */
void hak__nest_free(hak_heap *heap, void *block);

/* Bytes that the block at `p` can hold; 0 if none begins there. */
size_t hak__nest_block_size(const hak_heap *heap, const void *p);

/* Whether `p`, somewhere in the nest, points to where blocks are or have been. */
bool hak__nest_holds(const hak_heap *heap, const void *p);

/* Makes the nest's last block hold `size` bytes where it is; false if it is not the last, or there
 * is no room. */
bool hak__nest_extend(hak_heap *heap, void *block, size_t size);

/* Lets go of the pages behind the blocks; without blocks, of all. They are retained. */
void hak__nest_trim(hak_heap *heap);

/* Bytes of its pages in use that hak__nest_trim would let go. */
size_t hak__nest_unused(const hak_heap *heap);

/* Bytes of pages at its head that the heap itself lies in: they join the footprint with the first
 * block. None on a caller's memory. */
size_t hak__nest_own_pages(const hak_heap *heap);

/* Counts the blocks: `visit` gets the bytes and the kind of each and 1, and again with -1 for each
 * free one. */
typedef void hak_nest_visitor(void *context, size_t size, unsigned kind, int count);
void hak__nest_visit(const hak_heap *heap, hak_nest_visitor *visit, void *context);

/* The kind of a block. */
unsigned hak__nest_block_kind(const hak_heap *heap, const void *block);

#endif
