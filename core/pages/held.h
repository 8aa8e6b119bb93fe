/* The pages of a heap: its superslabs and huge blocks, their bytes (footprint), which of them hold
 * no block (retained), and the limit. A heap contains this structure. This room knows neither bins
 * nor heaps: it calls the owner's functions (hak_pages_owner). */
#ifndef HAK_HELD_H
#define HAK_HELD_H

#include "pages/region.h"
#include "policy/policy.h"

/* A position in the heap's units, for scans that take a few units at a time. */
typedef struct hak_cursor {
    hak_superslab *super; /* NULL: the scan begins at the first superslab */
    uint64_t passed;      /* bit set for each unit of `super` already visited */
} hak_cursor;

#define HAK_ROOMS 7 /* lists by longest run of free units: 1, 2 to 3, 4 to 7 … 64 */
#define HAK_KEPT  4 /* lists of kept huge blocks, by size */
#define HAK_SHELF 6 /* units of the longest span that is kept whole: shelf.h */

/* The superslabs of a heap (superslabs.h), its kept huge blocks (kept.h), and its packs (packs.h).
 */
typedef struct hak_superslab_lists {
    hak_superslab *with_room[2 * HAK_ROOMS]; /* with free units: without pages, then with pages */
    hak_superslab *owned, *tailed;           /* all; those with `tails` */
    hak_superslab *kept[HAK_KEPT];           /* free huge blocks, the latest first */
    hak_superslab *packs;                    /* all: packs.h */
    hak_cursor cursor;
    uint32_t shelf[HAK_SHELF]; /* of each length, the first unit of the span put there last */
} hak_superslab_lists;

extern const hak_superslab_lists hak__no_superslabs;

/* The owner of pages. Called only by the thread that uses the heap. */
typedef struct hak_pages_owner {
    /* Bytes from the start of a run that hold, or have held, its blocks: a multiple of the page. */
    size_t (*used)(const struct hak_pages *pages, const hak_unit *run);
    /* The heap has got a superslab of the shared region whose last unit has index `units` - 1. */
    void (*reached)(struct hak_pages *pages, size_t units);
} hak_pages_owner;

typedef struct hak_pages {
    const hak_pages_owner *owner;
    const hak_profile *profile;  /* use hak__pages_profile */
    hak_superslab_lists *supers; /* hak__no_superslabs while the heap has none */
    hak_superslab *huge;         /* live huge blocks; one with spare comes first: kept.h */
    hak_unit *single;            /* a unit outside its superslabs (the nest), or NULL */
    hak_region *region;          /* the caller's memory, or NULL */
    size_t footprint, footprint_peak;
    size_t retained; /* bytes of the footprint that are free and still committed: free units,
                      * ends of units in use, kept huge blocks and spare */
    size_t limit;    /* bytes of footprint; SIZE_MAX: none */
    size_t grace, grace_used;
    size_t short_of; /* bytes by which the last request passed the limit, or 0 */
    hak_demand demand;
    size_t purges;
    uint32_t super_count;
    uint16_t adapter_reserve;  /* pages of the limit that the adapter has set aside */
    uint16_t purges_skipped;   /* purges left out since the last refusal */
    uint8_t purge_pause;       /* log2 of the purges to leave out before the next attempt */
    uint8_t refusals_in_a_row; /* calls that the OS refused in a row: unit_purge.h */
    bool at_once : 1;          /* purge with MADV_DONTNEED, whatever the policy says */
    bool leaves_reserve : 1; /* the request is for a class with a slab: leaves hak__class_reserve */
    bool may_be_dirty : 1;   /* after a lazy purge: untouched pages may have old contents */
    bool keeps_whole : 1;    /* all superslabs are mapped whole: scatter.h */
    uint32_t growing;        /* number of the short superslab, counted from 1; 0: none */
} hak_pages;

/* The profile; a constant if the build fixes it. */
static inline const hak_profile *hak__pages_profile(const hak_pages *pages)
{
    const hak_profile *fixed = hak__profile_fixed();
    return fixed ? fixed : pages->profile;
}

/* Bytes of a unit. */
static inline size_t hak__pages_unit_size(const hak_pages *pages)
{
    return pages->region ? hak__unit_size(pages->region) : (size_t)1 << HAK_UNIT_SHIFT;
}

/* The region of a run. Behind the unit records that are mapped for the shared region others may
 * have mapped theirs. */
static inline hak_region *hak__region_of_run(const hak_pages *pages, const hak_unit *run)
{
    size_t offset = (uintptr_t)run - (uintptr_t)hak__shared.slabs;
    size_t ready = __atomic_load_n(&hak__shared.ready, __ATOMIC_RELAXED);
    if (pages->region) return pages->region;
    return offset < ready * HAK_SUPERSLAB_UNITS * sizeof *run ? &hak__shared
                                                              : hak__region_of(run->start);
}

/* Bytes from the start of a run that its owner has in use: hak_pages_owner. */
static inline size_t hak__pages_used(const hak_pages *pages, const hak_unit *run)
{
    return pages->owner->used(pages, run);
}

#endif
