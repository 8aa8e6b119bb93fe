/* The heaps of the process, but those on a caller's memory: for its statistics. */
#ifndef HAK_HEAPS_H
#define HAK_HEAPS_H

#include "heap/blocks.h"

/* To be told of each heap that is made, and before it goes. */
void hak__heaps_add(hak_heap *heap);
void hak__heaps_remove(hak_heap *heap);

/* How many there are, and what they hold. Under the lock. */
typedef struct hak_heaps_sums {
    size_t heaps, footprint, retained;
} hak_heaps_sums;
hak_heaps_sums hak__heaps_sums(void);

#endif
