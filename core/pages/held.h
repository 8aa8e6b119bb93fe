/* What a heap holds of pages: its superslabs and huge blocks, how many bytes they are, what of them
 * holds no block, and what it may hold at most. A heap contains it. Nothing here knows of bins, nor
 * of the heap: what has to be asked of it is handed to this room with the owner. */
#ifndef HAK_HELD_H
#define HAK_HELD_H

#include "pages/region.h"
#include "policy/policy.h"

/* Goes over the heap's units a few at a time. */
typedef struct hak_cursor {
    hak_superslab *super; /* NULL: begins anew */
    uint64_t passed;      /* units of that one */
} hak_cursor;

#define HAK_ROOMS 7 /* by the longest run of free units, from 1 to 64, in powers of two */
#define HAK_KEPT  4 /* lists of huge blocks that are kept, by size */

/* Which superslabs a heap has: superslabs.h; and huge blocks that are kept: kept.h. */
typedef struct hak_superslab_lists {
    hak_superslab *with_room[2 * HAK_ROOMS]; /* with free units; those with pages second */
    hak_superslab *owned, *tailed;           /* all; those with tails */
    hak_superslab *kept[HAK_KEPT];           /* huge blocks that are free; the latest first */
    hak_cursor cursor;
} hak_superslab_lists;

extern const hak_superslab_lists hak__no_superslabs;

/* Whose pages they are. */
typedef struct hak_pages_owner {
    /* Bytes at the head of a run that hold, or have held, its blocks: whole pages. */
    size_t (*used)(const struct hak_pages *pages, const hak_unit *run);
    /* The shared region's first so many units have been held, some of them, up to the last. */
    void (*reached)(struct hak_pages *pages, size_t units);
} hak_pages_owner;

typedef struct hak_pages {
    const hak_pages_owner *owner;
    const hak_profile *profile;  /* read by hak__pages_profile */
    hak_superslab_lists *supers; /* while there are none, hak__no_superslabs */
    hak_superslab *huge;         /* that live; one with some spare first: kept.h */
    hak_unit *single;            /* a unit that is in none of its superslabs, or NULL */
    hak_region *region;          /* the caller's memory, or NULL */
    size_t footprint, footprint_peak;
    size_t retained; /* of the footprint, bytes that hold no block and never will before they are
                      * used anew: free units, ends of units in use, retained huge blocks */
    size_t limit;    /* SIZE_MAX: none */
    size_t grace, grace_used;
    size_t short_of; /* bytes that the limit lacked when it last refused some */
    hak_demand demand;
    size_t purges;
    uint32_t super_count;
    uint16_t kept_back;        /* pages of the limit that the adapter keeps until one is refused */
    uint16_t purges_skipped;   /* how often the OS was not asked since the last time; … */
    uint8_t purge_pause;       /* … log2 of how often it is not … */
    uint8_t refusals_in_a_row; /* … after these, to take pages: unit_purge.h */
    bool at_once : 1;          /* pages go back at once, whatever the policy says */
    bool holds_back : 1;       /* a class with a slab is served: hak__reserve is not for it */
    bool may_be_dirty : 1;     /* pages that count as untouched may hold what was in them */
    bool keeps_whole : 1;      /* each of its superslabs is to be mapped whole: scatter.h */
    uint32_t growing;          /* number of the superslab that is short, from 1 on; 0: none */
} hak_pages;

/* What it trades between speed and memory: a constant where the build fixes it. */
static inline const hak_profile *hak__pages_profile(const hak_pages *pages)
{
    const hak_profile *fixed = hak__profile_fixed();
    return fixed ? fixed : pages->profile;
}

/* Bytes of one of its units. */
static inline size_t hak__pages_unit_size(const hak_pages *pages)
{
    return pages->region ? hak__unit_size(pages->region) : (size_t)1 << HAK_UNIT_SHIFT;
}

/* The region a run lies in. */
static inline hak_region *hak__region_of_run(const hak_pages *pages, const hak_unit *run)
{
    return pages->region ? pages->region : hak__region_of(run->start);
}

/* Bytes of a run in use. */
static inline size_t hak__pages_used(const hak_pages *pages, const hak_unit *run)
{
    return pages->owner->used(pages, run);
}

#endif
