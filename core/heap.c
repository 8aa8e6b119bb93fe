#include "heap.h"

#include <errno.h>
#include <string.h>

#include "bins.h"
#include "holes.h"
#include "large.h"
#include "minislab.h"
#include "purge.h"
#include "units.h"

const hak_traits hak__traits_default = {.work_most = SIZE_MAX};

/* A free in a run of minislabs, which the fast path took for one in a slab. A class with many of
 * them moves on to a slab. */
static void free_in_mini(hak_heap *heap, hak_slab *run, void *block)
{
    run->free = NULL;
    run->left = 1;
    hak_slab *mini = hak__mini_of(heap, block);
    if (mini == &hak__no_slab) {
        hak__fatal("free", block, "no block lives there, or it is free already");
    }
    *(void **)block = mini->free;
    mini->free = block;
    if (--mini->left == 0) {
        hak__heap_free_event(heap, mini, block);
    } else if (mini->left < HAK_LEFT_FAR - HAK_MINI_FREES && mini->kind == HAK_SLAB_CURRENT) {
        hak__bins_outgrow(heap, mini);
    }
}

/* A free where no unit is in use. In a small region, huge blocks may lie below the end of what the
 * heap's slabs have reached; anything else is a mistake. */
static void free_huge_below(hak_heap *heap, hak_slab *unit, void *block)
{
    hak_region *region = hak__region_of(block);
    hak_superslab *super = region ? hak__superslab_of(region, block) : NULL;
    if (!super || super->kind != HAK_SUPERSLAB_HUGE || super->heap != heap) {
        hak__fatal("free", block, "no block lives there, or it is free already");
    }
    unit->free = NULL;
    unit->left = 1;
    hak__huge_free(heap, super, block);
}

void hak__heap_free_event(hak_heap *heap, hak_slab *slab, void *block)
{
    switch (slab->kind) {
    case HAK_SLAB_FULL: hak__bins_reopen(heap, slab); break;
    case HAK_SLAB_PARTIAL: hak__bins_retire(heap, slab); break;
    case HAK_SLAB_CURRENT: hak__bins_idle(heap, slab); break;
    case HAK_UNIT_MINI: free_in_mini(heap, slab, block); break;
    case HAK_SPAN: hak__span_free(heap, slab, block); break;
    case HAK_UNIT_INTERIOR: hak__fatal("free", block, "points into a block, not at its start");
    default: free_huge_below(heap, slab, block);
    }
}

/* ------------------------------------------------------------------ allocating and freeing */

/* Finds whatever memory the heap has; false if there is no more than before. */
static bool reclaim(hak_heap *heap)
{
    size_t found = hak__bins_wake(heap);
    found += hak__bins_retire_idle(heap);
    found += hak__holes_punch(heap, true);
    found += hak__purge_to(heap, 0);
    if (!heap->region) found += hak__region_flush();
    return found > 0;
}

/* Tries `allocate` again after that. */
#define WITH_RETRY(heap, result, allocate)                     \
    do {                                                       \
        (result) = (allocate);                                 \
        if (!(result) && reclaim(heap)) (result) = (allocate); \
        if (!(result)) errno = ENOMEM;                         \
    } while (0)

/* Whether no memory could ever hold `size` bytes: then none need be looked for. */
static bool impossible(size_t size)
{
    if (size <= PTRDIFF_MAX) return false;
    errno = ENOMEM;
    return true;
}

void *hak__heap_alloc_slow(hak_heap *heap, size_t size)
{
    if (impossible(size)) return NULL;
    if (size > HAK_MEDIUM_MAX) {
        void *block;
        WITH_RETRY(heap, block, hak__large_alloc(heap, size, HAK_PAGE, false));
        return block;
    }
    unsigned index = hak__class_of(size, heap->granularity);
    hak_slab *slab = heap->current[index];
    if (!slab->free) WITH_RETRY(heap, slab, hak__bins_refill(heap, index));
    if (!slab) return NULL;
    if (size > HAK_SMALL_MAX) hak__bins_count(slab);
    return hak__slab_pop(slab);
}

void *hak_heap_alloc(hak_heap *heap, size_t size)
{
    return hak__heap_alloc(heap, size);
}

void *hak_heap_zalloc(hak_heap *heap, size_t count, size_t size)
{
    size_t bytes;
    void *block;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    if (bytes > HAK_MEDIUM_MAX) {
        if (impossible(bytes)) return NULL;
        WITH_RETRY(heap, block, hak__large_alloc(heap, bytes, HAK_PAGE, true));
        return block;
    }
    block = hak__heap_alloc(heap, bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

void *hak_heap_aligned_alloc(hak_heap *heap, size_t alignment, size_t size)
{
    size_t most = heap->region ? HAK_PAGE : HAK_SUPERSLAB_SIZE;
    if (alignment == 0 || (alignment & (alignment - 1)) || alignment > most) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment <= heap->granularity) return hak__heap_alloc(heap, size);
    /* Slabs begin at a multiple of the page, so that every block of a class whose size is a
     * multiple of the alignment is aligned. */
    if (alignment <= HAK_PAGE && size <= HAK_MEDIUM_MAX - alignment) {
        size = (size + alignment - 1) & ~(alignment - 1);
        if (size == 0) size = alignment;
        size_t granularity = heap->granularity;
        size_t block_size = hak__class_size(hak__class_of(size, granularity), granularity);
        while (block_size % alignment) {
            block_size = hak__class_size(hak__class_of(block_size + 1, granularity), granularity);
        }
        return hak__heap_alloc(heap, block_size);
    }
    if (impossible(size)) return NULL;
    void *block;
    WITH_RETRY(heap, block, hak__large_alloc(heap, size ? size : 1, alignment, false));
    return block;
}

/* Where a block lies that is not in the hot path's range. */
typedef struct location {
    hak_slab *slab;      /* of a slab or span, or … */
    hak_superslab *huge; /* … a huge block; both NULL: not this heap's */
} location;

static hak_slab *slab_around(const hak_heap *heap, const hak_region *region, const void *p)
{
    hak_slab *run = hak__slab_head(&region->slabs[hak__unit_index(region, p)]);
    if (run->kind != HAK_UNIT_MINI) return run;
    hak_slab *mini = hak__mini_of(heap, p);
    return mini == &hak__no_slab ? NULL : mini;
}

static location locate(const hak_heap *heap, const void *p)
{
    hak_region *region = heap->region;
    if (region) {
        if (!hak__region_contains(region, p)) return (location){0};
        return (location){.slab = slab_around(heap, region, p)};
    }
    region = hak__region_of(p);
    if (!region) return (location){0};
    hak_superslab *super = hak__superslab_of(region, p);
    if (super->kind == HAK_SUPERSLAB_TAIL) super -= super->run;
    if (super->heap != heap) return (location){0};
    if (super->kind == HAK_SUPERSLAB_HUGE) return (location){.huge = super};
    if (super->kind != HAK_SUPERSLAB_SLABS) return (location){0};
    return (location){.slab = slab_around(heap, region, p)};
}

void hak__heap_free_outside(hak_heap *heap, void *block)
{
    location at = locate(heap, block);
    if (at.huge) {
        hak__huge_free(heap, at.huge, block);
    } else if (at.slab) {
        hak__heap_check_free(heap, at.slab, block);
        if (at.slab->mini) {
            free_in_mini(heap, heap->mini_run, block);
            return;
        }
        *(void **)block = at.slab->free;
        at.slab->free = block;
        if (--at.slab->left == 0) hak__heap_free_event(heap, at.slab, block);
    } else {
        hak__fatal("free", block, "not a block of this heap");
    }
}

#ifdef HAK_DEBUG
void hak__heap_check_free(hak_heap *heap, hak_slab *slab, void *block)
{
    location at = locate(heap, block);
    if (at.huge) return;
    if (at.slab != slab && !(at.slab && at.slab->mini)) {
        hak__fatal("free", block, "not a block of this heap");
    }
    slab = at.slab;
    if (!slab->block_size) return; /* spans and free units are checked by hak__heap_free_event */
    size_t offset = (size_t)((char *)block - slab->start);
    if (offset % slab->block_size)
        hak__fatal("free", block, "points into a block, not at its start");
    if (offset / slab->block_size >= slab->carved) {
        hak__fatal("free", block, "no block has been handed out there");
    }
    if (hak__slab_pages(slab, offset) & slab->absent) {
        hak__fatal("free", block, "this block is free already");
    }
    for (void *other = slab->free; other; other = *(void **)other) {
        if (other == block) hak__fatal("free", block, "this block is free already");
    }
}
#endif

void hak_heap_free(hak_heap *heap, void *block)
{
    if (block) hak__heap_free(heap, block);
}

size_t hak_heap_usable_size(hak_heap *heap, const void *block)
{
    if (!block) return 0;
    location at = locate(heap, block);
    if (at.huge && !at.huge->huge_retained) return at.huge->huge_size;
    if (!at.slab) hak__fatal("usable_size", block, "not a block of this heap");
    return at.slab->block_size ? at.slab->block_size : at.slab->span_size;
}

bool hak_heap_owns(const hak_heap *heap, const void *p)
{
    location at = locate(heap, p);
    if (at.huge) return !at.huge->huge_retained;
    return at.slab && at.slab->kind != HAK_UNIT_FREE;
}

bool hak_owns(const void *p)
{
    hak_region *region = hak__region_of(p);
    if (!region) return false;
    hak_superslab *super = hak__superslab_of(region, p);
    return super->heap && hak_heap_owns(super->heap, p);
}

/* ------------------------------------------------------------------ realloc */

void *hak_heap_realloc(hak_heap *heap, void *block, size_t size)
{
    if (!block) return hak__heap_alloc(heap, size);
    if (size == 0) {
        hak__heap_free(heap, block);
        return NULL;
    }
    if (impossible(size)) return NULL;
    location at = locate(heap, block);
    if (!at.huge && !at.slab) hak__fatal("realloc", block, "not a block of this heap");

    size_t had;
    if (at.slab && at.slab->block_size) {
        had = at.slab->block_size;
        if (size <= HAK_MEDIUM_MAX &&
            hak__class_of(size, heap->granularity) == at.slab->size_class) {
            return block;
        }
    } else {
        had = at.huge ? at.huge->huge_size : at.slab->span_size;
        if (size > HAK_MEDIUM_MAX) {
            void *resized = at.huge ? hak__huge_resize(heap, at.huge, size)
                                    : hak__span_resize(heap, at.slab, size);
            if (resized) return resized;
        }
    }
    void *other;
    if (size > had && size > HAK_MEDIUM_MAX) {
        WITH_RETRY(heap, other, hak__large_alloc_growing(heap, size));
    } else {
        other = hak__heap_alloc(heap, size);
    }
    if (!other) return size <= had ? block : NULL;
    memcpy(other, block, size < had ? size : had);
    hak__heap_free(heap, block);
    return other;
}

/* ------------------------------------------------------------------ the heap itself */

static bool bad(void)
{
    errno = EINVAL;
    return false;
}

static bool options_valid(const hak_heap_options *options)
{
    if (options->granularity && options->granularity != 8 && options->granularity != 16)
        return bad();
    if (options->profile && !hak__profile_named(options->profile)) return bad();
    if (options->memory && options->memory_size < HAK_MEMORY_MIN) return bad();
    if (!options->memory && options->memory_size) return bad();
    return true;
}

/* The superslab a new heap begins with. */
static hak_superslab *first_superslab(const hak_heap_options *options)
{
    if (!options->memory) return hak__region_take(NULL);
    hak_region *region = hak__region_on_memory(options->memory, options->memory_size);
    return region ? &region->supers[0] : NULL;
}

hak_heap *hak_heap_new(const hak_heap_options *options)
{
    static const hak_heap_options defaults;
    if (!options) options = &defaults;
    if (!options_valid(options)) return NULL;
    hak_superslab *first = first_superslab(options);
    if (!first) {
        errno = ENOMEM;
        return NULL;
    }
    hak_heap *heap = hak__superslab_control(first);
    *heap = (hak_heap){
        .base = options->memory ? 0 : hak__region_shared()->base,
        .slabs = options->memory ? NULL : hak__region_shared()->slabs,
        .region = options->memory ? first->region : NULL,
        .first = first,
        .granularity = options->granularity ? options->granularity : 16,
        .limit = options->limit ? options->limit : SIZE_MAX,
        .traits = &hak__traits_default,
        .profile = options->profile ? hak__profile_named(options->profile) : hak__profile_default(),
    };
    strncpy(heap->name, options->name ? options->name : "heap", sizeof heap->name - 1);
    heap->bin[0] = (hak_slab *)&hak__no_slab;
    for (unsigned i = 1; i < HAK_CLASSES; i++) hak__bins_set(heap, i, (hak_slab *)&hak__no_slab);
    if (heap->region) {
        hak_region *region = heap->region;
        for (size_t i = region->superslabs; i-- > 0;) hak__units_adopt(heap, &region->supers[i]);
    } else if (!hak__units_adopt(heap, first)) {
        errno = ENOMEM;
        return NULL;
    }
    return heap;
}

void hak_heap_destroy(hak_heap *heap)
{
    if (!heap || heap->region) return;
    size_t pool = heap->profile->pool;
    hak_superslab *first = heap->first;
    while (heap->huge) {
        hak_superslab *huge = heap->huge;
        heap->huge = huge->next;
        hak__region_give_huge(huge);
    }
    hak_superslab **lists[] = {&heap->supers, &heap->supers_full};
    for (size_t i = 0; i < 2; i++) {
        hak_superslab *next;
        for (hak_superslab *super = *lists[i]; super; super = next) {
            next = super->next;
            if (super != first) hak__region_give(super, hak__units_drop(heap, super), pool);
        }
    }
    /* The heap itself goes with its first superslab. */
    hak__region_give(first, hak__units_drop(heap, first), pool);
}

size_t hak_heap_trim(hak_heap *heap)
{
    size_t before = heap->footprint;
    hak__bins_retire_idle(heap);
    hak__holes_punch(heap, true);
    hak__purge_to(heap, 0);
    return before - heap->footprint + (heap->region ? 0 : hak__region_flush());
}

size_t hak_heap_settle(hak_heap *heap)
{
    size_t before = heap->footprint;
    if (heap->retained + hak__holes_find(heap) > hak__purge_bound(heap)) {
        hak__bins_retire_idle(heap);
        hak__holes_punch(heap, false);
    }
    hak__purge_excess(heap);
    return before - heap->footprint;
}

bool hak_heap_set_limit(hak_heap *heap, size_t bytes)
{
    if (bytes && heap->footprint > bytes) {
        hak_heap_trim(heap);
        if (heap->footprint > bytes) {
            errno = ERANGE;
            return false;
        }
    }
    heap->limit = bytes ? bytes : SIZE_MAX;
    return true;
}

size_t hak_heap_limit(const hak_heap *heap)
{
    return heap->limit == SIZE_MAX ? 0 : heap->limit;
}

void hak_heap_grace(hak_heap *heap, size_t bytes)
{
    heap->grace = bytes;
    if (bytes) heap->grace_used = heap->footprint > heap->limit ? heap->footprint - heap->limit : 0;
}

size_t hak_heap_grace_used(const hak_heap *heap)
{
    return heap->grace_used;
}

bool hak_heap_set_profile(hak_heap *heap, const char *name)
{
    const hak_profile *profile = name ? hak__profile_named(name) : NULL;
    if (!profile) return bad();
    heap->profile = profile;
    hak__purge_excess(heap);
    return true;
}

const char *hak_heap_profile(const hak_heap *heap)
{
    return heap->profile->name;
}

const char *hak_heap_name(const hak_heap *heap)
{
    return heap->name;
}

const char *hak_version(void)
{
    return HAK_VERSION;
}
