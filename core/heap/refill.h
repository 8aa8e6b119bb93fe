/* Where the next slab of a class comes from when its bin runs dry. This is also where a heap looks
 * for memory it already has before it takes more. */
#ifndef HAK_REFILL_H
#define HAK_REFILL_H

#include "heap/blocks.h"

/* Gives a bin, whose slab has no free block, a slab that has some: one that frees have reopened,
 * the rest of the current one, or a new one. NULL when memory is exhausted. */
hak_slab *hak__refill(hak_heap *heap, hak_bin_class class);

#endif
