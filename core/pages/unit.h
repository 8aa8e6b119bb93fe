/* A unit is the smallest piece of address space that a heap takes: 64 KiB in the shared region (16
 * KiB in CPython's module, 4 KiB or more on a caller's memory). Slabs and spans are runs of units.
 * The record of a unit lies out of line, in one cache line; the record of a run's first unit
 * describes the run. This header covers the pages of a unit. The blocks of a slab belong to the
 * heap (heap/slab.h). */
#ifndef HAK_UNIT_H
#define HAK_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/os.h"

typedef enum hak_unit_state {
    HAK_UNIT_FREE = 0,
    HAK_SLAB_CURRENT, /* its class allocates from it */
    HAK_SLAB_PARTIAL, /* has free blocks; in its class's list */
    HAK_SLAB_DRY,     /* has no free block, but uncarved or purged pages; in its class's list */
    HAK_SLAB_FULL,    /* has no free block, or few; in no list */
    HAK_SPAN,         /* one block of whole pages */
    HAK_SPAN_SHELVED, /* freed, kept whole for the next one: shelf.h */
    HAK_UNIT_NEST,    /* the first unit of a heap: blocks of all sizes */
    HAK_UNIT_REMNANT, /* of a retired slab, partly purged: unusable until the OS, which refused,
                       * takes the other pages */
    HAK_UNIT_INTERIOR /* not the first unit of its run */
} hak_unit_state;

/* countdown + 1 frees remain until the slow path must look at this slab. One test covers every
 * state. The frees that remain:
 *   CURRENT  small blocks: HAK_LEFT_FAR, renewed when reached, since an empty current slab is kept.
 *            Medium blocks: the live ones, since the hot path never hands them out. At 0 the slab
 *            is empty and may retire.
 *   PARTIAL  the live blocks; at 0 the slab is empty and retires. After a search for pages without
 *            a block: the frees before there can be another such page; `parked` has the other live
 *            blocks.
 *   DRY      1: the first free block makes it PARTIAL.
 *   FULL     the frees until it becomes PARTIAL and is reused. A slab with a single hole is not
 *            reused (snmalloc calls such slabs sleeping).
 *   others   1: the first free frees a span, goes to the nest's own code, or reveals a wild
 *            pointer. countdown is stored less one, so that a record of zeros means the same.
 *
 * Allocations on the hot path are not counted. The live blocks of a CURRENT slab are its carved
 * blocks that are neither in its free list nor in purged pages. */
typedef struct hak_unit {
    void *free;                   /* free blocks, linked through their first word */
    int32_t countdown;            /* frees until the slow path, less one */
    uint32_t block_size;          /* bytes; 0 for spans */
    char *start;                  /* first byte of the run; slab: its first block */
    struct hak_unit *next, *prev; /* PARTIAL, DRY: in a list; CURRENT: next is the first DRY slab */
    union {
        struct {
            uint16_t carved;   /* blocks put on the free list so far */
            uint16_t capacity; /* blocks that fit */
            uint16_t parked;   /* PARTIAL: live blocks that the countdown leaves out */
            uint16_t vacant;   /* PARTIAL: bit for each page known to hold no block: heap/holes.h */
        };
        uint64_t span_size; /* span, nest: bytes in use */
    };
    uint32_t touched; /* bytes from the start of this unit touched since its last purge */
    uint32_t units;   /* units of the run; INTERIOR: units from the first one */
    uint8_t state;    /* hak_unit_state */
    uint8_t size_class;
    union {
        uint16_t asleep; /* FULL: frees it takes in all to become PARTIAL */
        uint16_t depth;  /* SHELVED: spans below it on the shelf */
    };
    uint16_t purged;    /* bit for each page purged while the unit was in use */
    uint8_t block_kind; /* kind of its blocks: heap/kinds.h */
    bool searched : 1;  /* PARTIAL: `vacant` is complete until the countdown ends */
    bool has_gaps : 1;  /* there are gaps between groups of blocks: heap/layout.h */
} hak_unit;

_Static_assert(sizeof(hak_unit) == 64, "a record is one cache line");

#define HAK_UNIT_PAGES 16 /* most pages of a unit that can have purged pages */
_Static_assert((size_t)1 << HAK_UNIT_SHIFT <= HAK_UNIT_PAGES * HAK_PAGE,
               "a bit for each page of a unit");

/* Bytes of the pages whose bits are set, as in `purged`. */
static inline size_t hak__bytes_of_pages(uint32_t pages)
{
    return pages ? (size_t)__builtin_popcount(pages) * HAK_PAGE : 0;
}

/* REMNANT: how many of its touched bytes are purged already. 0 in other states. */
static inline size_t hak__unit_missing(const hak_unit *unit)
{
    return unit->state == HAK_UNIT_REMNANT ? hak__bytes_of_pages(unit->purged) : 0;
}

/* The colour of a slab: bytes from the start of its run to its first block, less than a page. Runs
 * begin at a multiple of the page. */
static inline size_t hak__unit_colour(const hak_unit *run)
{
    return (uintptr_t)run->start & (HAK_PAGE - 1);
}

/* The first byte of a run. */
static inline char *hak__unit_base(const hak_unit *run)
{
    return run->start - hak__unit_colour(run);
}

/* The state, which may change while another thread asks for the run of a live block: but not from
 * or to HAK_UNIT_INTERIOR. */
static inline hak_unit_state hak__unit_state(const hak_unit *unit)
{
    return (hak_unit_state)__atomic_load_n(&unit->state, __ATOMIC_RELAXED);
}

static inline void hak__unit_set_state(hak_unit *unit, hak_unit_state state)
{
    __atomic_store_n(&unit->state, (uint8_t)state, __ATOMIC_RELAXED);
}

/* The record that describes the run of `unit`. */
static inline hak_unit *hak__unit_head(hak_unit *unit)
{
    return hak__unit_state(unit) == HAK_UNIT_INTERIOR ? unit - unit->units : unit;
}

/* How many of the first `end` bytes of a run lie in its unit `i`. */
static inline size_t hak__part_in_unit(size_t end, size_t i, size_t unit_size)
{
    size_t begin = i * unit_size;
    if (end <= begin) return 0;
    return end - begin < unit_size ? end - begin : unit_size;
}

#endif
