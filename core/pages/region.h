/* A region is a range of address space: superslabs of 64 units, with the records out of line. Three
 * kinds, which differ only in how they are made:
 *
 * - the shared region: one per process, grows in place (plan.h); heaps take superslabs from it
 * - spill regions, when it cannot grow: smaller, found by a search
 * - a caller's memory: belongs to one heap, in units of 4 KiB and more
 *
 * A superslab belongs to one heap, or its units are the nests of several heaps, or it is part of a
 * huge block. A heap needs no lock within its superslabs. Taking and returning superslabs
 * (supply.h, hugespace.h) needs the region's lock: one per process, safe across fork(). */
#ifndef HAK_REGION_H
#define HAK_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hakmem.h"
#include "pages/superslab.h"

/* The shared region; it has no superslabs if no place was found. Any thread may call. */
const hak_region *hak__region_shared(void);

/* The shared region, for hak__region_owner_of_unit. */
HAK_HIDDEN extern hak_region hak__shared;

/* The owner of the superslab with that unit of the shared region; NULL: none, or there are nests. A
 * block does not change its owner while it lives. */
static inline struct hak_pages *hak__region_owner_of_unit(size_t unit)
{
    return __atomic_load_n(&hak__shared.supers[unit / HAK_SUPERSLAB_UNITS].owner, __ATOMIC_RELAXED);
}

/* The shared or spill region with the mapped address `p`; NULL: none. Takes no lock. */
hak_region *hak__region_of(const void *p);

/* Purge pages at once (MADV_DONTNEED), or lazily (MADV_FREE). Refused and counted if they are not
 * all mapped in one region: madvise must never reach memory of others. */
bool hak__region_purge(void *start, size_t size);
bool hak__region_purge_lazily(void *start, size_t size);

/* Counts of the process. The region's lock is held. */
typedef struct hak_region_counts {
    size_t committed, reserved; /* bytes mapped for blocks; the same with the records */
    size_t spill_regions;       /* made so far */
    size_t purges_elsewhere;    /* purges refused: they would have reached memory of others */
} hak_region_counts;
hak_region_counts hak__region_counts(void);

/* Registers fork handlers that take the lock, once. hak__region_lock does so when the process has
 * threads. To be called before the handlers of a lock that is held while this one is taken, since
 * libc calls them in reverse order. */
void hak__region_respect_fork(void);

/* Lays out a region, and `control` bytes for the heap itself, in a caller's memory.
 * NULL: it is too small. */
hak_region *hak__region_on_memory(void *memory, size_t size, size_t control);

/* ------------------------------------------------------------------ for supply and hugespace */

/* Places the shared region, if that has not been done. */
void hak__region_start(void);

/* Guards everything below, and the records of superslabs that belong to no heap. */
void hak__region_lock(void);
void hak__region_unlock(void);

/* Iterates over the spill regions for slabs. `*slot` starts at 0. NULL: the end. */
hak_region *hak__region_next(size_t *slot);

/* Makes a spill region wherever the OS maps it. `dedicated`: for one huge block.
 * NULL: out of memory. */
hak_region *hak__region_spill(size_t superslabs, bool dedicated);

/* Takes a free superslab with at least `units` units mapped: clean, without blocks, its records
 * zero. NULL: out of memory. */
hak_superslab *hak__region_take_free(size_t units);

/* Marks superslabs from `index` on as taken for ever, since others have mapped there: `count` of
 * them, or, if not all of these are free, the half, and so on. */
void hak__region_lose(hak_region *region, size_t index, size_t count);

/* Marks `count` clean superslabs with zeroed records free. Unmaps spill regions that have no
 * mapped superslab left. */
void hak__region_make_free(hak_superslab *super, size_t count);

/* Purges the unit records of a superslab, which are all zero. */
void hak__region_drop_records(hak_superslab *super);

#endif
