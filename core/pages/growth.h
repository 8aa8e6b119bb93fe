/* A heap's superslab that is short, which is mapped in part: it grows where it is when the heap has
 * no room. A heap's first one begins so, and the others are whole: so many small heaps take little
 * address space, and a large one makes two or three calls more. */
#ifndef HAK_GROWTH_H
#define HAK_GROWTH_H

#include "pages/superslabs.h"

/* Of how many units a heap's next superslab has to be mapped, if it is to have room for so many. */
size_t hak__growth_least(const hak_pages *pages, size_t count);

/* Makes room in the short superslab for a run as hak__superslabs_find finds them, behind all that
 * is in use. Nowhere, and no change, if there can be none. */
hak_place hak__growth_find(hak_pages *pages, size_t count, size_t align);

/* Makes units [from, end) of a superslab free, from which on none is in use, if it is the one that
 * grows. */
bool hak__growth_behind(hak_pages *pages, hak_superslab *super, size_t from, size_t end);

/* Maps so many more units, or all that are left, of the superslab that grows; NULL if there is
 * none, or it cannot. */
hak_superslab *hak__growth_by(hak_pages *pages, size_t more);

#endif
