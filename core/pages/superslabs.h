/* The superslabs of a heap, found by the room that they have: in lists by the length of their
 * longest run of free units, in powers of two, those apart that have free units with pages. So a
 * run is found, and what could be purged, without a look at those that have none.
 *
 * Beside them all are in one list, as they came, and those in another of which units in use have
 * pages behind their blocks. */
#ifndef HAK_SUPERSLABS_H
#define HAK_SUPERSLABS_H

#include "pages/held.h"

/* Makes a superslab the heap's, or no longer. */
void hak__superslabs_add(hak_pages *pages, hak_superslab *super);
void hak__superslabs_remove(hak_pages *pages, hak_superslab *super);

/* The short superslab of the heap; NULL if there is none, or if it cannot grow. */
hak_superslab *hak__superslabs_growing(const hak_pages *pages);

/* Keeps a superslab in the list that fits it; to be told of each change of its free units, or of
 * those with pages. */
void hak__superslabs_changed(hak_pages *pages, hak_superslab *super);

/* Whether it is in that list. */
bool hak__superslabs_in_place(const hak_superslab *super);

/* Notes units in use that may have pages behind their blocks, or that they have none. */
void hak__superslabs_set_tails(hak_pages *pages, hak_superslab *super, uint64_t units);
void hak__superslabs_clear_tails(hak_pages *pages, hak_superslab *super, uint64_t units);

/* The first superslab of which all units are free, with pages, or without; NULL when there is none.
 * The next one follows by `next`. */
hak_superslab *hak__superslabs_unused(const hak_pages *pages, bool with_pages);

/* Goes over those with free units that have pages, the emptiest first. NULL begins, and ends. The
 * one before may have changed in between if `next` was asked for before that. */
hak_superslab *hak__superslabs_next_dirty(const hak_pages *pages, const hak_superslab *super);

/* Where a run begins. */
typedef struct hak_place {
    hak_superslab *super; /* NULL: nowhere */
    unsigned bit;
} hak_place;

/* Where `count` adjacent free units are (1 … 64), the first at a multiple of `align` units, a power
 * of two: with as many pages as can be had among the first few superslabs that have such a run,
 * and of the places where all have pages in the shortest free run; a single unit at the lowest. */
hak_place hak__superslabs_find(const hak_pages *pages, size_t count, size_t align);

/* A superslab with free units that have no pages, if there is one among the first of each list. */
hak_superslab *hak__superslabs_find_clean(const hak_pages *pages);

/* Moves the heap's cursor on: to the next unit in use of its superslab, or, with NULL, to the next
 * superslab. It goes round, so that who looks at a few slabs now and then comes to all. */
hak_unit *hak__superslabs_step(hak_pages *pages);

/* How often it is moved on until it has been round. */
static inline uint32_t hak__superslabs_round(const hak_pages *pages)
{
    return pages->super_count * (HAK_SUPERSLAB_UNITS + 1u);
}

#endif
