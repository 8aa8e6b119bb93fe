/* Holes: pages that hold no block, inside a slab that is in use, given back to the OS. A slab in
 * which a few blocks live long after the others are gone would keep all its pages otherwise.
 *
 * The blocks of such pages leave the free list, and `absent` in the slab's record remembers the
 * pages. They come back like blocks that were never carved: when the list has run dry.
 *
 * Not on a caller's memory, where a page that is given back is of no use to anybody. */
#ifndef HAK_HOLES_H
#define HAK_HOLES_H

#include "heap.h"

/* Gives back the pages without a block of all slabs that the heap allocates from or will; returns
 * how many bytes. It reads all their free blocks: `thorough`, or only those of slabs where more
 * than a quarter is free. */
size_t hak__holes_punch(hak_heap *heap, bool thorough);

/* How many bytes hak__holes_punch, not thorough, would give back. */
size_t hak__holes_find(hak_heap *heap);

/* Takes back as many absent pages of a slab as hold one block or more, and adds them to its free
 * list. False when that would pass the limit. */
bool hak__holes_fill(hak_heap *heap, hak_slab *slab);

#endif
