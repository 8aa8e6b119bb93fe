/* Slabs that frees have emptied retire: their units are free for others. And what else the free at
 * the end of a slab's countdown means. */
#ifndef HAK_RETIRE_H
#define HAK_RETIRE_H

#include "heap/blocks.h"

/* Gives back a slab without a live block, which is in no list. */
void hak__retire(hak_heap *heap, hak_slab *slab);

/* Retires the current slabs that are empty, and trims the nest; an empty bin is filled again on
 * demand. Returns how many. */
size_t hak__retire_idle(hak_heap *heap);

/* Opens a full slab that has free blocks: it has been freed from often enough to be used again. */
void hak__slab_reopen(hak_heap *heap, hak_slab *slab);

/* A dry slab has a free block now. */
void hak__slab_moisten(hak_heap *heap, hak_slab *slab);

/* The countdown of a partial slab has run out: its last block has been freed, or one that makes it
 * worth being searched again. */
void hak__slab_run_down(hak_heap *heap, hak_slab *slab);

/* The counter of a current slab's frees has run out. One of medium blocks is empty, and retires
 * unless this has happened to its class before, and often: the class is busy then. */
void hak__slab_idle(hak_heap *heap, hak_slab *slab);

#endif
