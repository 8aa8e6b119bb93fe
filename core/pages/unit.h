/* A unit is the piece of address space that a heap takes at a time: 64 KiB in the shared region (16
 * in CPython's module, less on a caller's memory). Slabs and spans are runs of units. A unit's
 * record lies out of line, in one cache line; that of the first describes the run. Here are pages
 * looked at; what a slab's record says of its blocks is for the heap (heap/slab.h). */
#ifndef HAK_UNIT_H
#define HAK_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/os.h"

typedef enum hak_unit_state {
    HAK_UNIT_FREE = 0,
    HAK_SLAB_CURRENT, /* its heap allocates from it: in the heap's bin */
    HAK_SLAB_PARTIAL, /* has free blocks: in its class's list of such */
    HAK_SLAB_DRY,     /* has none, but uncarved or purged pages: in its class's list of such */
    HAK_SLAB_FULL,    /* has few free blocks or none: in no list */
    HAK_SPAN,         /* one block of whole pages */
    HAK_UNIT_NEST,    /* where a heap begins, with blocks of all sizes */
    HAK_UNIT_REMNANT, /* of no use: a slab's that is gone, with purged pages; the OS has refused to
                       * take the others */
    HAK_UNIT_INTERIOR /* not the first unit of its run */
} hak_unit_state;

/* What is left of a slab counts frees down to the next event: freeing needs one test for all.
 *   CURRENT  far away, since an empty current slab is kept (HAK_LEFT_FAR, renewed when reached);
 *            of medium blocks, which the hot path never hands out, the live ones: at 0 the slab
 *            is empty and may retire;
 *   PARTIAL  the live blocks: at 0 the slab is empty and retires; or, once it has been searched
 *            for pages without a block, the frees until there can be a further one, while `parked`
 *            has the other live blocks;
 *   DRY      1: with its first free block it becomes PARTIAL;
 *   FULL     the frees until it is worth using again, and becomes PARTIAL: so that a slab with a
 *            single hole is not taken up for it (snmalloc calls such slabs sleeping);
 *   all else 1: a span is freed by its first free, a nest has its own way, and anything else is a
 *            wild pointer. It is stored less one, so that a record of zeros says so too.
 * The hot path's allocating does not count: a current slab's live blocks are the carved ones that
 * are not in its list, and when the list runs dry they are all live. */
typedef struct hak_unit {
    void *free;                   /* list of free blocks, linked through their first word */
    int32_t countdown;            /* frees until the slow path looks at this slab, less one */
    uint32_t block_size;          /* bytes; 0 for spans */
    char *start;                  /* first byte of the run; of a slab, its first block */
    struct hak_unit *next, *prev; /* PARTIAL, DRY: in a list; CURRENT: next is the first dry one */
    union {
        struct {
            uint16_t carved;   /* blocks that have been handed to the list so far */
            uint16_t capacity; /* blocks that fit */
            uint16_t parked;   /* PARTIAL: live blocks beyond those that the countdown has */
            uint16_t vacant;   /* PARTIAL: bit for each page found without a block: heap/holes.h */
        };
        uint64_t span_size; /* bytes in use of a span or nest */
    };
    uint32_t touched; /* bytes at the head of this one unit that were used since the last purge */
    uint32_t units;   /* in the run; for an interior unit: its distance from the first */
    uint8_t state;    /* hak_unit_state */
    uint8_t size_class;
    uint16_t asleep;    /* FULL: blocks that will be free when it wakes */
    uint16_t purged;    /* bit for each of its pages that was given back while it is in use */
    uint8_t block_kind; /* what its blocks are for: heap/kinds.h */
    bool searched : 1;  /* PARTIAL: `vacant` has all such pages, until the countdown has run out */
    bool has_gaps : 1;  /* between groups of its blocks: heap/layout.h */
} hak_unit;

_Static_assert(sizeof(hak_unit) == 64, "a record is one cache line");

#define HAK_UNIT_PAGES 16 /* at most, of a unit that can have purged pages */
_Static_assert((size_t)1 << HAK_UNIT_SHIFT <= HAK_UNIT_PAGES * HAK_PAGE,
               "a bit for each page of a unit");

/* Bytes of pages that are given as bits of `purged`. */
static inline size_t hak__bytes_of_pages(uint32_t pages)
{
    return pages ? (size_t)__builtin_popcount(pages) * HAK_PAGE : 0;
}

/* Of the bytes touched in a unit that is of no use, those that are purged. */
static inline size_t hak__unit_missing(const hak_unit *unit)
{
    return unit->state == HAK_UNIT_REMNANT ? hak__bytes_of_pages(unit->purged) : 0;
}

/* How many bytes from the start of its run a slab's first block lies: its colour, less than a page.
 * Runs begin at a multiple of the page. */
static inline size_t hak__unit_colour(const hak_unit *run)
{
    return (uintptr_t)run->start & (HAK_PAGE - 1);
}

/* The first byte of a run. */
static inline char *hak__unit_base(const hak_unit *run)
{
    return run->start - hak__unit_colour(run);
}

/* The record describing the run that `unit` belongs to. */
static inline hak_unit *hak__unit_head(hak_unit *unit)
{
    return unit->state == HAK_UNIT_INTERIOR ? unit - unit->units : unit;
}

/* How many of the first `end` bytes of a run lie in its unit number `i`. */
static inline size_t hak__part_in_unit(size_t end, size_t i, size_t unit_size)
{
    size_t begin = i * unit_size;
    if (end <= begin) return 0;
    return end - begin < unit_size ? end - begin : unit_size;
}

#endif
