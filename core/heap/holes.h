/* Holes: pages that hold no block, inside a slab that is in use, given back to the OS. A slab in
 * which a few blocks live long after the others are gone would keep all its pages otherwise.
 *
 * The blocks of such pages leave the free list, and `purged` in the slab's record remembers the
 * pages. They come back like blocks that were never carved: when the list has run dry.
 *
 * To find the pages, free lists are read. A partial slab only gains free blocks, so that what was
 * found in it stays true: `vacant` in its record. Its countdown then ends with the first free after
 * which there can be another such page, and until then it is not read again. So a search costs what
 * has changed since the last, and not what the heap has.
 *
 * Not on a caller's memory, where a page that is given back is of no use to anybody. */
#ifndef HAK_HOLES_H
#define HAK_HOLES_H

#include "heap/blocks.h"

/* How many bytes hak__holes_punch would give back, of the slabs that the heap allocates from or
 * will. Reads the free lists of those that have changed; of slabs of which less than a quarter is
 * free, where there is hardly a page to be found, only if `thorough`, or while the heap is short of
 * memory. */
size_t hak__holes_find(hak_heap *heap, bool thorough);

/* Gives back the pages without a block of all these slabs; returns how many bytes. */
size_t hak__holes_punch(hak_heap *heap, bool thorough);

/* Bytes of pages without a block in one slab; and in all that their classes allocate from, where
 * `*read` grows by the blocks that may have been read. */
size_t hak__holes_of(const hak_slab *slab);
size_t hak__holes_of_current(const hak_heap *heap, size_t *read);

/* The same of the slabs that their classes allocate from. */
size_t hak__holes_punch_current(hak_heap *heap);

/* The same of partial slabs that the heap's cursor comes to, until that is `bytes`, or `*read` is
 * `reads`, which grows by the free blocks that are read and the units that are passed; at most
 * *left units and superslabs, which becomes fewer, and 0 where there is nothing more to be found.
 */
size_t hak__holes_punch_some(hak_heap *heap, size_t bytes, size_t reads, size_t *read,
                             uint32_t *left);

/* Searches partial slabs that the heap's cursor comes to, and have changed, until `*read` is
 * `reads`, as above; at most *left units and superslabs, which becomes fewer, and 0 where nothing
 * has changed. Returns how many bytes of pages without a block are known in all of them. */
size_t hak__holes_find_some(hak_heap *heap, size_t reads, size_t *read, uint32_t *left);

/* Takes back as many purged pages of a slab as hold one block or more, and adds them to its free
 * list. False when that would pass the limit. */
bool hak__holes_fill(hak_heap *heap, hak_slab *slab);

#endif
