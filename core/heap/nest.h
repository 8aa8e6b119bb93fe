/* The nest: one unit of the shared region with the heap itself and, behind it, its first blocks, of
 * all sizes side by side. So a small heap takes neither a page for each class nor a superslab. (On
 * a caller's memory the nest is a run of units with blocks only.)
 *
 * A bit for each 8 bytes is set where a block begins; the size of a block is the distance to the
 * next one. Freed blocks go to the list of their class. Large ones are cut for smaller ones.
 *
 * The hot path does not know of nests. To allocate, a class without a slab takes the slow path; to
 * free, the record of a nest is like that of a span. So a class moves to slabs for good when it is
 * busy, or the nest is full. It still uses free blocks of the nest before it takes pages. When the
 * last block is freed in the nest of a heap that has outgrown it, the nest's pages are purged. */
#ifndef HAK_NEST_H
#define HAK_NEST_H

#include "heap/blocks.h"

/* Opens the nest in the units of `run`; blocks begin `begin` bytes behind its start. */
void hak__nest_open(hak_heap *heap, hak_slab *run, size_t begin);

/* A block of a class. NULL if this class allocates from slabs; it may switch in this call. */
void *hak__nest_alloc(hak_heap *heap, hak_bin_class class);

/* The same without any search: from the list of the class, from the gap, or from pages in use.
 * NULL: take hak__nest_alloc. Not in a heap that keeps kinds apart. */
void *hak__nest_take(hak_heap *heap, unsigned index, size_t size);

/* Lets all classes use the nest again. False: it has no free block, or would have to take pages. */
bool hak__nest_come_back(hak_heap *heap);

/* To be called after a cycle of the collector. Halves the counts of reuse, so that only a class
 * that is busy within one cycle moves to slabs. */
void hak__nest_settle(hak_heap *heap);

/* Places the heap's lists in the nest, which has room reserved for them. A heap needs lists with
 * its first slab or large block. False: they would pass the limit. */
bool hak__nest_give_lists(hak_heap *heap);

/* Places the lists unless the heap has them. */
static inline bool hak__nest_ensure_lists(hak_heap *heap)
{
    return hak__heap_has_lists(heap) || hak__nest_give_lists(heap);
}

/* Frees a block. Aborts if no block begins there, or if the block is known to be free. */
void hak__nest_free(hak_heap *heap, void *block);

/* Bytes that the block at `p` can hold; 0 if no block begins there. */
size_t hak__nest_block_size(const hak_heap *heap, const void *p);

/* Whether `p`, an address in the nest, lies where blocks are or have been. */
bool hak__nest_holds(const hak_heap *heap, const void *p);

/* Whether a live block begins at `p`. */
bool hak__nest_is_live(const hak_heap *heap, const void *p);

/* Grows the last block to `size` bytes in place. False: it is not the last one, or
 * there is no room. */
bool hak__nest_extend(hak_heap *heap, void *block, size_t size);

/* Stops using the pages behind the blocks, or all pages if there is no block. They
 * count as retained. */
void hak__nest_trim(hak_heap *heap);

/* Bytes of pages that hak__nest_trim would stop using. */
size_t hak__nest_unused(const hak_heap *heap);

/* Bytes of the pages that the heap itself lies in. They join the footprint with the first block. 0
 * on a caller's memory. */
size_t hak__nest_own_pages(const hak_heap *heap);

/* Visits all blocks with their bytes, their kind and count 1; then all free blocks with count -1,
 * so that the sums are of live blocks. */
typedef void hak_nest_visitor(void *context, size_t size, unsigned kind, int count);
void hak__nest_visit(const hak_heap *heap, hak_nest_visitor *visit, void *context);

/* The kind of a block. */
unsigned hak__nest_block_kind(const hak_heap *heap, const void *block);

#endif
