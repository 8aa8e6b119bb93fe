/* Huge blocks that are free and kept, for the next ones: in lists by size. */
#ifndef HAK_KEPT_H
#define HAK_KEPT_H

#include "pages/held.h"

/* Keeps a huge block, which is in no list. It counts as retained. */
void hak__kept_put(hak_pages *pages, hak_superslab *huge);

/* Takes a kept block of at least `size` bytes at a multiple of `align`, cut down to `most` if it is
 * larger; it counts as in use, and is in no list. NULL when there is none. */
hak_superslab *hak__kept_take(hak_pages *pages, size_t size, size_t align, size_t most);

/* Takes the largest of at least `size` bytes, or one that waits to be given back and is not much
 * too large, for a block that will probably grow. What it has more is the block's spare: pages
 * behind it that it grows into, which stay retained until then. One block at a time has some; that
 * of another goes back. */
hak_superslab *hak__kept_take_to_grow(hak_pages *pages, size_t size);

/* Makes a block reach `size` bytes as far as its spare lasts; returns how many bytes it has got. */
size_t hak__kept_grow(hak_pages *pages, hak_superslab *huge, size_t size);

/* Makes bytes that a block has just got so, which were all its spare, its spare again. */
void hak__kept_ungrow(hak_pages *pages, hak_superslab *huge, size_t bytes);

/* The bytes of spare. */
static inline size_t hak__kept_spare(const hak_pages *pages)
{
    return pages->huge ? pages->huge->huge_spare : 0;
}

/* Gives a block's spare back to the OS. False where that is refused. */
bool hak__kept_drop_spare(hak_pages *pages, const hak_superslab *huge);

/* Gives kept blocks back to the OS, spare first, then the largest first, until at most `keep` bytes
 * of all are retained. Whole blocks only, which wait for so many milliseconds first, unless `wait`
 * is 0. */
void hak__kept_purge_to(hak_pages *pages, size_t keep, size_t wait);

/* Gives `bytes` of spare and of them back, or what there is; of the last one only its end, where
 * that leaves enough of it. */
size_t hak__kept_purge_some(hak_pages *pages, size_t bytes);

#endif
