/* The heap: bins by size class over the slabs of its superslabs. This header holds the structure
 * and the whole hot path; adapters inline it, everybody else calls hakmem.h.
 *
 * A heap keeps itself in its nest, in front of its first blocks. */
#ifndef HAK_BLOCKS_H
#define HAK_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hakmem.h"
#include "heap/sizeclass.h"
#include "heap/slab.h"
#include "pages/pages.h"
#include "policy/policy.h"

/* Which slabs a heap has, by size class. */
typedef struct hak_lists {
    hak_slab *medium[HAK_MEDIUM_CLASSES]; /* to allocate from, above HAK_SMALL_MAX */
    /* Further slabs that have blocks to give, first opened first used: so that they have more than
     * the one that opened them when their turn comes. The first one's `prev` is the last. */
    hak_slab *partial[HAK_CLASSES];
    uint8_t idled[HAK_MEDIUM_CLASSES]; /* how many were retired for being empty */
} hak_lists;

extern const hak_lists hak__no_lists;

/* How many kinds of block a heap can keep apart: kinds.h. */
#define HAK_KINDS 6

/* The slabs that one kind of block has, or all kinds. */
typedef struct hak_bins {
    hak_slab *bin[HAK_SMALL_MAX / 8 + 1]; /* slab to allocate from, by size in steps of 8 bytes */
    hak_lists *lists;                     /* while there are none, hak__no_lists */
} hak_bins;

#define HAK_NEST_STEPS (((size_t)1 << HAK_UNIT_SHIFT) / 8)

/* Whoever looks on as a heap is used, and keeps something with it. */
typedef struct hak_onlooker {
    void (*ending)(hak_heap *heap); /* to be called before the heap goes */
} hak_onlooker;

/* Where a heap begins: see nest.h. */
typedef struct hak_nest {
    hak_slab *run;         /* its units; NULL: none yet */
    char *start;           /* of the run */
    uint32_t begin;        /* of the blocks, in bytes from the start */
    uint32_t carved;       /* where the next block will begin */
    uint32_t end;          /* of the room for blocks */
    uint32_t gap, gap_end; /* a free block that is being cut for smaller ones */
    uint32_t live;         /* blocks */
    uint64_t to_cut; /* bit set for each class with free blocks that may be cut for smaller ones */
    uint16_t free[HAK_CLASSES];           /* first free block, in steps of 8 bytes from the start */
    uint16_t reused[HAK_CLASSES];         /* blocks taken from there so far */
    uint64_t starts[HAK_NEST_STEPS / 64]; /* bit set where a block begins */
} hak_nest;

struct hak_heap {
    /* Read by every allocation and free. The records are those of the shared region; `units` is
     * the end of what this heap has ever held there, so that nothing beyond is taken for ours. On
     * a caller's memory and in spill regions it stays 0, and frees take the long way. */
    uintptr_t base;
    size_t units;
    hak_slab *slabs;
    union {
        hak_slab *bin[HAK_SMALL_MAX / 8 + 1]; /* those of … */
        hak_bins bins;                        /* … kind 0, or of all blocks */
    };

    hak_bins *sets[HAK_KINDS];           /* by kind; all are `bins` where … */
    struct hak_kinds *kinds;             /* … this is NULL, since kinds do not lie apart */
    hak_pages pages;                     /* what it holds of them */
    hak_heap *next_heap, *previous_heap; /* of the process */
    void *adapter;                       /* of whoever hands pointers of others to this heap */

    size_t loose; /* bytes of pages of partial slabs */
    hak_pace pace;
    size_t rests_until; /* a collection finds the program at rest before the allocation clock is
                         * here: settle.c; 0 after a large block */
    size_t refills, retires;
    hak_profile policy;    /* its profile, as the environment and its own options refine it: read by
                            * hak__policy */
    uint32_t vacant_pages; /* of partial slabs, found without a block: holes.h */
    uint32_t unsearched;   /* partial slabs not searched since they have changed */
    uint32_t given;        /* bit for each option of its own: policy/options.h */
    uint32_t searched_bins; /* the state of the bins when memory was last searched for: reclaim.c */
    uint8_t spacing;        /* of its size classes: an index of hak__spacings */
    bool changed : 1;       /* blocks have been freed since memory was searched for */
    size_t refusals;
    size_t starved_until; /* full slabs are used again at once before the allocation clock is here:
                           * set when memory was refused */
    const hak_hints *hints;
    char name[32];
    hak_onlooker *onlooker; /* NULL: nobody has ever looked on */
    hak_nest nest;
};

_Static_assert(sizeof(hak_heap) + sizeof(hak_superslab_lists) + sizeof(hak_lists) <= HAK_PAGE,
               "a heap and its lists fit a page");

/* The functions behind those of hakmem.h; adapters call them by these names. They are the
 * same ones but in an OBSERVE build, where hakmem.h's note each call and then call these:
 * insight/observed.c. */
#ifdef HAK_OBSERVE
hak_heap *hak__heap_new(const hak_heap_options *options);
void *hak__heap_zalloc(hak_heap *heap, size_t count, size_t size);
void *hak__heap_aligned_alloc(hak_heap *heap, size_t alignment, size_t size);
void *hak__heap_realloc(hak_heap *heap, void *block, size_t size);
#else
#define hak__heap_new           hak_heap_new
#define hak__heap_zalloc        hak_heap_zalloc
#define hak__heap_aligned_alloc hak_heap_aligned_alloc
#define hak__heap_realloc       hak_heap_realloc
#endif

/* The long ways: alloc.c and free.c. */
void *hak__heap_alloc_slow(hak_heap *heap, size_t size);
void *hak__heap_alloc_kind_slow(hak_heap *heap, unsigned kind, size_t size);
void hak__heap_free_event(hak_heap *heap, hak_slab *slab, void *block);
void hak__heap_free_outside(hak_heap *heap, void *block);

/* How many bytes the block at `p` can hold; 0 when it is not one of this heap's. */
size_t hak__heap_block_size(const hak_heap *heap, const void *p);

/* What a block is for: kinds.h. */
unsigned hak__heap_block_kind(const hak_heap *heap, const void *block);

/* In debug builds: ends the process if `block` is not one that `slab` handed out. */
#ifdef HAK_DEBUG
void hak__heap_check_free(hak_heap *heap, hak_slab *slab, void *block);
#else
static inline void hak__heap_check_free(hak_heap *heap, hak_slab *slab, void *block)
{
    (void)heap, (void)slab, (void)block;
}
#endif

/* What the heap trades between speed and memory: a constant where the build fixes it. */
static inline const hak_profile *hak__policy(const hak_heap *heap)
{
    const hak_profile *fixed = hak__profile_fixed();
    return fixed ? fixed : &heap->policy;
}

/* Whether memory was refused lately: then full slabs are used again at once. */
static inline bool hak__heap_starved(const hak_heap *heap)
{
    return heap->pace.clock < heap->starved_until;
}

/* The heap whose pages these are. */
static inline hak_heap *hak__heap_of_pages(const hak_pages *pages)
{
    return (hak_heap *)((char *)pages - offsetof(hak_heap, pages));
}

/* Whether the heap has lists: a young one does without. */
static inline bool hak__heap_has_lists(const hak_heap *heap)
{
    return heap->pages.supers != &hak__no_superslabs;
}

static inline const hak_spacing *hak__heap_spacing(const hak_heap *heap)
{
    return &hak__spacings[heap->spacing];
}

/* The functions of sizeclass.h, for the classes of a heap. */
static inline unsigned hak__heap_class_of(const hak_heap *heap, size_t size)
{
    return hak__class_of(size, hak__heap_spacing(heap));
}

static inline unsigned hak__heap_class_within(const hak_heap *heap, size_t size)
{
    return hak__class_within(size, hak__heap_spacing(heap));
}

static inline size_t hak__heap_class_size(const hak_heap *heap, unsigned index)
{
    return hak__class_size(index, hak__heap_spacing(heap));
}

/* The class of the largest blocks that lie in slabs. */
static inline unsigned hak__heap_last_class(const hak_heap *heap)
{
    return hak__heap_class_of(heap, HAK_MEDIUM_MAX);
}

/* One size class of one kind of block. */
typedef struct hak_bin_class {
    unsigned kind, index;
    size_t size; /* of its blocks */
} hak_bin_class;

static inline hak_bin_class hak__class_in(const hak_heap *heap, unsigned kind, unsigned index)
{
    return (hak_bin_class){kind, index, hak__heap_class_size(heap, index)};
}

static inline hak_bin_class hak__class_of_slab(const hak_slab *slab)
{
    return (hak_bin_class){slab->block_kind, slab->size_class, slab->block_size};
}

/* The slab that a class allocates from; hak__no_slab where there is none. */
static inline hak_slab *hak__heap_current(const hak_heap *heap, hak_bin_class class)
{
    const hak_bins *bins = heap->sets[class.kind];
    return class.size <= HAK_SMALL_MAX ? bins->bin[class.size / 8]
                                       : bins->lists->medium[class.index - HAK_MEDIUM_FIRST];
}

/* How many sets of bins the heap has. */
static inline unsigned hak__heap_sets(const hak_heap *heap)
{
    return heap->kinds ? HAK_KINDS : 1;
}

/* Whether `block` surely is one of this heap's in the shared region. */
static inline bool hak__heap_maps(const hak_heap *heap, const void *block)
{
    return ((uintptr_t)block - heap->base) >> HAK_UNIT_SHIFT < heap->units;
}

/* Allocates: one load for the slab, one for the block, one for its successor. */
static inline void *hak__heap_alloc(hak_heap *heap, size_t size)
{
    if (HAK_LIKELY(size <= HAK_SMALL_MAX)) {
        hak_slab *slab = heap->bin[(size + 7) / 8];
        if (HAK_LIKELY(slab->free != NULL)) return hak__slab_pop(slab);
    }
    return hak__heap_alloc_slow(heap, size);
}

/* The record of the unit in which a block lies for which that holds. */
static inline hak_slab *hak__heap_slab_of(const hak_heap *heap, const void *block)
{
    return &heap->slabs[((uintptr_t)block - heap->base) >> HAK_UNIT_SHIFT];
}

/* Frees a block for which hak__heap_maps holds. */
static inline void hak__heap_free_mapped(hak_heap *heap, void *block)
{
    hak_slab *slab = hak__heap_slab_of(heap, block);
    hak__heap_check_free(heap, slab, block);
    *(void **)block = slab->free;
    slab->free = block;
    if (HAK_UNLIKELY(hak__slab_count_free(slab))) hak__heap_free_event(heap, slab, block);
}

/* Frees any block of this heap but NULL. */
static inline void hak__heap_free(hak_heap *heap, void *block)
{
    if (HAK_LIKELY(hak__heap_maps(heap, block))) {
        hak__heap_free_mapped(heap, block);
    } else {
        hak__heap_free_outside(heap, block);
    }
}

/* The class whose blocks of `size` bytes lie at a multiple of `alignment`, above the granularity:
 * slabs with colours have none. */
static inline unsigned hak__heap_class_aligned(const hak_heap *heap, size_t size, size_t alignment)
{
    if (heap->hints->coloured && size <= HAK_SMALL_MAX) size = HAK_SMALL_MAX + 1;
    return hak__class_aligned(size, alignment, hak__heap_spacing(heap));
}

#endif
