#include "heap.h"

#include <errno.h>
#include <string.h>

#include "bins.h"
#include "build.h"
#include "heaps.h"
#include "holes.h"
#include "hugespace.h"
#include "kinds.h"
#include "large.h"
#include "nest.h"
#include "observe.h"
#include "options.h"
#include "purge.h"
#include "retain.h"
#include "supply.h"
#include "units.h"

/* What is kept of a limit for classes without a slab. */
#define RESERVE_PART 32
#define RESERVE_MOST ((size_t)64 * 1024)

const hak_traits hak__traits_default = {.work_most = SIZE_MAX};

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
    if (!super || super->kind != HAK_SUPERSLAB_HUGE || super->heap != heap) {
        hak__fatal("free", block, "no block lives there, or it is free already");
    }
    *unit = (hak_slab){0};
    hak__huge_free(heap, super, block);
}

void hak__heap_free_event(hak_heap *heap, hak_slab *slab, void *block)
{
    switch (slab->kind) {
    case HAK_SLAB_FULL: hak__bins_reopen(heap, slab); break;
    case HAK_SLAB_PARTIAL: hak__bins_retire(heap, slab); break;
    case HAK_SLAB_CURRENT: hak__bins_idle(heap, slab); break;
    case HAK_UNIT_NEST: free_in_nest(heap, slab, block); break;
    case HAK_SPAN: hak__span_free(heap, slab, block); break;
    case HAK_UNIT_INTERIOR: hak__fatal("free", block, "points into a block, not at its start");
    default: free_huge_below(heap, slab, block);
    }
}

/* ------------------------------------------------------------------ allocating and freeing */

/* Finds whatever memory the heap has; false if there is no more than before. */
static bool reclaim(hak_heap *heap)
{
    size_t before = heap->footprint;
    size_t found = hak__nest_come_back(heap) + hak__bins_wake(heap);
    found += hak__bins_retire_idle(heap);
    hak__holes_punch(heap, true);
    hak__purge_to(heap, 0);
    if (!heap->region) found += hak__supply_shrink(0);
    return found > 0 || heap->footprint < before;
}

/* Tries `allocate` again after that. */
#define WITH_RETRY(heap, result, allocate)                     \
    do {                                                       \
        (result) = (allocate);                                 \
        if (!(result) && reclaim(heap)) (result) = (allocate); \
        if (!(result)) errno = ENOMEM, (heap)->refusals++;     \
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

static void *alloc_from_slab(hak_heap *heap, unsigned kind, unsigned index)
{
    hak_slab *slab = hak__heap_current(heap, kind, index);
    if (!slab->free) slab = hak__bins_refill(heap, kind, index);
    if (!slab) return NULL;
    if (slab->block_size > HAK_SMALL_MAX) hak__bins_count(slab);
    return hak__slab_pop(slab);
}

static void *alloc_class(hak_heap *heap, unsigned kind, unsigned index, size_t size)
{
    if (size <= HAK_SMALL_MAX || !hak__heap_current(heap, kind, index)->free) {
        void *block = hak__nest_alloc(heap, kind, index, size);
        if (block) return block;
    }
    return alloc_from_slab(heap, kind, index);
}

void *hak__heap_alloc_kind_slow(hak_heap *heap, unsigned kind, size_t size)
{
    if (!heap->kinds) kind = 0;
    if (size > HAK_MEDIUM_MAX) return alloc_large(heap, kind, size);
    unsigned index = hak__class_of(size, heap->granularity);
    void *block;
    size = hak__class_size(index, heap->granularity);
    WITH_RETRY(heap, block, alloc_class(heap, kind, index, size));
    return block;
}

void *hak__heap_alloc_slow(hak_heap *heap, size_t size)
{
    return hak__heap_alloc_kind_slow(heap, 0, size);
}

#ifndef HAK_OBSERVE
void *hak_heap_alloc(hak_heap *heap, size_t size)
{
    return hak__heap_alloc(heap, size);
}

void hak_heap_free(hak_heap *heap, void *block)
{
    if (block) hak__heap_free(heap, block);
}
#endif

void *hak__heap_zalloc(hak_heap *heap, size_t count, size_t size)
{
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
    size_t most = heap->region ? HAK_PAGE : HAK_SUPERSLAB_SIZE;
    if (alignment == 0 || (alignment & (alignment - 1)) || alignment > most) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment <= heap->granularity) return hak__heap_alloc(heap, size);
    /* Slabs begin at a multiple of the page, so that every block of a class whose size is a
     * multiple of the alignment is aligned. */
    if (alignment <= HAK_PAGE && size <= HAK_MEDIUM_MAX - alignment) {
        unsigned index = hak__class_aligned(size, alignment, heap->granularity);
        void *block;
        WITH_RETRY(heap, block, alloc_from_slab(heap, 0, index));
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
    hak_region *region = heap->region ? heap->region : hak__region_of(p);
    if (!region || !hak__region_contains(region, p)) return (location){0};
    hak_superslab *super = hak__superslab_of(region, p);
    if (super->kind == HAK_SUPERSLAB_TAIL) super -= super->run;
    hak_slab *unit = &region->slabs[hak__unit_index(region, p)];
    if (super->kind == HAK_SUPERSLAB_NESTS) {
        return (location){.slab = unit == heap->nest.run ? unit : NULL};
    }
    if (super->heap != heap) return (location){0};
    if (super->kind == HAK_SUPERSLAB_HUGE) return (location){.huge = super};
    if (super->kind != HAK_SUPERSLAB_SLABS) return (location){0};
    return (location){.slab = hak__slab_head(unit)};
}

void hak__heap_free_outside(hak_heap *heap, void *block)
{
    location at = locate(heap, block);
    if (at.huge) {
        hak__huge_free(heap, at.huge, block);
    } else if (at.slab) {
        hak__heap_check_free(heap, at.slab, block);
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
    return at.slab->block_size ? at.slab->block_size : at.slab->span_size;
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
    return at.slab && at.slab->kind != HAK_UNIT_FREE;
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
    return super->heap && hak_heap_owns(super->heap, p);
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
    size_t granularity = heap->granularity;
    if (heap->kinds && at->slab->kind == HAK_UNIT_NEST && size < HAK_KINDS_NEST_STEP) {
        size = HAK_KINDS_NEST_STEP;
    }
    bool fits = hak__class_of(size, granularity) == hak__class_within(had, granularity);
    if (!fits && size > had && at->slab->kind == HAK_UNIT_NEST) {
        fits = hak__nest_extend(heap, block, size);
    }
    return fits ? block : NULL;
}

void *hak__heap_realloc(hak_heap *heap, void *block, size_t size)
{
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
    if (size > had && size > HAK_MEDIUM_MAX) {
        WITH_RETRY(heap, other, hak__large_alloc_growing(heap, kind, size));
    } else {
        other = hak__heap_alloc_kind(heap, kind, size);
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

/* Refines a profile by a heap's own options, of which `given` has a bit for each. */
static bool refine(hak_profile *policy, uint32_t *given, const char *settings, char *message,
                   size_t size)
{
    uint32_t set = 0;
    if (!hak__options_refine(policy, &set, settings, message, size)) return false;
    if (set & ~hak__options_lasting()) policy->name = hak__profile_named("custom")->name;
    *given |= set;
    return true;
}

/* Whether the options are valid; then what they ask for is known too. */
static bool options_valid(const hak_heap_options *options, hak_profile *policy, uint32_t *given)
{
    if (options->granularity && options->granularity != 8 && options->granularity != 16)
        return bad();
    if (options->profile && !hak_profile_valid(options->profile, NULL, 0)) return false;
    hak__options_profile(options->profile, policy);
    *given = options->profile != NULL;
    if (options->settings && !refine(policy, given, options->settings, NULL, 0)) return false;
    if (options->memory && options->memory_size < HAK_MEMORY_MIN) return bad();
    if (!options->memory && options->memory_size) return bad();
    return true;
}

/* What a heap begins with. */
typedef struct heap_head {
    hak_heap heap;
    hak_kinds kinds; /* if it keeps them apart */
} heap_head;

static size_t head_size(bool kinds)
{
    return ((kinds ? sizeof(heap_head) : sizeof(hak_heap)) + 15) & ~(size_t)15;
}

/* A heap in a nest of its own. */
static hak_heap *heap_in_nest(bool kinds)
{
    hak_slab *nest = hak__supply_take_nest();
    if (!nest) return NULL;
    const hak_region *shared = hak__region_shared();
    heap_head *head = (heap_head *)nest->start;
    hak_heap *heap = &head->heap;
    *heap = (hak_heap){
        .base = shared->base,
        .slabs = shared->slabs,
        .limit = SIZE_MAX,
        .bins.lists = (hak_lists *)&hak__no_lists,
    };
    if (hak__region_contains(shared, heap)) heap->units = hak__unit_index(shared, heap) + 1;
    hak__kinds_open(heap, kinds ? &head->kinds : NULL);
    hak__nest_open(heap, nest, head_size(kinds));
    size_t own = hak__nest_own_pages(heap);
    if (nest->touched < own) nest->touched = (uint32_t)own;
    heap->footprint = heap->retained = nest->touched - own;
    return heap;
}

static hak_heap *heap_on_memory(void *memory, size_t size, bool kinds)
{
    size_t head_end = head_size(kinds), lists = hak__kinds_lists_size(kinds);
    hak_region *region = hak__region_on_memory(memory, size, head_end + lists);
    if (!region) return NULL;
    heap_head *head = region->control;
    hak_heap *heap = &head->heap;
    *heap = (hak_heap){.region = region, .limit = SIZE_MAX};
    hak__kinds_open(heap, kinds ? &head->kinds : NULL);
    hak__kinds_clear_lists(heap, (char *)head + head_end);
    hak__kinds_set_lists(heap, (char *)head + head_end);
    for (size_t i = region->superslabs; i-- > 0;) hak__units_adopt(heap, &region->supers[i]);
    return heap;
}

/* `bytes` 0: none. */
static void limit(hak_heap *heap, size_t bytes)
{
    size_t reserve = bytes / RESERVE_PART & ~(HAK_PAGE - 1);
    heap->limit = bytes ? bytes : SIZE_MAX;
    heap->reserve = reserve < RESERVE_MOST ? reserve : RESERVE_MOST;
}

hak_heap *hak_heap_new(const hak_heap_options *options)
{
    static const hak_heap_options defaults;
    if (!options) options = &defaults;
    hak_profile policy;
    uint32_t given;
    if (!options_valid(options, &policy, &given)) return NULL;
    hak_heap *heap = options->memory
                         ? heap_on_memory(options->memory, options->memory_size, policy.kinds)
                         : heap_in_nest(policy.kinds);
    if (!heap) {
        errno = ENOMEM;
        return NULL;
    }
    heap->granularity = options->granularity ? options->granularity : 16;
    limit(heap, options->limit);
    if (heap->footprint > heap->limit) hak__nest_purge(heap);
    hak__charge(heap, 0);
    heap->traits = &hak__traits_default;
    heap->policy = policy;
    heap->given = given;
    if (!heap->region) hak__heaps_add(heap);
    if (hak__options_prewarm()) hak_heap_prewarm(heap, hak__options_prewarm());
    strncpy(heap->name, options->name ? options->name : "heap", sizeof heap->name - 1);
    for (size_t i = 0; i <= HAK_SMALL_MAX / 8; i++) heap->bin[i] = (hak_slab *)&hak__no_slab;
    if (HAK_OBSERVE_BUILD) hak__observe_begin(heap);
    return heap;
}

void hak_heap_destroy(hak_heap *heap)
{
    if (!heap) return;
    hak__observe_drop(heap);
    if (heap->region) return;
    size_t pool = hak__policy(heap)->pool;
    hak__heaps_remove(heap);
    while (heap->huge) {
        hak_superslab *huge = heap->huge;
        heap->huge = huge->next;
        hak__hugespace_give(huge);
    }
    hak_superslab **lists[] = {&heap->supers, &heap->supers_full};
    for (size_t i = 0; i < 2; i++) {
        while (*lists[i]) {
            hak_superslab *super = *lists[i];
            hak__units_return(heap, super, pool);
        }
    }
    hak__supply_give_nest(heap->nest.run, pool);
}

size_t hak_heap_trim(hak_heap *heap)
{
    size_t before = heap->footprint;
    heap->at_once = true;
    heap->prewarmed = 0;
    hak__bins_retire_idle(heap);
    hak__holes_punch(heap, true);
    hak__purge_to(heap, 0);
    heap->at_once = false;
    return before - heap->footprint + (heap->region ? 0 : hak__supply_shrink(0));
}

size_t hak_heap_prewarm(hak_heap *heap, size_t bytes)
{
    size_t touched = 0;
    while (!heap->region && touched < bytes) {
        size_t more = hak__units_prewarm(heap, bytes - touched);
        if (more == 0) break;
        touched += more;
    }
    heap->prewarmed += touched;
    return touched;
}

/* Gives back what is above the bound, holes too, and what the program has not come to use for some
 * time. */
static void settle(hak_heap *heap)
{
    size_t before = heap->footprint, bound = hak__retain_bound(heap);
    size_t most = heap->retained + heap->loose + hak__bins_pages(heap);
    if (most > bound && heap->retained + hak__holes_find(heap) > bound) {
        hak__retain_learn(heap);
        hak__bins_retire_idle(heap);
        hak__holes_punch(heap, false);
        hak__retain_released(heap, before);
    }
    hak__purge_excess(heap);
    size_t needed = hak__retain_needed(heap), least = hak__policy(heap)->retain_least;
    if (needed < SIZE_MAX - least && heap->retained > needed + least)
        hak__purge_to(heap, needed + least / 2);
}

size_t hak_heap_settle(hak_heap *heap)
{
    hak__nest_settle(heap);
    /* Minor cycles are frequent: the program should have done something in between. */
    if (heap->work - heap->settled_at < heap->footprint) return 0;
    heap->settled_at = heap->work;
    size_t before = heap->footprint;
    settle(heap);
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
    limit(heap, bytes);
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

/* Gives back what the heap's policy would not have retained, of what an earlier one has. */
static void comply(hak_heap *heap)
{
    if (hak__policy(heap)->decommit == HAK_DECOMMIT_OFF) return;
    heap->prewarmed = 0;
    hak__bins_retire_idle(heap);
    heap->recent_peak = heap->footprint - heap->retained;
    heap->released = (hak_release){0};
    if (heap->retained + heap->loose > hak__retain_bound(heap)) hak__holes_punch(heap, false);
    hak__purge_to(heap, hak__retain_bound(heap));
    if (!heap->region) hak__supply_shrink(hak__policy(heap)->pool);
}

bool hak_heap_set_profile(hak_heap *heap, const char *name)
{
    hak_profile policy;
    if (!hak_profile_valid(name, NULL, 0)) return false;
    hak__options_profile(name, &policy);
    policy.kinds = heap->policy.kinds;
    heap->policy = policy;
    heap->given = 1 | (heap->given & hak__options_lasting());
    comply(heap);
    return true;
}

bool hak_heap_configure(hak_heap *heap, const char *settings, char *message, size_t size)
{
    hak_profile policy = heap->policy;
    uint32_t given = heap->given;
    if (!refine(&policy, &given, settings, message, size)) return false;
    if (!hak__options_may_follow(&heap->policy, &policy, message, size)) return false;
    heap->policy = policy;
    heap->given = given;
    comply(heap);
    return true;
}

const char *hak_heap_profile(const hak_heap *heap)
{
    return hak__policy(heap)->name;
}

size_t hak_options(const hak_heap *heap, hak_option *options, size_t most)
{
    hak_profile profile;
    if (heap) return hak__options_list(hak__policy(heap), heap->given, options, most);
    hak__options_profile(NULL, &profile);
    return hak__options_list(&profile, 0, options, most);
}

const char *hak_heap_name(const hak_heap *heap)
{
    return heap->name;
}

const char *hak_version(void)
{
    return HAK_VERSION;
}

const char *hak_build(void)
{
    return HAK_BUILD;
}
