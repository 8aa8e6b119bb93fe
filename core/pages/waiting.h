/* Superslabs and huge blocks that belong to no heap any more, and whose pages wait a little before
 * they go back to the OS: a program that works in bursts takes them again. (jemalloc calls that
 * decay.) These are lists and no more; the lock of the region is held around each call. */
#ifndef HAK_WAITING_H
#define HAK_WAITING_H

#include "pages/region.h"

/* Puts one with `bytes` of pages there, until so many ticks have passed. */
void hak__waiting_put(hak_superslab *super, size_t bytes, unsigned ticks);

/* Takes the superslab of slabs that came last; NULL when there is none. */
hak_superslab *hak__waiting_take(void);

/* Whether there is one. */
bool hak__waiting_has_slabs(void);

/* Takes the latest huge block of `size` to `most` bytes at a multiple of `align`; NULL when there
 * is none among the last few. */
hak_superslab *hak__waiting_take_huge(size_t size, size_t align, size_t most);

/* Takes the one that came first, of either kind; NULL when nothing waits, or, with `only_over`, it
 * has not waited long enough. */
hak_superslab *hak__waiting_take_first(bool only_over);

/* A tick has passed. */
void hak__waiting_tick(void);

/* Bytes of pages that wait. May be asked for without the lock. */
size_t hak__waiting_bytes(void);

#endif
