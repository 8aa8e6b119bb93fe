/* The units of a heap: runs of them are taken for slabs and spans and given back, and every page is
 * accounted for on the way.
 *
 * A unit that nobody uses keeps the pages it has touched until they are purged; they stay in the
 * heap's footprint and count as retained. */
#ifndef HAK_UNITS_H
#define HAK_UNITS_H

#include "pages/held.h"

/* Takes `count` adjacent units, from the heap's superslabs or a new one, as a run in that state,
 * the first at a multiple of `align` units, a power of two; on a caller's memory, 1. Records are
 * set, nothing is touched. The heap has lists. NULL when there is no such run to be had. */
hak_unit *hak__units_take(hak_pages *pages, size_t count, size_t align, hak_unit_state state);

/* The same, but only of units that are mapped already. */
hak_unit *hak__units_take_mapped(hak_pages *pages, size_t count, size_t align,
                                 hak_unit_state state);

/* Takes one unit for a slab of the class whose current slab is `last`, or an empty record: where
 * scatter.h says, but that units with pages come first. */
hak_unit *hak__units_take_scattered(hak_pages *pages, const hak_unit *last, hak_unit_state state);

/* Gives a run back. Its touched pages are retained. */
void hak__units_give(hak_pages *pages, hak_unit *run);

/* The same for a span, which may stay whole on the shelf (shelf.h); takes one from there, of which
 * nothing is accounted for as in use; NULL: there is none of `count` units; and frees the units of
 * all that are there. */
void hak__units_shelve(hak_pages *pages, hak_unit *span);
hak_unit *hak__units_take_shelved(hak_pages *pages, size_t count);
void hak__units_clear_shelf(hak_pages *pages);

/* Accounts for the bytes of a run from `begin` to `end`, multiples of the page, coming into use:
 * those that were never touched join the footprint, the others are no longer retained. False, and
 * no change, when that would pass the limit. */
bool hak__units_use(hak_pages *pages, hak_unit *run, size_t begin, size_t end);

/* The same for who knows already how many bytes were never touched: hak__units_untouched. */
bool hak__units_use_with(hak_pages *pages, hak_unit *run, size_t begin, size_t end, size_t more);

/* How much of that would join the footprint. */
size_t hak__units_untouched(const hak_pages *pages, const hak_unit *run, size_t begin, size_t end);

/* Accounts for the bytes of a run from `begin` to `end` being of no use any more. They are
 * retained. */
void hak__units_leave(hak_pages *pages, hak_unit *run, size_t begin, size_t end);

/* Makes a run `count` units long where it is. Growing fails when the next units are not free. */
bool hak__units_resize(hak_pages *pages, hak_unit *run, size_t count);

/* Adds a superslab's pages to what the heap holds, and takes them away again. A superslab whose
 * pages pass the limit, and cannot be purged, is given back: false. */
bool hak__units_adopt(hak_pages *pages, hak_superslab *super);

/* Takes a superslab from the heap and gives it to the supply, whose pool may keep `pool_max` bytes;
 * returns the bytes touched in it. Its blocks, if there are any, are gone. */
size_t hak__units_return(hak_pages *pages, hak_superslab *super, size_t pool_max);

/* The same, but its pages wait for so many milliseconds before they go: reaper.h. */
size_t hak__units_let_wait(hak_pages *pages, hak_superslab *super, size_t milliseconds);

#endif
