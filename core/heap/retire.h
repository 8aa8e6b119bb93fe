/* Retiring empty slabs: their units become free. Also the other events at the end of a
 * slab's countdown. */
#ifndef HAK_RETIRE_H
#define HAK_RETIRE_H

#include "heap/blocks.h"

/* Frees the units of a slab without live blocks, which is in no list. */
void hak__retire(hak_heap *heap, hak_slab *slab);

/* Retires the empty current slabs and trims the nest. Empty bins are refilled on demand. Returns
 * how many slabs retired. */
size_t hak__retire_idle(hak_heap *heap);

/* A full slab has enough free blocks: makes it partial, or retires it if it is empty. */
void hak__slab_reopen(hak_heap *heap, hak_slab *slab);

/* A dry slab has a free block: makes it partial, or retires it if it is empty. */
void hak__slab_moisten(hak_heap *heap, hak_slab *slab);

/* The countdown of a partial slab has ended: the slab is empty and retires, or may be searched for
 * pages without a block again. */
void hak__slab_run_down(hak_heap *heap, hak_slab *slab);

/* The countdown of a current slab has ended. A slab of medium blocks is empty and retires, but only
 * the first IDLE_MOST times in a class: then the class counts as busy. */
void hak__slab_idle(hak_heap *heap, hak_slab *slab);

#endif
