/* The packs of a heap: all of them in one list, those with a gap for a block in lists by their
 * longest gap, and those with retained pages in another. So no call goes over all packs. */
#ifndef HAK_PACK_LISTS_H
#define HAK_PACK_LISTS_H

#include "pages/held.h"
#include "pages/pack.h"

/* Adds a new pack without blocks, and removes one. */
void hak__pack_lists_add(hak_pages *pages, hak_superslab *super);
void hak__pack_lists_remove(hak_pages *pages, hak_superslab *super);

/* Keeps a pack in the lists that fit it; to be told of each change of its gaps, or of what it
 * retains. */
void hak__pack_lists_changed(hak_pages *pages, hak_superslab *super);

/* Whether it is in those lists. */
bool hak__pack_lists_in_place(const hak_pages *pages, const hak_superslab *super);

/* A pack with a gap for `size` bytes at a multiple of `align`, if there is one among the first of
 * each list: one with retained pages rather than another. */
hak_superslab *hak__pack_lists_find(const hak_pages *pages, size_t size, size_t align);

/* The first pack with retained pages; the next follows by `next_tailed`. */
hak_superslab *hak__pack_lists_retaining(const hak_pages *pages);

#endif
