/* Holes: pages that hold no block, inside a slab that is in use, given back to the OS. A slab in
 * which a few blocks live long after the others are gone would keep all its pages otherwise.
 *
 * The blocks of such pages leave the free list, and `absent` in the slab's record remembers the
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

#include "heap.h"

/* How many bytes hak__holes_punch would give back, of the slabs that the heap allocates from or
 * will. Reads the free lists of those that have changed; of slabs of which less than a quarter is
 * free, where there is hardly a page to be found, only if `thorough`, or while the heap is short of
 * memory. */
size_t hak__holes_find(hak_heap *heap, bool thorough);

/* Gives back the pages without a block of all these slabs; returns how many bytes. */
size_t hak__holes_punch(hak_heap *heap, bool thorough);

/* Bytes of pages without a block in one slab. */
size_t hak__holes_of(const hak_slab *slab);

/* Searches one partial slab, if it has changed, and gives back the pages found in it; returns how
 * many bytes. `*read` grows by the free blocks that were read. */
size_t hak__holes_punch_slab(hak_heap *heap, hak_slab *slab, size_t *read);

/* Takes back as many absent pages of a slab as hold one block or more, and adds them to its free
 * list. False when that would pass the limit. */
bool hak__holes_fill(hak_heap *heap, hak_slab *slab);

#endif
