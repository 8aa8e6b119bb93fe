/* A region is a range of address space cut into superslabs of 64 units, with the records of its
 * units out of line. Three kinds, told apart only when they are made:
 *
 * - the shared region: one for the process, which grows where it is (plan.h); heaps take superslabs
 * - spill regions, where it cannot grow: smaller, found by a search
 * - a caller's memory: the whole of it belongs to one heap, in units of 4 KiB and more
 *
 * A superslab belongs to one heap at a time, or its units to heaps that begin in them, or it is
 * part of a huge block. What a heap does within its superslabs needs no lock; taking them and
 * giving them back, in supply.h and hugespace.h, is done under one lock for the process, which
 * fork() respects.
 */
#ifndef HAK_REGION_H
#define HAK_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hakmem.h"
#include "pages/superslab.h"

/* The shared region; without superslabs when no place for it was found. */
const hak_region *hak__region_shared(void);

/* The region `p` lies in, shared or spill; NULL for any other pointer. Takes no lock. */
hak_region *hak__region_of(const void *p);

/* Gives pages back at once, or when the OS wants them. Refused, and counted, when they do not all
 * lie in one region: madvise must never reach memory that is not ours. */
bool hak__region_purge(void *start, size_t size);
bool hak__region_purge_lazily(void *start, size_t size);

/* What is known here of the process. The lock is held. */
typedef struct hak_region_counts {
    size_t committed, reserved; /* bytes: mapped for blocks; with the records */
    size_t spill_regions;       /* made so far */
    size_t purges_elsewhere;    /* refused, since they would have reached memory of others */
} hak_region_counts;
hak_region_counts hak__region_counts(void);

/* Keeps fork() from finding the lock held, as happens by itself once there are threads. To be
 * called before handlers are registered for a lock that is held while this one is taken: libc calls
 * them in the reverse order. */
void hak__region_respect_fork(void);

/* Lays a region, and `control` bytes for the heap itself, out in a caller's memory. NULL when it is
 * too small. */
hak_region *hak__region_on_memory(void *memory, size_t size, size_t control);

/* ------------------------------------------------------------------ for those who hand superslabs
 * out */

/* The shared region. */
extern hak_region hak__shared;

/* Finds a place for the shared region, the first time. */
void hak__region_start(void);

/* The lock of everything below, and of the superslabs' records while they belong to no heap. */
void hak__region_lock(void);
void hak__region_unlock(void);

/* The spill regions for slabs, one after the other: `*slot` begins at 0. NULL at the end. */
hak_region *hak__region_next(size_t *slot);

/* A further region, found by searching. NULL when memory is exhausted. */
hak_region *hak__region_spill(size_t superslabs, bool dedicated);

/* A free superslab, of which so many units at least are mapped, clean, its records zero: no block
 * lives there. It is no longer free. NULL when memory is exhausted. */
hak_superslab *hak__region_take_free(size_t units);

/* Superslabs from `index` on belong to others: as many as are free, up to `count`, are never taken
 * again. */
void hak__region_lose(hak_region *region, size_t index, size_t count);

/* Marks `count` clean superslabs free, whose records are zero. A spill region that has none mapped
 * then is gone. */
void hak__region_make_free(hak_superslab *super, size_t count);

/* Gives the pages of a superslab's records, which are all zero, back to the OS. */
void hak__region_drop_records(hak_superslab *super);

#endif
