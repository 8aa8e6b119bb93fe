/* Kept huge blocks: freed, not returned to the OS, reused for later huge blocks.
 * In lists by size. */
#ifndef HAK_KEPT_H
#define HAK_KEPT_H

#include "pages/held.h"

/* Keeps a huge block that is in no list. Its pages count as retained. */
void hak__kept_put(hak_pages *pages, hak_superslab *huge);

/* Takes a kept block of at least `size` bytes at a multiple of `align` bytes. If it is larger than
 * `most` bytes, its end is purged, unless the OS refuses. It counts as in use and is in no list.
 * NULL: there is none. */
hak_superslab *hak__kept_take(hak_pages *pages, size_t size, size_t align, size_t most);

/* Takes a block for `size` bytes that will probably grow: the largest kept one, else one that waits
 * (waiting.h) and is at most 64 times as large. The bytes beyond `size` become its spare: pages
 * behind the block that it grows into, retained until then. Only one block has spare: that of
 * another is purged first. NULL: no block can be had. */
hak_superslab *hak__kept_take_to_grow(hak_pages *pages, size_t size);

/* Grows a block into its spare, up to `size` bytes; returns the bytes gained. */
size_t hak__kept_grow(hak_pages *pages, hak_superslab *huge, size_t size);

/* Undoes hak__kept_grow by `bytes`, which were all of the spare. */
void hak__kept_ungrow(hak_pages *pages, hak_superslab *huge, size_t bytes);

/* Bytes of spare in the heap. */
static inline size_t hak__kept_spare(const hak_pages *pages)
{
    return pages->huge ? pages->huge->huge_spare : 0;
}

/* Purges the spare of a block, if it has any. False when the OS refuses. */
bool hak__kept_drop_spare(hak_pages *pages, const hak_superslab *huge);

/* Purges until at most `keep` bytes of the heap are retained: the spare, then whole blocks, from
 * the list of the largest ones down. If `wait` is not 0, the spare stays, and blocks wait that many
 * milliseconds before they are purged. */
void hak__kept_purge_to(hak_pages *pages, size_t keep, size_t wait);

/* Purges at least `bytes`, or all there is: the spare, then blocks. The last block is only cut, if
 * at least 64 KiB of it remain. Returns the bytes purged. */
size_t hak__kept_purge_some(hak_pages *pages, size_t bytes);

#endif
