/* Pages of free units, and those behind the blocks of units in use, go back to the OS. */
#ifndef HAK_UNIT_PURGE_H
#define HAK_UNIT_PURGE_H

#include "pages/held.h"

/* Where the OS refuses to take pages (mlockall, seccomp) it is not asked for each piece: a purge
 * ends with so many refusals in a row. */
#define HAK_REFUSALS_MOST 4

static inline bool hak__purge_gave_up(const hak_pages *pages)
{
    return pages->refusals_in_a_row >= HAK_REFUSALS_MOST;
}

/* Begins a purge that somebody asks for. */
static inline void hak__purge_begin(hak_pages *pages)
{
    pages->refusals_in_a_row = 0;
}

/* Begins one that policy would have. False, and it is left out, for some time after the last was
 * refused: twice as many are left out each time. */
bool hak__purge_may_begin(hak_pages *pages);

/* Notes whether the OS has taken pages that it was given; returns `given`. */
bool hak__purge_answered(hak_pages *pages, bool given);

/* Gives pages of a heap's superslabs back as its policy says. False when the OS refuses, or the
 * purge has given up. */
bool hak__give_pages(hak_pages *pages, void *start, size_t size);

/* The same whatever the policy says. */
bool hak__give_pages_at_once(hak_pages *pages, void *start, size_t size);

/* Purges what is retained in a superslab, until that is at least `most` bytes, by as few calls as
 * possible; returns the bytes given back. */
size_t hak__units_purge(hak_pages *pages, hak_superslab *super, size_t most);

/* Purges one free unit. */
void hak__units_purge_one(hak_pages *pages, hak_superslab *super, size_t unit);

#endif
