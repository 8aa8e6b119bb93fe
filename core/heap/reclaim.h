/* Memory that a heap can do without: purged before it grows beyond its peak, and if the limit or
 * the OS refuses memory. */
#ifndef HAK_RECLAIM_H
#define HAK_RECLAIM_H

#include "heap/blocks.h"

/* Called before `bytes` more are touched: a heap that reaches a new peak first gives back what it
 * can do without, if it is time for that. */
void hak__reclaim_before_peak(hak_heap *heap, size_t bytes);

/* Gives back what the limit was short of when it last refused, of the pages that are retained but
 * not prewarmed. False, and nothing is given back, when these are not enough. */
bool hak__reclaim_short(hak_heap *heap);

/* After memory was refused: finds what the heap has, in steps, of which *step is the next one,
 * beginning with 0. False when there was nothing more to be found. What has not changed since the
 * last time is not gone through again. */
bool hak__reclaim(hak_heap *heap, unsigned *step);

/* Bytes of the footprint that a trim would not give back. */
size_t hak__reclaim_in_use(hak_heap *heap);

#endif
