/* The short superslab of a heap: one that is mapped in part, and grows in place when a run does not
 * fit. The first superslab of a heap begins short; the others are whole. So many small heaps take
 * little address space. A large heap makes two or three calls more. */
#ifndef HAK_GROWTH_H
#define HAK_GROWTH_H

#include "pages/superslabs.h"

/* The units that must be mapped of the heap's next superslab, to hold a run of `count`. */
size_t hak__growth_least(const hak_pages *pages, size_t count);

/* Makes room in the short superslab for a run of `count` units aligned to `align`, behind all units
 * in use. Returns its place; none, with nothing changed, if it does not fit. */
hak_place hak__growth_find(hak_pages *pages, size_t count, size_t align);

/* Maps units [from, end) of a superslab, if it is the short one and no unit from `from` on is in
 * use. */
bool hak__growth_behind(hak_pages *pages, hak_superslab *super, size_t from, size_t end);

/* Maps `more` units of the short superslab, or all that are left. Returns it; NULL if there is
 * none, or if it cannot grow. */
hak_superslab *hak__growth_by(hak_pages *pages, size_t more);

#endif
