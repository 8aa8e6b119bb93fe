/* A slab holds blocks of one size class; its record lies out of line, one cache line for each unit
 * of address space. A unit is 64 KiB in the shared region (16 in CPython's module, less on a
 * caller's memory); a slab or a span is a run of units, described by the record of the first.
 *
 * This header holds the record and what can be done knowing nothing but the record. */
#ifndef HAK_SLAB_H
#define HAK_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/os.h"

struct hak_heap;

typedef enum hak_slab_kind {
    HAK_UNIT_FREE = 0,
    HAK_SLAB_CURRENT, /* its heap allocates from it: in the heap's bin */
    HAK_SLAB_PARTIAL, /* has free blocks: in its class's list of such */
    HAK_SLAB_DRY,     /* has none, but uncarved or purged pages: in its class's list of such */
    HAK_SLAB_FULL,    /* has few free blocks or none: in no list */
    HAK_SPAN,         /* one block of whole pages */
    HAK_UNIT_NEST,    /* where a heap begins, with blocks of all sizes */
    HAK_UNIT_REMNANT, /* of no use: a slab's that is gone, with absent pages; the OS has refused to
                       * take the others */
    HAK_UNIT_INTERIOR /* not the first unit of its run */
} hak_slab_kind;

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
typedef struct hak_slab {
    void *free;                   /* list of free blocks, linked through their first word */
    int32_t countdown;            /* frees until the slow path looks at this slab, less one */
    uint32_t block_size;          /* bytes; 0 for spans */
    char *start;                  /* first byte of the run; of a slab, its first block */
    struct hak_slab *next, *prev; /* PARTIAL, DRY: in a list; CURRENT: next is the first dry one */
    union {
        struct {
            uint16_t carved;   /* blocks that have been handed to the list so far */
            uint16_t capacity; /* blocks that fit */
            uint16_t parked;   /* PARTIAL: live blocks beyond those that the countdown has */
            uint16_t vacant;   /* PARTIAL: bit for each page found without a block: holes.h */
        };
        uint64_t span_size; /* bytes in use of a span or nest */
    };
    uint32_t touched; /* bytes at the head of this one unit that were used since the last purge */
    uint32_t units;   /* in the run; for an interior unit: its distance from the first */
    uint8_t kind;     /* hak_slab_kind */
    uint8_t size_class;
    uint16_t asleep;    /* FULL: blocks that will be free when it wakes */
    uint16_t absent;    /* bit for each of its pages that was given back while it is in use */
    uint8_t block_kind; /* what its blocks are for: kinds.h */
    bool searched : 1;  /* PARTIAL: `vacant` has all such pages, until the countdown has run out */
    bool has_gaps : 1;  /* between groups of its blocks: layout.h */
} hak_slab;

_Static_assert(sizeof(hak_slab) == 64, "a slab record is one cache line");

#define HAK_SLAB_BLOCKS_MAX (((size_t)1 << HAK_UNIT_SHIFT) / 8) /* in one unit */
_Static_assert(HAK_SLAB_BLOCKS_MAX <= UINT16_MAX, "blocks are counted in 16 bits");

#define HAK_UNIT_PAGES 16 /* at most, of a unit that can have absent pages */
_Static_assert((size_t)1 << HAK_UNIT_SHIFT <= HAK_UNIT_PAGES * HAK_PAGE,
               "a bit for each page of a unit");

#define HAK_LEFT_FAR      ((uint32_t)1 << 30)
#define HAK_SLEEP_LIGHTLY 1 /* a full slab wakes with its first free block */

/* What an empty bin points to: a slab without blocks, never written. */
extern const hak_slab hak__no_slab;

/* Counts a free; true if the slow path has to look. */
static inline bool hak__slab_count_free(hak_slab *slab)
{
    return --slab->countdown < 0;
}

/* The frees that are left until then. */
static inline uint32_t hak__slab_left(const hak_slab *slab)
{
    return (uint32_t)slab->countdown + 1;
}

static inline void hak__slab_set_left(hak_slab *slab, uint32_t frees)
{
    slab->countdown = (int32_t)(frees - 1);
}

/* Puts the next `bytes` worth of never-used blocks, at least one, on the empty free list in the
 * order of their addresses. The caller has accounted for the pages: hak__slab_carve_end. */
void hak__slab_carve(hak_slab *slab, size_t bytes);

/* Where carving would end, in bytes from the start of the slab, a multiple of the page. */
size_t hak__slab_carve_end(const hak_slab *slab, size_t bytes);

/* Bytes at the head of a slab or span that hold, or have held, its blocks: whole pages. */
size_t hak__slab_used(const hak_slab *slab);

/* Bytes of pages that are given as bits of `absent`. */
static inline size_t hak__bytes_of_pages(uint32_t pages)
{
    return pages ? (size_t)__builtin_popcount(pages) * HAK_PAGE : 0;
}

/* How many blocks of a partial slab are with the program. */
static inline uint32_t hak__slab_partial_live(const hak_slab *slab)
{
    return hak__slab_left(slab) + slab->parked;
}

/* Of the bytes touched in a unit that is of no use, those that are absent. */
static inline size_t hak__slab_missing(const hak_slab *slab)
{
    return slab->kind == HAK_UNIT_REMNANT ? hak__bytes_of_pages(slab->absent) : 0;
}

/* The pages that a block lies in, `offset` bytes from the first, as bits of `absent`. */
uint32_t hak__slab_pages(const hak_slab *slab, size_t offset);

/* How many carved blocks lie in absent pages, wholly or in part: neither free nor with the program.
 */
size_t hak__slab_lost(const hak_slab *slab);

/* Takes absent pages back: the blocks that are whole again join the free list, in the order of
 * their addresses. */
void hak__slab_restore(hak_slab *slab, uint32_t pages);

/* Links the free list anew, in the order of the addresses; not of slabs of several units, whose
 * blocks are large. */
void hak__slab_sort(hak_slab *slab);

/* How many blocks are in the free list. */
size_t hak__slab_free_count(const hak_slab *slab);

/* How many blocks are with the program of a slab that has none free. */
static inline size_t hak__slab_dry_live(const hak_slab *slab)
{
    return slab->carved - hak__slab_lost(slab);
}

/* Makes a slab that has none free full: it is in no list, until so many of its blocks are free. */
static inline void hak__slab_sleep(hak_slab *slab, uint16_t frees)
{
    slab->kind = HAK_SLAB_FULL;
    slab->asleep = frees;
    hak__slab_set_left(slab, frees);
}

/* How many blocks are with the program of one that is full, but for those freed since. */
static inline size_t hak__slab_full_live(const hak_slab *slab)
{
    return hak__slab_dry_live(slab) - (slab->asleep - hak__slab_left(slab));
}

/* How many blocks of the slab are with the program, whatever its state. */
size_t hak__slab_live(const hak_slab *slab);

/* Whether the record is consistent; asserted in debug builds where slabs change hands. */
bool hak__slab_valid(const hak_slab *slab);

/* Takes the first block of a free list that is not empty. */
static inline void *hak__slab_pop(hak_slab *slab)
{
    void *block = slab->free;
    slab->free = *(void **)block;
    return block;
}

/* The record describing the run that `unit` belongs to. */
static inline hak_slab *hak__slab_head(hak_slab *unit)
{
    return unit->kind == HAK_UNIT_INTERIOR ? unit - unit->units : unit;
}

#endif
