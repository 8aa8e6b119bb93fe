/* The records of superslabs, and of the regions that they lie in: region.h. */
#ifndef HAK_SUPERSLAB_H
#define HAK_SUPERSLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pages/room.h"
#include "pages/unit.h"

#define HAK_SUPERSLAB_UNITS 64
#define HAK_SUPERSLAB_SIZE  ((size_t)HAK_SUPERSLAB_UNITS << HAK_UNIT_SHIFT) /* shared: 4 MiB */
#define HAK_SUPERS_A_LEAF                                                  \
    ((size_t)64) /* words of the room for superslabs: they touch few pages \
                  */

struct hak_pages;

typedef enum hak_superslab_type {
    HAK_SUPERSLAB_FREE = 0,
    HAK_SUPERSLAB_SLABS, /* cut into units by its heap */
    HAK_SUPERSLAB_NESTS, /* its units are nests, each of another heap, or free ones */
    HAK_SUPERSLAB_HUGE,  /* the first of a huge block */
    HAK_SUPERSLAB_TAIL   /* a further one of a huge block */
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
    struct hak_superslab *next, *prev; /* in a list of its owner; NESTS: of those with free units;
                                        * FREE: of those that are mapped */
    struct hak_superslab *next_owned, *previous_owned;   /* SLABS, packs: all of its owner's */
    struct hak_superslab *next_tailed, *previous_tailed; /* SLABS: those with tails;
                                                          * packs: with retained pages */
    union {
        size_t huge_size; /* HUGE: usable bytes, a multiple of the page */
        size_t pooled;    /* in the pool: bytes touched */
    };
    union {
        uint32_t count;    /* HUGE: superslabs of the block */
        uint32_t distance; /* TAIL: superslabs behind the first of the block */
    };
    uint8_t type;       /* hak_superslab_type */
    bool mapped;        /* readable and writable, the last one of a huge block up to its end */
    bool huge_retained; /* HUGE: freed, kept by its heap for the next such block */
    bool huge_moved;    /* HUGE: its pages have been moved here */
    uint8_t block_kind; /* HUGE: what it is for: heap/kinds.h */
    int8_t list;        /* SLABS, packs: which of its owner's lists: superslabs.h, packs.h */
    bool apart;         /* is or was short: its mapping joins no other: mapping.h */
    uint32_t over;      /* waiting: the tick at which it goes: waiting.h */
    size_t huge_mapped; /* HUGE: bytes from its start that are mapped */
    uint8_t units;      /* SLABS, NESTS: mapped units. Only they have bits */
    bool huge_packed;   /* HUGE: it is a pack: pack.h */
    uint8_t reserved[2];
    uint32_t pack_gap; /* HUGE: bytes of a pack's longest gap */
} hak_superslab;

_Static_assert(sizeof(hak_superslab) == 128, "a superslab record is two cache lines");

typedef struct hak_region {
    uintptr_t base;
    size_t superslabs;
    unsigned unit_shift;   /* log2 of a unit */
    bool grows;            /* the shared one: plan.h */
    bool fixed;            /* a caller's memory: no system call ever */
    bool dedicated;        /* made for one huge block, and released with it */
    hak_unit *slabs;       /* one record a unit */
    hak_superslab *supers; /* one record a superslab */
    void *control;         /* on a caller's memory: room for the heap itself */
    size_t ready;          /* unit records are mapped for that many superslabs */
    hak_room room;         /* free superslabs; on a caller's memory, free units */
    size_t huge_hint;      /* where to look for room for the next huge block */
    size_t units;          /* usable; on a caller's memory the last superslab may be cut short */
    size_t records;        /* bytes mapped for its records */
    size_t mapped;         /* superslabs */
} hak_region;

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

/* A bit for each mapped unit. */
static inline uint64_t hak__superslab_all(const hak_superslab *super)
{
    return hak__bits(0, super->units);
}

/* The bytes that are mapped of a superslab of units. */
static inline size_t hak__superslab_bytes(const hak_superslab *super)
{
    return (size_t)super->units << super->region->unit_shift;
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

/* A list that has an end too. */
typedef struct hak_superslab_line {
    hak_superslab *first, *last;
} hak_superslab_line;

static inline void hak__line_put_first(hak_superslab_line *line, hak_superslab *super)
{
    hak__superslab_push(&line->first, super);
    if (!line->last) line->last = super;
}

static inline void hak__line_put_last(hak_superslab_line *line, hak_superslab *super)
{
    super->next = NULL;
    super->prev = line->last;
    if (line->last) line->last->next = super;
    else line->first = super;
    line->last = super;
}

static inline void hak__line_remove(hak_superslab_line *line, hak_superslab *super)
{
    if (super == line->last) line->last = super->prev;
    hak__superslab_remove(&line->first, super);
}

static inline char *hak__superslab_start(const hak_superslab *super)
{
    return hak__unit_start(super->region, hak__superslab_index(super) * HAK_SUPERSLAB_UNITS);
}

#endif
