/* The heaps of the process, except those on a caller's memory: for its statistics. */
#ifndef HAK_HEAPS_H
#define HAK_HEAPS_H

#include "heap/blocks.h"

/* To be called with each new heap, and before it is destroyed. Takes the region's lock. */
void hak__heaps_add(hak_heap *heap);
void hak__heaps_remove(hak_heap *heap);

/* Their number, and the sums of their bytes. The region's lock is held. */
typedef struct hak_heaps_sums {
    size_t heaps, footprint, retained;
} hak_heaps_sums;
hak_heaps_sums hak__heaps_sums(void);

#endif
