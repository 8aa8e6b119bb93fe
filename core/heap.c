#include "heap.h"

#include <errno.h>
#include <string.h>

#include "large.h"
#include "minislab.h"
#include "purge.h"
#include "units.h"

#define LOOK_AT 16 /* partial slabs, before one is chosen */

/* ------------------------------------------------------------------ bins and slabs */

/* Makes `slab` the one that class `index` allocates from. */
static void set_current(hak_heap *heap, unsigned index, hak_slab *slab)
{
    heap->current[index] = slab;
    size_t end = hak__class_size(index, heap->granularity);
    if (end > HAK_SMALL_MAX) return;
    size_t begin = hak__class_size(index - 1, heap->granularity);
    for (size_t size = begin; size < end; size += 8) heap->bin[size / 8 + 1] = slab;
    if (begin == 0) heap->bin[0] = slab;
}

static void link_partial(hak_heap *heap, hak_slab *slab)
{
    hak_slab_list *list = &heap->partial[slab->size_class];
    slab->next = NULL;
    slab->prev = list->last;
    if (list->last) list->last->next = slab;
    else list->first = slab;
    list->last = slab;
}

static void unlink_partial(hak_heap *heap, hak_slab *slab)
{
    hak_slab_list *list = &heap->partial[slab->size_class];
    if (slab->prev) slab->prev->next = slab->next;
    else list->first = slab->next;
    if (slab->next) slab->next->prev = slab->prev;
    else list->last = slab->prev;
}

static bool carve(hak_heap *heap, hak_slab *slab)
{
    size_t step = heap->profile->carve;
    hak__purge_before_peak(heap, step);
    if (!hak__units_touch(heap, slab, hak__slab_carve_end(slab, step))) return false;
    hak__slab_carve(slab, step);
    return true;
}

/* How many units a slab of such blocks should have: one, where waste at its end does not matter or
 * is at most an eighth. */
static size_t slab_units(const hak_heap *heap, size_t block_size)
{
    if (!heap->region) return 1;
    size_t unit = hak__unit_size(heap->region);
    size_t count = (block_size + unit - 1) / unit;
    while (count * unit % block_size > count * unit / 8) count++;
    return count;
}

static hak_slab *slab_new(hak_heap *heap, unsigned index)
{
    size_t size = hak__class_size(index, heap->granularity);
    size_t count = slab_units(heap, size);
    hak_slab *slab = hak__units_take(heap, count, HAK_SLAB_CURRENT);
    if (!slab) return NULL;
    slab->block_size = (uint32_t)size;
    slab->size_class = (uint8_t)index;
    slab->left = HAK_LEFT_FAR;
    size_t unit_size = heap->region ? hak__unit_size(heap->region) : (size_t)1 << HAK_UNIT_SHIFT;
    slab->capacity = (uint32_t)(count * unit_size / size);
    if (carve(heap, slab)) return slab;
    hak__units_give(heap, slab);
    return NULL;
}

/* A slab whose list has run dry stops being current. All its carved blocks are live. */
static void suspend(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->kind == HAK_SLAB_CURRENT && !slab->free);
    if (slab->mini) {
        hak__mini_drain(slab);
    } else if (slab->carved == slab->capacity) {
        slab->kind = HAK_SLAB_FULL;
        slab->asleep = (uint16_t)(1 + (slab->capacity >> heap->profile->reopen));
        slab->left = slab->asleep;
    } else {
        slab->kind = HAK_SLAB_PARTIAL;
        slab->left = slab->carved;
        link_partial(heap, slab);
    }
}

/* The partial slab to use next: the first opened one that is at least half live, so that emptier
 * ones can run empty; among the first few, if there is none, the fullest. */
static hak_slab *choose_partial(const hak_heap *heap, unsigned index)
{
    hak_slab *first = heap->partial[index].first;
    hak_slab *best = NULL;
    size_t looked_at = 0;
    for (hak_slab *slab = first; slab && looked_at < LOOK_AT; slab = slab->next) {
        if (!slab->free) continue; /* only uncarved blocks: they cost pages, and come last */
        if (!best || slab->left > best->left) best = slab;
        if (best->left > best->capacity / 2) break;
        looked_at++;
    }
    return best ? best : first;
}

/* Gives the bin of class `index`, whose slab has no free block, a slab that has some: one that
 * frees have reopened, the rest of the current one, or a new one. NULL when memory is exhausted. */
static hak_slab *refill(hak_heap *heap, unsigned index)
{
    hak_slab *current = heap->current[index];
    hak_slab *slab = choose_partial(heap, index);
    bool has_current = current != &hak__no_slab;

    if (slab) {
        if (!slab->free && !carve(heap, slab)) return NULL;
        unlink_partial(heap, slab);
        slab->kind = HAK_SLAB_CURRENT;
        slab->left = HAK_LEFT_FAR;
    } else if (has_current && current->carved < current->capacity) {
        if (!carve(heap, current)) return NULL;
        heap->refills++;
        return current;
    } else {
        slab = hak__mini_take(heap, index);
        if (!slab) slab = slab_new(heap, index);
        if (!slab) return NULL;
        if (!slab->mini) heap->mini_had[index] = HAK_MINIS;
    }
    if (has_current) suspend(heap, current);
    set_current(heap, index, slab);
    heap->refills++;
    HAK_ASSERT(hak__slab_valid(slab));
    return slab;
}

/* A slab without live blocks gives its units back. */
static void retire(hak_heap *heap, hak_slab *slab)
{
    heap->retires++;
    if (slab->mini) {
        hak__mini_give(heap, slab);
        return;
    }
    hak__units_give(heap, slab);
    hak__purge_excess(heap);
}

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
        hak_slab *slab = slab_new(heap, mini->size_class);
        if (!slab) return;
        set_current(heap, mini->size_class, slab);
        heap->mini_had[mini->size_class] = HAK_MINIS;
        if (!hak__mini_drain(mini)) retire(heap, mini);
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
    case HAK_SLAB_FULL:
        slab->left = slab->capacity - slab->asleep;
        slab->kind = HAK_SLAB_PARTIAL;
        if (slab->left == 0) {
            retire(heap, slab);
        } else {
            link_partial(heap, slab);
        }
        break;
    case HAK_SLAB_PARTIAL:
        unlink_partial(heap, slab);
        retire(heap, slab);
        break;
    case HAK_SLAB_CURRENT: slab->left = HAK_LEFT_FAR; break;
    case HAK_UNIT_MINI: free_in_mini(heap, slab, block); break;
    case HAK_SPAN: hak__span_free(heap, slab, block); break;
    case HAK_UNIT_INTERIOR: hak__fatal("free", block, "points into a block, not at its start");
    default: free_huge_below(heap, slab, block);
    }
}

/* Retires the current slabs that are empty; an empty bin is filled again on demand. Returns how
 * many. */
static size_t retire_idle(hak_heap *heap)
{
    size_t before = heap->retires;
    for (unsigned index = 1; index < HAK_CLASSES; index++) {
        hak_slab *slab = heap->current[index];
        if (slab == &hak__no_slab || hak__slab_live(slab) > 0) continue;
        set_current(heap, index, (hak_slab *)&hak__no_slab);
        heap->retires++;
        if (slab->mini) {
            hak__mini_give(heap, slab);
            heap->mini_had[index] = 0;
        } else {
            hak__units_give(heap, slab);
        }
    }
    hak__mini_trim(heap);
    return heap->retires - before;
}

/* Opens the full slabs that have free blocks, however few; returns how many. */
static size_t wake(hak_heap *heap)
{
    size_t woken = 0;
    hak_superslab *lists[] = {heap->supers, heap->supers_full};
    for (size_t i = 0; i < 2; i++) {
        for (hak_superslab *super = lists[i]; super; super = super->next) {
            hak_slab *slabs = hak__superslab_slabs(super);
            for (uint64_t rest = ~super->free & super->dirty; rest; rest &= rest - 1) {
                hak_slab *slab = &slabs[__builtin_ctzll(rest)];
                if (slab->kind != HAK_SLAB_FULL || !slab->free) continue;
                slab->left = slab->capacity - (slab->asleep - slab->left);
                slab->kind = HAK_SLAB_PARTIAL;
                link_partial(heap, slab);
                woken++;
            }
        }
    }
    return woken;
}

/* ------------------------------------------------------------------ allocating and freeing */

/* Finds whatever memory the heap has; false if there is no more than before. */
static bool reclaim(hak_heap *heap)
{
    size_t found = wake(heap);
    found += retire_idle(heap);
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
    if (!slab->free) WITH_RETRY(heap, slab, refill(heap, index));
    return slab ? hak__slab_pop(slab) : NULL;
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
        .profile = options->profile ? hak__profile_named(options->profile) : hak__profile_default(),
    };
    strncpy(heap->name, options->name ? options->name : "heap", sizeof heap->name - 1);
    heap->bin[0] = (hak_slab *)&hak__no_slab;
    for (unsigned i = 1; i < HAK_CLASSES; i++) set_current(heap, i, (hak_slab *)&hak__no_slab);
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
    retire_idle(heap);
    size_t given = hak__purge_to(heap, 0);
    if (!heap->region) given += hak__region_flush();
    return given;
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
