/* The heap: for each size class a bin, the slab that it allocates from. This header has the
 * structure and the whole hot path. Adapters inline it; all others call hakmem.h. A heap has one
 * user at a time; nothing here takes a lock.
 *
 * The structure lies in the heap's nest, in front of its first blocks. */
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

/* The slabs of a kind by size class, beside those in `bin`. */
typedef struct hak_lists {
    hak_slab *medium[HAK_MEDIUM_CLASSES]; /* current slabs of the classes above HAK_SMALL_MAX */
    /* Partial slabs: the first one opened is used first, so that more of its blocks are free by
     * then. The first one's `prev` is the last. */
    hak_slab *partial[HAK_CLASSES];
    uint8_t idled[HAK_MEDIUM_CLASSES]; /* empty slabs retired so far, at most IDLE_MOST: retire.c */
} hak_lists;

extern const hak_lists hak__no_lists;

/* Kinds of block that a heap can keep in separate slabs: kinds.h. */
#define HAK_KINDS 6

/* The bins of one kind of block, or of all kinds together. */
typedef struct hak_bins {
    hak_slab *bin[HAK_SMALL_MAX / 8 + 1]; /* current slab, by size in steps of 8 bytes */
    hak_lists *lists;                     /* hak__no_lists while the heap has none */
} hak_bins;

#define HAK_NEST_STEPS (((size_t)1 << HAK_UNIT_SHIFT) / 8)

/* An observer of the heap, of which a heap knows only this function. */
typedef struct hak_destroy_hook {
    void (*run)(hak_heap *heap); /* called before the heap is destroyed */
} hak_destroy_hook;

/* The heap's first blocks: nest.h. Offsets are bytes from `start`. */
typedef struct hak_nest {
    hak_slab *run;                        /* its units; NULL: not opened */
    char *start;                          /* first byte of the run */
    uint64_t to_cut;                      /* bit for each class with free blocks that may be cut */
    uint16_t begin;                       /* where the blocks begin */
    uint16_t live;                        /* live blocks */
    uint32_t carved;                      /* where the next block will begin */
    uint32_t end;                         /* end of the space for blocks */
    uint32_t gap, gap_end;                /* the free block that smaller ones are cut from */
    uint16_t free[HAK_CLASSES];           /* first free block, in steps of 8 bytes; 0: none */
    uint16_t reused[HAK_CLASSES];         /* counts blocks taken from that list: nest.c */
    uint64_t starts[HAK_NEST_STEPS / 64]; /* bit set for each 8 bytes at which a block begins */
} hak_nest;

/* The blocks that a free finds on the hot path. base, slabs: the shared region and its unit
 * records. units: index behind the last unit that the heap has held there, so that addresses behind
 * it are not taken for ours. On a caller's memory, and for a heap that has only spill regions,
 * units is 0: all frees take the slow path. */
typedef struct hak_reach {
    uintptr_t base;
    size_t units;
    hak_slab *slabs;
} hak_reach;

/* With this base, no address is in the range of the hot path. */
#define HAK_NO_BASE ((uintptr_t)1 << 63)

struct hak_heap {
    hak_pages pages; /* first, so that who owns a superslab is compared with the heap itself */
    const hak_hints *hints;

    /* Read by every allocation and free, from the start of a cache line on. */
    union {
        struct {
            uintptr_t base;
            size_t units;
            hak_slab *slabs;
        };
        hak_reach reach;
    };
    union {
        hak_slab *bin[HAK_SMALL_MAX / 8 + 1]; /* of `bins` */
        hak_bins bins;                        /* of kind 0, or of all blocks */
    };

    /* By kind; all are &bins if kinds of block share slabs. `open` is for the hot path; `sets`, by
     * which the slow paths go, is the same until the heap is guarded: guard.h. */
    hak_bins *open[HAK_KINDS], **sets;
    void *adapter;                       /* state of the adapter that uses this heap */
    hak_heap *next_heap, *previous_heap; /* list of the process's heaps */
    void *root;                          /* the block by which the adapter knows its VM */

    size_t partial_bytes; /* bytes of pages in use of partial slabs */
    hak_pace pace;
    size_t rests_until; /* while the allocation clock is before this, a collection finds the program
                         * at rest: settle.c; 0 after a large block */
    size_t refills, retires;
    hak_profile policy;     /* the profile refined by the environment and the heap's own options;
                             * use hak__policy */
    uint32_t vacant_pages;  /* pages of partial slabs known to hold no block: holes.h */
    uint32_t unsearched;    /* partial slabs not searched since they changed */
    uint32_t overrides;     /* bit for each option set for this heap: policy/options.h */
    uint32_t searched_bins; /* hash of the bins at the last search after a refusal: reclaim.c */
    uint8_t spacing;        /* index into hak__spacings: its size classes */
    uint8_t watched;        /* index into `bin` that stays empty, so that who allocates such a
                             * block takes the slow path; 0: none */
    bool kinds;             /* each kind of block has slabs of its own */
    bool changed;           /* a free took the slow path since the last search after a refusal */
    size_t refusals;
    size_t starved_until; /* while the allocation clock is before this, memory counts as refused
                           * lately: full slabs wake with their first free block */
    char name[32];
    hak_destroy_hook *destroy_hook; /* NULL: the heap was never observed */
    hak_nest nest;
};

_Static_assert(offsetof(hak_heap, pages) == 0 && offsetof(hak_heap, reach) % 64 == 0,
               "the hot path compares addresses, and finds what it reads in few lines");
_Static_assert(sizeof(hak_heap) + sizeof(hak_superslab_lists) + sizeof(hak_lists) <= HAK_PAGE,
               "a heap and its lists fit a page");

/* The functions behind those of hakmem.h, for adapters. They are the same, except in an OBSERVE
 * build: there hakmem.h's functions tell the observer and then call these (insight/observed.c). */
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

/* The slow paths: alloc.c and free.c. */
void *hak__heap_alloc_slow(hak_heap *heap, size_t size);
void *hak__heap_alloc_kind_slow(hak_heap *heap, unsigned kind, size_t size);
void hak__heap_free_event(hak_heap *heap, hak_slab *slab, void *block);
void hak__heap_free_outside(hak_heap *heap, void *block);

/* Bytes that the block at `p` can hold; 0 if it is no block of this heap. */
size_t hak__heap_block_size(const hak_heap *heap, const void *p);

/* The kind of a block: kinds.h. */
unsigned hak__heap_block_kind(const hak_heap *heap, const void *block);

/* Debug builds: aborts if `block` is not a live block of `slab`. */
#ifdef HAK_DEBUG
void hak__heap_check_free(hak_heap *heap, hak_slab *slab, void *block);
#else
static inline void hak__heap_check_free(hak_heap *heap, hak_slab *slab, void *block)
{
    (void)heap, (void)slab, (void)block;
}
#endif

/* The heap's profile; a constant if the build fixes it. */
static inline const hak_profile *hak__policy(const hak_heap *heap)
{
    const hak_profile *fixed = hak__profile_fixed();
    return fixed ? fixed : &heap->policy;
}

/* Whether memory was refused lately. */
static inline bool hak__heap_starved(const hak_heap *heap)
{
    return heap->pace.clock < heap->starved_until;
}

/* The heap that contains `pages`. */
static inline hak_heap *hak__heap_of_pages(const hak_pages *pages)
{
    return (hak_heap *)((char *)pages - offsetof(hak_heap, pages));
}

/* Whether the heap has lists. A young heap has none. */
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
    size_t size; /* bytes of a block */
} hak_bin_class;

static inline hak_bin_class hak__class_in(const hak_heap *heap, unsigned kind, unsigned index)
{
    return (hak_bin_class){kind, index, hak__heap_class_size(heap, index)};
}

static inline hak_bin_class hak__class_of_slab(const hak_slab *slab)
{
    return (hak_bin_class){slab->block_kind, slab->size_class, slab->block_size};
}

/* The current slab of a class; hak__no_slab: it has none. */
static inline hak_slab *hak__heap_current(const hak_heap *heap, hak_bin_class class)
{
    const hak_bins *bins = heap->sets[class.kind];
    size_t last = class.size / 8;
    return class.size <= HAK_SMALL_MAX ? bins->bin[last - (last == heap->watched)]
                                       : bins->lists->medium[class.index - HAK_MEDIUM_FIRST];
}

/* Whether each kind of block has slabs of its own: kinds.h. */
static inline bool hak__heap_keeps_kinds(const hak_heap *heap)
{
    return heap->kinds;
}

/* Sets of bins in the heap. */
static inline unsigned hak__heap_sets(const hak_heap *heap)
{
    return hak__heap_keeps_kinds(heap) ? HAK_KINDS : 1;
}

/* Whether a block of this heap lies in the range of the hot path: below the end of what the heap
 * has held in the shared region. */
static inline bool hak__heap_maps(const hak_heap *heap, const void *block)
{
    return ((uintptr_t)block - heap->base) >> HAK_UNIT_SHIFT < heap->units;
}

/* The hot path of an allocation: a load for the slab, one for the block, one for its successor.
 * NULL: take the slow path. */
static inline void *hak__heap_take(hak_heap *heap, size_t size)
{
    if (HAK_UNLIKELY(size > HAK_SMALL_MAX)) return NULL;
    hak_slab *slab = heap->bin[(size + 7) / 8];
    return HAK_LIKELY(slab->free != NULL) ? hak__slab_pop(slab) : NULL;
}

/* Whether blocks of that size are medium. */
static inline bool hak__heap_is_medium(size_t size)
{
    return size - HAK_SMALL_MAX - 1 < HAK_MEDIUM_MAX - HAK_SMALL_MAX;
}

/* The same for a medium block, outside the hot path. A guarded heap has none here. */
static inline void *hak__heap_take_medium(hak_heap *heap, size_t size)
{
    unsigned index = hak__heap_class_of(heap, size);
    hak_slab *slab = heap->bins.lists->medium[index - HAK_MEDIUM_FIRST];
    if (HAK_UNLIKELY(!slab->free)) return NULL;
    hak__slab_count_taken(slab);
    return hak__slab_pop(slab);
}

static inline void *hak__heap_alloc(hak_heap *heap, size_t size)
{
    void *block = hak__heap_take(heap, size);
    return HAK_LIKELY(block != NULL) ? block : hak__heap_alloc_slow(heap, size);
}

/* The record of the unit that a block lies in. hak__heap_maps holds for the block. */
static inline hak_slab *hak__heap_slab_of(const hak_heap *heap, const void *block)
{
    return &heap->slabs[((uintptr_t)block - heap->base) >> HAK_UNIT_SHIFT];
}

/* Puts a block into the list of its slab. True: hak__heap_free_event must follow. */
static inline bool hak__heap_put(hak_heap *heap, hak_slab *slab, void *block)
{
    hak__heap_check_free(heap, slab, block);
    *(void **)block = slab->free;
    slab->free = block;
    return hak__slab_count_free(slab);
}

/* Frees a block for which hak__heap_maps holds. */
static inline void hak__heap_free_mapped(hak_heap *heap, void *block)
{
    hak_slab *slab = hak__heap_slab_of(heap, block);
    if (HAK_UNLIKELY(hak__heap_put(heap, slab, block))) hak__heap_free_event(heap, slab, block);
}

/* Frees any block of this heap; not NULL. */
static inline void hak__heap_free(hak_heap *heap, void *block)
{
    if (HAK_LIKELY(hak__heap_maps(heap, block))) {
        hak__heap_free_mapped(heap, block);
    } else {
        hak__heap_free_outside(heap, block);
    }
}

/* The class for `size` bytes at a multiple of `alignment` bytes, which exceeds the granularity.
 * Slabs with colours do not align their blocks so: classes with such slabs are passed over. */
static inline unsigned hak__heap_class_aligned(const hak_heap *heap, size_t size, size_t alignment)
{
    if (heap->hints->coloured && size <= HAK_SMALL_MAX) size = HAK_SMALL_MAX + 1;
    return hak__class_aligned(size, alignment, hak__heap_spacing(heap));
}

#endif
