/* What the files that hand out superslabs share: supply.c and hugespace.c, on top of region.c. */
#ifndef HAK_REGION_INSIDE_H
#define HAK_REGION_INSIDE_H

#include "pages/region.h"

/* The shared region. */
extern hak_region hak__shared;

/* Reserves the shared region, the first time. */
void hak__region_start(void);

/* The lock of everything below, and of the superslabs' records while they belong to no heap. */
void hak__region_lock(void);
void hak__region_unlock(void);

/* The spill regions for slabs, one after the other: `*slot` begins at 0. NULL at the end. */
hak_region *hak__region_next(size_t *slot);

/* A further region, found by searching. NULL when memory is exhausted. */
hak_region *hak__region_spill(size_t superslabs, bool dedicated);

/* Gives a spill region's address space back. */
void hak__region_release(hak_region *region);

/* A free superslab, committed and clean, its records zero: no block lives there. It is no longer
 * free. NULL when memory is exhausted. */
hak_superslab *hak__region_take_free(void);

/* Notes whether a superslab can be touched. */
void hak__region_set_committed(hak_superslab *super, bool committed);

/* Counts a huge block whose pages have been moved, or is gone: its mapping never joins others. */
void hak__region_count_moved(int change);

/* Marks `count` clean superslabs free, whose records are zero. */
void hak__region_make_free(hak_superslab *super, size_t count);

/* Gives the pages of a superslab's records, which are all zero, back to the OS. */
void hak__region_drop_records(hak_superslab *super);

#endif
