/* Superslabs and huge blocks that no heap owns and whose pages wait before they are purged: a
 * program that works in bursts reuses them. (jemalloc calls that decay.) Only lists; the caller
 * holds the region's lock around each call. */
#ifndef HAK_WAITING_H
#define HAK_WAITING_H

#include "pages/region.h"

/* Adds a superslab or huge block with `bytes` of touched pages. It is due after `ticks` ticks. */
void hak__waiting_put(hak_superslab *super, size_t bytes, unsigned ticks);

/* Takes the latest superslab of slabs; NULL: there is none. */
hak_superslab *hak__waiting_take(void);

/* Whether a superslab of slabs waits. */
bool hak__waiting_has_slabs(void);

/* Takes the latest huge block of `size` to `most` bytes at a multiple of `align` bytes; NULL: there
 * is none among the last 16. */
hak_superslab *hak__waiting_take_huge(size_t size, size_t align, size_t most);

/* Takes the oldest of both kinds. NULL if nothing waits; with `only_over`, also
 * if it is not due. */
hak_superslab *hak__waiting_take_first(bool only_over);

/* Counts a tick. */
void hak__waiting_tick(void);

/* Bytes of pages that wait. Needs no lock. */
size_t hak__waiting_bytes(void);

#endif
