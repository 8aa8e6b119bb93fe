/* Blocks: the long ways of allocating and freeing, and of all that is done with one. */
#include "heap/blocks.h"

#include <errno.h>
#include <string.h>

#include "heap/bins.h"
#include "heap/check.h"
#include "heap/kinds.h"
#include "heap/large.h"
#include "heap/layout.h"
#include "heap/nest.h"
#include "heap/reclaim.h"

#define ALIGNMENT_MAX ((size_t)4 << 20)

/* A free in a nest, which the fast path took for one in a slab. */
static void free_in_nest(hak_heap *heap, hak_slab *run, void *block)
{
    run->free = NULL;
    hak__slab_set_left(run, 1);
    if (run != heap->nest.run) hak__fatal("free", block, "not a block of this heap");
    hak__nest_free(heap, block);
}

/* A free where no unit is in use. In a small region, huge blocks may lie below the end of what the
 * heap's slabs have reached; anything else is a mistake. */
static void free_huge_below(hak_heap *heap, hak_slab *unit, void *block)
{
    hak_region *region = hak__region_of(block);
    hak_superslab *super = region ? hak__superslab_of(region, block) : NULL;
    if (!super || super->kind != HAK_SUPERSLAB_HUGE || super->owner != &heap->pages) {
        hak__fatal("free", block, "no block lives there, or it is free already");
    }
    *unit = (hak_slab){0};
    hak__huge_free(heap, super, block);
}

/* Ends the process if no block of a slab begins there: what the record can tell. */
static void check_place(const hak_slab *slab, const void *block)
{
    if (!slab->block_size) return; /* not one of a slab */
    size_t offset = (size_t)((const char *)block - slab->start);
    size_t index = hak__layout_end_within(slab, offset);
    if (hak__layout_offset(slab, index) != offset)
        hak__fatal("free", block, "points into a block, not at its start");
    if (index >= slab->carved) hak__fatal("free", block, "no block has been handed out there");
    if (slab->absent && hak__slab_pages(slab, offset) & slab->absent)
        hak__fatal("free", block, "this block is free already");
}

void hak__heap_free_event(hak_heap *heap, hak_slab *slab, void *block)
{
    heap->changed = true;
    check_place(slab, block);
    switch (slab->kind) {
    case HAK_SLAB_FULL: hak__bins_reopen(heap, slab); break;
    case HAK_SLAB_PARTIAL: hak__bins_run_down(heap, slab); break;
    case HAK_SLAB_DRY: hak__bins_moisten(heap, slab); break;
    case HAK_SLAB_CURRENT: hak__bins_idle(heap, slab); break;
    case HAK_UNIT_NEST: free_in_nest(heap, slab, block); break;
    case HAK_SPAN: hak__span_free(heap, slab, block); break;
    case HAK_UNIT_INTERIOR: hak__fatal("free", block, "points into a block, not at its start");
    default: free_huge_below(heap, slab, block);
    }
    hak__heap_check_now_and_then(heap);
}

/* ------------------------------------------------------------------ allocating and freeing */

/* Tries `allocate`, and again each time that something was found that the heap can do without. */
#define WITH_RETRY(heap, result, allocate)                                    \
    do {                                                                      \
        unsigned step = 0;                                                    \
        (result) = (allocate);                                                \
        while (!(result) && hak__reclaim(heap, &step)) (result) = (allocate); \
        if (!(result)) errno = ENOMEM, (heap)->refusals++;                    \
    } while (0)

/* Whether no memory could ever hold `size` bytes: then none need be looked for. */
static bool impossible(size_t size)
{
    if (size <= PTRDIFF_MAX) return false;
    errno = ENOMEM;
    return true;
}

static void *alloc_large(hak_heap *heap, unsigned kind, size_t size)
{
    void *block;
    if (impossible(size)) return NULL;
    WITH_RETRY(heap, block, hak__large_alloc(heap, kind, size, HAK_PAGE, false));
    return block;
}

static void *alloc_from_slab(hak_heap *heap, hak_bin_class class)
{
    hak_slab *slab = hak__heap_current(heap, class);
    if (!slab->free) slab = hak__bins_refill(heap, class);
    if (!slab) return NULL;
    if (slab->block_size > HAK_SMALL_MAX) hak__bins_count(slab);
    return hak__slab_pop(slab);
}

static void *alloc_class(hak_heap *heap, hak_bin_class class)
{
    if (class.size <= HAK_SMALL_MAX || !hak__heap_current(heap, class)->free) {
        void *block = hak__nest_alloc(heap, class);
        if (block) return block;
    }
    return alloc_from_slab(heap, class);
}

void *hak__heap_alloc_kind_slow(hak_heap *heap, unsigned kind, size_t size)
{
    hak__heap_check_now_and_then(heap);
    if (!heap->kinds) kind = 0;
    if (size > HAK_MEDIUM_MAX) return alloc_large(heap, kind, size);
    hak_bin_class class = hak__class_in(heap, kind, hak__heap_class_of(heap, size));
    void *block;
    WITH_RETRY(heap, block, alloc_class(heap, class));
    return block;
}

/* A young heap takes this way with every block: the nest comes first, and short. */
void *hak__heap_alloc_slow(hak_heap *heap, size_t size)
{
    if (size <= HAK_SMALL_MAX && !heap->kinds) {
        unsigned index = hak__heap_class_of(heap, size);
        void *block = hak__nest_take(heap, index, hak__heap_class_size(heap, index));
        if (block) return block;
    }
    return hak__heap_alloc_kind_slow(heap, 0, size);
}

#ifndef HAK_OBSERVE
void *hak_heap_alloc(hak_heap *heap, size_t size)
{
    hak__heap_check_now_and_then(heap);
    return hak__heap_alloc(heap, size);
}

void hak_heap_free(hak_heap *heap, void *block)
{
    hak__heap_check_now_and_then(heap);
    if (block) hak__heap_free(heap, block);
}
#endif

void *hak__heap_zalloc(hak_heap *heap, size_t count, size_t size)
{
    hak__heap_check_now_and_then(heap);
    size_t bytes;
    void *block;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    if (bytes > HAK_MEDIUM_MAX) {
        if (impossible(bytes)) return NULL;
        WITH_RETRY(heap, block, hak__large_alloc(heap, 0, bytes, HAK_PAGE, true));
        return block;
    }
    block = hak__heap_alloc(heap, bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

void *hak__heap_aligned_alloc(hak_heap *heap, size_t alignment, size_t size)
{
    hak__heap_check_now_and_then(heap);
    size_t most = heap->pages.region ? HAK_PAGE : ALIGNMENT_MAX;
    if (alignment == 0 || (alignment & (alignment - 1)) || alignment > most) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment <= hak__heap_spacing(heap)->granularity) return hak__heap_alloc(heap, size);
    /* Slabs begin at a multiple of the page, unless they have colours, so that every block of a
     * class whose size is a multiple of the alignment is aligned. */
    if (alignment <= HAK_PAGE && size <= HAK_MEDIUM_MAX - alignment) {
        unsigned index = hak__heap_class_aligned(heap, size, alignment);
        void *block;
        WITH_RETRY(heap, block, alloc_from_slab(heap, hak__class_in(heap, 0, index)));
        return block;
    }
    if (impossible(size)) return NULL;
    void *block;
    WITH_RETRY(heap, block, hak__large_alloc(heap, 0, size ? size : 1, alignment, false));
    return block;
}

/* Where a block lies that is not in the hot path's range. */
typedef struct location {
    hak_slab *slab;      /* of a slab, a span or the nest, or … */
    hak_superslab *huge; /* … a huge block; both NULL: not this heap's */
} location;

static location locate(const hak_heap *heap, const void *p)
{
    if ((uintptr_t)p - (uintptr_t)heap->nest.start < heap->nest.end) {
        return (location){.slab = heap->nest.run};
    }
    hak_region *region = heap->pages.region ? heap->pages.region : hak__region_of(p);
    if (!region || !hak__region_contains(region, p)) return (location){0};
    hak_superslab *super = hak__superslab_of(region, p);
    if (super->kind == HAK_SUPERSLAB_TAIL) super -= super->run;
    hak_slab *unit = &region->slabs[hak__unit_index(region, p)];
    if (super->kind == HAK_SUPERSLAB_NESTS) {
        return (location){.slab = unit == heap->nest.run ? unit : NULL};
    }
    if (super->owner != &heap->pages) return (location){0};
    if (super->kind == HAK_SUPERSLAB_HUGE) return (location){.huge = super};
    if (super->kind != HAK_SUPERSLAB_SLABS) return (location){0};
    return (location){.slab = hak__unit_head(unit)};
}

void hak__heap_free_outside(hak_heap *heap, void *block)
{
    location at = locate(heap, block);
    if (at.huge) {
        heap->changed = true;
        hak__huge_free(heap, at.huge, block);
    } else if (at.slab) {
        hak__heap_check_free(heap, at.slab, block);
        check_place(at.slab, block);
        *(void **)block = at.slab->free;
        at.slab->free = block;
        if (hak__slab_count_free(at.slab)) hak__heap_free_event(heap, at.slab, block);
    } else {
        hak__fatal("free", block, "not a block of this heap");
    }
}

#ifdef HAK_DEBUG
void hak__heap_check_free(hak_heap *heap, hak_slab *slab, void *block)
{
    location at = locate(heap, block);
    if (at.huge) return;
    if (at.slab != slab) hak__fatal("free", block, "not a block of this heap");
    if (!slab->block_size) return; /* the others are checked by hak__heap_free_event */
    check_place(slab, block);
    for (void *other = slab->free; other; other = *(void **)other) {
        if (other == block) hak__fatal("free", block, "this block is free already");
    }
}
#endif

/* What a block is for. */
static unsigned kind_of(const hak_heap *heap, const location *at, const void *block)
{
    if (!heap->kinds) return 0;
    if (at->huge) return at->huge->block_kind;
    if (at->slab->kind == HAK_UNIT_NEST) return hak__nest_block_kind(heap, block);
    return at->slab->block_kind;
}

/* How many bytes the block at `p` can hold; 0 if it is not one. */
static size_t size_of(const hak_heap *heap, location at, const void *p)
{
    if (at.huge) return at.huge->huge_retained ? 0 : at.huge->huge_size;
    if (!at.slab) return 0;
    if (at.slab->kind == HAK_UNIT_NEST) return hak__nest_block_size(heap, p);
    if (!at.slab->block_size) return at.slab->span_size;
    size_t offset = (size_t)((const char *)p - at.slab->start);
    return offset < hak__layout_offset(at.slab, at.slab->carved) ? at.slab->block_size : 0;
}

size_t hak__heap_block_size(const hak_heap *heap, const void *p)
{
    return size_of(heap, locate(heap, p), p);
}

unsigned hak__heap_block_kind(const hak_heap *heap, const void *block)
{
    location at = locate(heap, block);
    return at.huge || at.slab ? kind_of(heap, &at, block) : 0;
}

size_t hak_heap_usable_size(hak_heap *heap, const void *block)
{
    hak__heap_check_now_and_then(heap);
    if (!block) return 0;
    size_t size = hak__heap_block_size(heap, block);
    if (size == 0) hak__fatal("usable_size", block, "not a block of this heap");
    return size;
}

bool hak_heap_owns(const hak_heap *heap, const void *p)
{
    location at = locate(heap, p);
    if (at.huge) return !at.huge->huge_retained;
    if (at.slab && at.slab == heap->nest.run) return hak__nest_holds(heap, p);
    return at.slab && at.slab->kind != HAK_UNIT_FREE && at.slab->kind != HAK_UNIT_REMNANT;
}

bool hak_owns(const void *p)
{
    hak_region *region = hak__region_of(p);
    if (!region) return false;
    hak_superslab *super = hak__superslab_of(region, p);
    if (super->kind == HAK_SUPERSLAB_NESTS) {
        const hak_slab *nest = &region->slabs[hak__unit_index(region, p)];
        return nest->kind == HAK_UNIT_NEST && hak_heap_owns((const hak_heap *)nest->start, p);
    }
    return super->owner && hak_heap_owns(hak__heap_of_pages(super->owner), p);
}

/* ------------------------------------------------------------------ realloc */

/* Makes a block `size` bytes long without copying it; NULL if that cannot be done. */
static void *resize(hak_heap *heap, const location *at, void *block, size_t had, size_t size)
{
    if (at->huge) return size > HAK_MEDIUM_MAX ? hak__huge_resize(heap, at->huge, size) : NULL;
    if (at->slab->kind == HAK_SPAN) {
        return size > HAK_MEDIUM_MAX ? hak__span_resize(heap, at->slab, size) : NULL;
    }
    if (size > HAK_MEDIUM_MAX) return NULL;
    if (heap->kinds && at->slab->kind == HAK_UNIT_NEST && size < HAK_KINDS_NEST_STEP) {
        size = HAK_KINDS_NEST_STEP;
    }
    bool fits = hak__heap_class_of(heap, size) == hak__heap_class_within(heap, had);
    if (!fits && size > had && at->slab->kind == HAK_UNIT_NEST) {
        fits = hak__nest_extend(heap, block, size);
    }
    return fits ? block : NULL;
}

/* A block to shrink into: where the heap would have to do without something for it, or do more than
 * that, the larger one may as well stay. */
static void *alloc_if_easy(hak_heap *heap, unsigned kind, size_t size)
{
    if (size > HAK_MEDIUM_MAX) return hak__large_alloc(heap, kind, size, HAK_PAGE, false);
    void *block = hak__heap_take_kind(heap, kind, size);
    if (block) return block;
    if (!heap->kinds) kind = 0;
    return alloc_class(heap, hak__class_in(heap, kind, hak__heap_class_of(heap, size)));
}

void *hak__heap_realloc(hak_heap *heap, void *block, size_t size)
{
    hak__heap_check_now_and_then(heap);
    if (!block) return hak__heap_alloc(heap, size);
    if (size == 0) {
        hak__heap_free(heap, block);
        return NULL;
    }
    if (impossible(size)) return NULL;
    location at = locate(heap, block);
    size_t had = size_of(heap, at, block);
    if (had == 0) hak__fatal("realloc", block, "not a block of this heap");
    void *resized = resize(heap, &at, block, had, size);
    if (resized) return resized;
    void *other;
    unsigned kind = kind_of(heap, &at, block);
    if (size <= had) {
        other = alloc_if_easy(heap, kind, size);
        if (!other) return block;
    } else if (size > HAK_MEDIUM_MAX) {
        WITH_RETRY(heap, other, hak__large_alloc_growing(heap, kind, size));
    } else {
        other = hak__heap_alloc_kind(heap, kind, size);
    }
    if (!other) return NULL;
    memcpy(other, block, size < had ? size : had);
    hak__heap_free(heap, block);
    return other;
}
