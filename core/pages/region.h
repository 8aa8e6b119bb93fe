/* A region is a range of address space cut into superslabs of 64 units, with the records of its
 * units out of line. Three kinds, told apart only when they are made:
 *   the shared region   one for the process, 1 TiB where the OS lets us; heaps take superslabs;
 *   spill regions       when the shared one is refused or full: smaller, found by a search;
 *   a caller's memory   the whole of it belongs to one heap, in units of 4 KiB and more.
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
#include "pages/room.h"
#include "pages/unit.h"

#define HAK_SUPERSLAB_UNITS 64
#define HAK_SUPERSLAB_SIZE  ((size_t)HAK_SUPERSLAB_UNITS << HAK_UNIT_SHIFT) /* shared: 4 MiB */

struct hak_pages;

typedef enum hak_superslab_type {
    HAK_SUPERSLAB_FREE = 0,
    HAK_SUPERSLAB_SLABS, /* cut into units by its heap */
    HAK_SUPERSLAB_NESTS, /* its units are nests, each of another heap, or free ones */
    HAK_SUPERSLAB_HUGE,  /* the first of a huge block */
    HAK_SUPERSLAB_TAIL,  /* a further one of a huge block */
    HAK_SUPERSLAB_LOST   /* its addresses may belong to others: never to be used again */
} hak_superslab_type;

typedef struct hak_superslab {
    uint64_t free;  /* SLABS, NESTS: bit set for each free unit */
    uint64_t dirty; /* bit set for each unit with touched pages; NESTS: free ones */
    union {
        uint64_t tails;    /* SLABS: units in use that may have pages behind their blocks */
        size_t huge_spare; /* HUGE: bytes behind it that it grows into: kept.h */
    };
    struct hak_pages *owner; /* NESTS: none */
    struct hak_region *region;
    struct hak_superslab *next, *prev; /* in a list of its owner; NESTS: of those with free units */
    struct hak_superslab *next_owned, *previous_owned;   /* SLABS: all of its owner's */
    struct hak_superslab *next_tailed, *previous_tailed; /* SLABS: those with tails */
    union {
        size_t huge_size; /* HUGE: usable bytes, a multiple of the page */
        size_t pooled;    /* in the pool: bytes touched */
    };
    uint32_t run;       /* HUGE: superslabs in the block; TAIL: distance from the first */
    uint8_t type;       /* hak_superslab_type */
    bool committed;     /* readable and writable */
    bool huge_retained; /* HUGE: freed, kept by its heap for the next such block */
    bool huge_moved;    /* HUGE: its pages have been moved here */
    uint8_t block_kind; /* HUGE: what it is for: heap/kinds.h */
    int8_t list;        /* SLABS: which of its owner's lists: superslabs.h */
    uint32_t over;      /* waiting: the tick at which it goes: waiting.h */
    uint8_t reserved[16];
} hak_superslab;

_Static_assert(sizeof(hak_superslab) == 128, "a superslab record is two cache lines");

typedef struct hak_region {
    uintptr_t base;
    size_t superslabs;
    unsigned unit_shift;   /* log2 of a unit */
    bool fixed;            /* a caller's memory: no system call ever */
    bool dedicated;        /* made for one huge block, and released with it */
    hak_unit *slabs;       /* one record a unit */
    hak_superslab *supers; /* one record a superslab */
    void *control;         /* on a caller's memory: room for the heap itself */
    size_t ready;          /* slab records are committed for that many superslabs */
    hak_room room;         /* free superslabs; on a caller's memory, free units */
    size_t huge_hint;      /* where to look for room for the next huge block */
    size_t units;          /* usable; on a caller's memory the last superslab may be cut short */
    void *mapping;         /* of a spill region: all of it, with the records */
    size_t mapping_size;
} hak_region;

/* The shared region; without superslabs when the OS refused it. */
const hak_region *hak__region_shared(void);

/* The region `p` lies in, shared or spill; NULL for any other pointer. Takes no lock. */
hak_region *hak__region_of(const void *p);

/* Gives pages back at once, or when the OS wants them. Refused, and counted, when they do not all
 * lie in one region: madvise must never reach memory that is not ours. */
bool hak__region_purge(void *start, size_t size);
bool hak__region_purge_lazily(void *start, size_t size);

/* What is known here of the process. The lock is held. */
typedef struct hak_region_counts {
    size_t committed, reserved; /* bytes */
    size_t spill_regions;       /* made so far */
    size_t purges_elsewhere;    /* refused, since they would have reached memory of others */
} hak_region_counts;
hak_region_counts hak__region_counts(void);

/* Keeps fork() from finding the lock held, as happens by itself once there are threads. To be
 * called before handlers are registered for a lock that is held while this one is taken: libc calls
 * them in the reverse order. */
void hak__region_respect_fork(void);

/* Whether the region has so many kernel mappings that there should not be more: their number is
 * limited for a process (vm.max_map_count, 65,530), and its threads need some too. */
bool hak__region_crowded(void);

/* Lays a region, and `control` bytes for the heap itself, out in a caller's memory. NULL when it is
 * too small. */
hak_region *hak__region_on_memory(void *memory, size_t size, size_t control);

/* ------------------------------------------------------------------ for those who hand superslabs
 * out */

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

/* ------------------------------------------------------------------ small accessors */

static inline size_t hak__unit_size(const hak_region *region)
{
    return (size_t)1 << region->unit_shift;
}

static inline size_t hak__unit_index(const hak_region *region, const void *p)
{
    return ((uintptr_t)p - region->base) >> region->unit_shift;
}

static inline char *hak__unit_start(const hak_region *region, size_t unit)
{
    return (char *)region->base + (unit << region->unit_shift);
}

static inline bool hak__region_contains(const hak_region *region, const void *p)
{
    return (uintptr_t)p - region->base < region->units << region->unit_shift;
}

static inline hak_superslab *hak__superslab_of(const hak_region *region, const void *p)
{
    return &region->supers[hak__unit_index(region, p) / HAK_SUPERSLAB_UNITS];
}

static inline size_t hak__superslab_index(const hak_superslab *super)
{
    return (size_t)(super - super->region->supers);
}

/* The records of a superslab's 64 units. */
static inline hak_unit *hak__superslab_slabs(const hak_superslab *super)
{
    return &super->region->slabs[hak__superslab_index(super) * HAK_SUPERSLAB_UNITS];
}

/* Bytes that have been touched of a superslab's free units. */
static inline size_t hak__superslab_retained(const hak_superslab *super)
{
    const hak_unit *slabs = hak__superslab_slabs(super);
    size_t bytes = 0;
    for (uint64_t rest = super->free & super->dirty; rest; rest &= rest - 1) {
        bytes += slabs[__builtin_ctzll(rest)].touched;
    }
    return bytes;
}

/* Puts a superslab in front of a list linked by `next` and `prev`, and takes it out. */
static inline void hak__superslab_push(hak_superslab **list, hak_superslab *super)
{
    super->prev = NULL;
    super->next = *list;
    if (*list) (*list)->prev = super;
    *list = super;
}

static inline void hak__superslab_remove(hak_superslab **list, hak_superslab *super)
{
    if (super->prev) super->prev->next = super->next;
    else *list = super->next;
    if (super->next) super->next->prev = super->prev;
}

static inline char *hak__superslab_start(const hak_superslab *super)
{
    return hak__unit_start(super->region, hak__superslab_index(super) * HAK_SUPERSLAB_UNITS);
}

#endif
