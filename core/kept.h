/* Huge blocks that are free and kept, for the next ones: in lists by size. */
#ifndef HAK_KEPT_H
#define HAK_KEPT_H

#include "heap.h"

/* Keeps a huge block, which is in no list. It counts as retained. */
void hak__kept_put(hak_heap *heap, hak_superslab *huge);

/* Takes a kept block of at least `size` bytes at a multiple of `align`, cut down to `most` if it is
 * larger; it counts as in use, and is in no list. NULL when there is none. */
hak_superslab *hak__kept_take(hak_heap *heap, size_t size, size_t align, size_t most);

/* Gives kept blocks back to the OS, the largest first, until at most `keep` bytes of all are
 * retained. */
void hak__kept_purge_to(hak_heap *heap, size_t keep);

/* Gives `bytes` of them back, or what there is; of the last one only its end, where that leaves
 * enough of it. */
size_t hak__kept_purge_some(hak_heap *heap, size_t bytes);

#endif
