#include "bins.h"

#include "holes.h"
#include "nest.h"
#include "purge.h"
#include "units.h"

#define LOOK_AT 16 /* partial slabs, before one is chosen */

/* Before a new peak, so many units are looked at for full slabs of which a sixteenth is free. */
#define WAKE_LOOK_AT 8
#define WAKE_SHIFT   4

/* Times that an empty slab of medium blocks retires, before its class counts as busy. */
#define IDLE_MOST 32

const hak_lists hak__no_lists = {
    .medium = {[0 ... HAK_MEDIUM_CLASSES - 1] = (hak_slab *)&hak__no_slab},
};

void hak__bins_set(hak_heap *heap, unsigned kind, unsigned index, hak_slab *slab)
{
    hak_bins *bins = heap->sets[kind];
    size_t end = hak__class_size(index, heap->granularity);
    if (end > HAK_SMALL_MAX) {
        bins->lists->medium[index - HAK_MEDIUM_FIRST] = slab;
        return;
    }
    size_t begin = hak__class_size(index - 1, heap->granularity);
    for (size_t size = begin; size < end; size += 8) bins->bin[size / 8 + 1] = slab;
    if (begin == 0) bins->bin[0] = slab;
}

/* Pages in use of a slab, in bytes. */
static size_t pages_of(const hak_slab *slab)
{
    return hak__slab_used(slab) - (size_t)__builtin_popcount(slab->absent) * HAK_PAGE;
}

/* The lists that a slab is in, or may be. */
static hak_lists *lists_of(const hak_heap *heap, const hak_slab *slab)
{
    return heap->sets[slab->block_kind]->lists;
}

static void link_partial(hak_heap *heap, hak_slab *slab)
{
    heap->loose += pages_of(slab);
    hak_slab **list = &lists_of(heap, slab)->partial[slab->size_class];
    slab->next = NULL;
    slab->prev = slab;
    if (*list) {
        slab->prev = (*list)->prev;
        slab->prev->next = slab;
        (*list)->prev = slab;
    } else {
        *list = slab;
    }
}

static void unlink_partial(hak_heap *heap, hak_slab *slab)
{
    heap->loose -= pages_of(slab);
    hak_slab **list = &lists_of(heap, slab)->partial[slab->size_class];
    if (slab->next) slab->next->prev = slab->prev;
    else (*list)->prev = slab->prev;
    if (slab == *list) *list = slab->next;
    else slab->prev->next = slab->next;
}

/* Whether a slab has blocks beyond those in its list. */
static bool has_more(const hak_slab *slab)
{
    return slab->carved < slab->capacity || slab->absent;
}

/* Adds some of them to its list, which is empty. */
static bool add_blocks(hak_heap *heap, hak_slab *slab)
{
    if (slab->absent) return hak__holes_fill(heap, slab);
    size_t step = hak__policy(heap)->carve;
    size_t begin = hak__slab_used(slab), end = hak__slab_carve_end(slab, step);
    size_t peak = heap->footprint_peak;
    if (!hak__units_use(heap, slab, begin, end)) return false;
    heap->work += hak__purge_price(heap->footprint_peak - peak);
    hak__slab_carve(slab, step);
    return true;
}

/* Whether a current slab of such blocks counts those that are live: medium ones, none of which the
 * hot path hands out. */
static bool counts_live(size_t block_size)
{
    return block_size > HAK_SMALL_MAX;
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

static hak_slab *slab_new(hak_heap *heap, unsigned kind, unsigned index)
{
    size_t size = hak__class_size(index, heap->granularity);
    size_t count = slab_units(heap, size);
    hak_slab *slab = hak__units_take(heap, count, HAK_SLAB_CURRENT);
    if (!slab) return NULL;
    slab->block_size = (uint32_t)size;
    slab->size_class = (uint8_t)index;
    slab->block_kind = (uint8_t)kind;
    hak__slab_set_left(slab, counts_live(size) ? 0 : HAK_LEFT_FAR);
    size_t unit_size = hak__heap_unit_size(heap);
    slab->capacity = (uint32_t)(count * unit_size / size);
    if (add_blocks(heap, slab)) return slab;
    hak__units_give(heap, slab);
    return NULL;
}

/* A full slab wakes when one of so many of its blocks is free, as a power of two. */
static size_t wake_shift(const hak_heap *heap)
{
    return heap->traits->in_order ? hak__policy(heap)->wake_in_order : hak__policy(heap)->wake;
}

/* A slab whose list has run dry stops being current. All its carved blocks are live, but for those
 * in absent pages. */
static void suspend(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->kind == HAK_SLAB_CURRENT && !slab->free);
    if (!has_more(slab)) {
        slab->kind = HAK_SLAB_FULL;
        slab->asleep = (uint16_t)(1 + (slab->capacity >> wake_shift(heap)));
        hak__slab_set_left(slab, slab->asleep);
    } else {
        slab->kind = HAK_SLAB_PARTIAL;
        hak__slab_set_left(slab, slab->carved - (uint32_t)hak__slab_lost(slab));
        link_partial(heap, slab);
    }
}

/* The partial slab to use next: the first opened one that is at least half live, so that emptier
 * ones can run empty; among the first few, if there is none, the fullest. */
static hak_slab *choose_partial(const hak_heap *heap, unsigned kind, unsigned index)
{
    hak_slab *first = heap->sets[kind]->lists->partial[index];
    hak_slab *best = NULL;
    size_t looked_at = 0;
    for (hak_slab *slab = first; slab && looked_at < LOOK_AT; slab = slab->next) {
        if (!slab->free) continue; /* it would have to take pages: such come last */
        if (!best || hak__slab_left(slab) > hak__slab_left(best)) best = slab;
        if (hak__slab_left(best) > best->capacity / 2 && !hak__policy(heap)->fullest) break;
        looked_at++;
    }
    return best ? best : first;
}

static hak_slab *refill(hak_heap *heap, unsigned kind, unsigned index)
{
    hak_slab *slab = choose_partial(heap, kind, index);
    size_t size = hak__class_size(index, heap->granularity);
    size_t supplied = (hak__policy(heap)->carve + size - 1) / size;
    if (!slab || !slab->free) {
        hak__bins_before_peak(heap, hak__policy(heap)->carve);
        slab = choose_partial(heap, kind, index);
    }
    if (slab && slab->free) supplied = slab->carved - hak__slab_left(slab);
    heap->work += hak__purge_work(heap, size, supplied);
    hak_slab *current = hak__heap_current(heap, kind, index);
    bool has_current = current != &hak__no_slab;

    if (slab) {
        unlink_partial(heap, slab);
        if (!slab->free && !add_blocks(heap, slab)) {
            link_partial(heap, slab);
            return NULL;
        }
        if (heap->traits->in_order) hak__slab_sort(slab);
        slab->kind = HAK_SLAB_CURRENT;
        if (!counts_live(size)) hak__slab_set_left(slab, HAK_LEFT_FAR);
    } else if (has_current && has_more(current)) {
        if (!add_blocks(heap, current)) return NULL;
        heap->refills++;
        return current;
    } else {
        slab = slab_new(heap, kind, index);
        if (!slab) return NULL;
    }
    if (has_current) suspend(heap, current);
    hak__bins_set(heap, kind, index, slab);
    heap->refills++;
    HAK_ASSERT(hak__slab_valid(slab));
    return slab;
}

hak_slab *hak__bins_refill(hak_heap *heap, unsigned kind, unsigned index)
{
    if (heap->bins.lists == &hak__no_lists && !hak__nest_give_lists(heap)) return NULL;
    /* A VM that has hit its limit, and has to say so, needs a few blocks of sizes that it did not
     * run out of. */
    bool has_slab = hak__heap_current(heap, kind, index) != &hak__no_slab ||
                    heap->sets[kind]->lists->partial[index];
    heap->held_back = has_slab ? heap->reserve : 0;
    hak_slab *slab = refill(heap, kind, index);
    heap->held_back = 0;
    return slab;
}

static void reopen(hak_heap *heap, hak_slab *slab)
{
    hak__slab_set_left(slab, slab->capacity - (slab->asleep - hak__slab_left(slab)));
    slab->kind = HAK_SLAB_PARTIAL;
    link_partial(heap, slab);
}

void hak__bins_reopen(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->kind == HAK_SLAB_FULL && hak__slab_left(slab) == 0);
    reopen(heap, slab);
    if (hak__slab_left(slab) == 0) hak__bins_retire(heap, slab);
    else hak__purge_loose(heap);
}

void hak__bins_retire(hak_heap *heap, hak_slab *slab)
{
    if (slab->kind == HAK_SLAB_PARTIAL) unlink_partial(heap, slab);
    heap->retires++;
    hak__units_give(heap, slab);
    hak__purge_excess(heap);
    hak__purge_loose(heap);
}

/* Gives back a current slab without a live block. */
static void retire_current(hak_heap *heap, hak_slab *slab)
{
    hak__bins_set(heap, slab->block_kind, slab->size_class, (hak_slab *)&hak__no_slab);
    heap->retires++;
    hak__units_give(heap, slab);
}

void hak__bins_idle(hak_heap *heap, hak_slab *slab)
{
    if (!counts_live(slab->block_size)) {
        hak__slab_set_left(slab, HAK_LEFT_FAR);
        return;
    }
    uint8_t *idled = &lists_of(heap, slab)->idled[slab->size_class - HAK_MEDIUM_FIRST];
    if (*idled == IDLE_MOST) {
        hak__slab_set_left(slab, HAK_LEFT_FAR);
        return;
    }
    ++*idled;
    retire_current(heap, slab);
}

/* Goes over the current slabs: each time, *kind and *index are where the last one was, 0 and 0 to
 * begin with. NULL at the end. */
static hak_slab *next_current(const hak_heap *heap, unsigned *kind, unsigned *index)
{
    for (; *kind < hak__heap_sets(heap); ++*kind, *index = 0) {
        while (++*index <= hak__heap_last_class(heap)) {
            hak_slab *slab = hak__heap_current(heap, *kind, *index);
            if (slab != &hak__no_slab) return slab;
        }
    }
    return NULL;
}

size_t hak__bins_retire_idle(hak_heap *heap)
{
    size_t before = heap->retires;
    unsigned kind = 0, index = 0;
    for (hak_slab *slab; (slab = next_current(heap, &kind, &index)) != NULL;) {
        if (hak__slab_live(slab) == 0) retire_current(heap, slab);
    }
    hak__nest_trim(heap);
    return heap->retires - before;
}

size_t hak__bins_pages(const hak_heap *heap)
{
    size_t bytes = 0;
    unsigned kind = 0, index = 0;
    for (hak_slab *slab; (slab = next_current(heap, &kind, &index)) != NULL;) {
        bytes += pages_of(slab);
    }
    return bytes;
}

void hak__bins_empty(hak_heap *heap)
{
    unsigned kind = 0, index = 0;
    for (hak_slab *slab; (slab = next_current(heap, &kind, &index)) != NULL;) {
        hak__bins_set(heap, kind, index, (hak_slab *)&hak__no_slab);
        size_t live = hak__slab_live(slab);
        if (live == 0) {
            retire_current(heap, slab);
        } else if (!slab->free) {
            suspend(heap, slab);
        } else {
            slab->kind = HAK_SLAB_PARTIAL;
            hak__slab_set_left(slab, (uint32_t)live);
            link_partial(heap, slab);
        }
    }
    hak__nest_trim(heap);
}

size_t hak__bins_wake(hak_heap *heap)
{
    size_t woken = 0;
    hak_superslab *lists[] = {heap->supers, heap->supers_full};
    for (size_t i = 0; i < 2; i++) {
        for (hak_superslab *super = lists[i]; super; super = super->next) {
            hak_slab *slabs = hak__superslab_slabs(super);
            for (uint64_t rest = ~super->free & super->dirty; rest; rest &= rest - 1) {
                hak_slab *slab = &slabs[__builtin_ctzll(rest)];
                if (slab->kind != HAK_SLAB_FULL || !slab->free) continue;
                reopen(heap, slab);
                woken++;
            }
        }
    }
    return woken;
}

/* The next unit in use that the hand comes to; NULL where a list of superslabs ends. */
static hak_slab *hand_next(hak_heap *heap)
{
    hak_hand *hand = &heap->hand;
    while (hand->super) {
        uint64_t rest = ~hand->super->free & hand->super->dirty & ~hand->passed;
        if (rest) {
            hand->passed |= rest & -rest;
            return &hak__superslab_slabs(hand->super)[__builtin_ctzll(rest)];
        }
        hand->super = hand->super->next;
        hand->passed = 0;
    }
    hand->full = !hand->full;
    hand->super = hand->full ? heap->supers_full : heap->supers;
    hand->passed = 0;
    return NULL;
}

/* Where full slabs sleep long, holes add up in them: opens some, so that a heap at its peak fills
 * holes as it grows. */
static void wake_some(hak_heap *heap)
{
    if (wake_shift(heap) >= WAKE_SHIFT) return;
    for (unsigned i = 0; i < WAKE_LOOK_AT; i++) {
        hak_slab *slab = hand_next(heap);
        if (!slab || slab->kind != HAK_SLAB_FULL) continue;
        if (slab->asleep - hak__slab_left(slab) > slab->capacity >> WAKE_SHIFT) reopen(heap, slab);
    }
}

void hak__bins_before_peak(hak_heap *heap, size_t bytes)
{
    if (heap->footprint + bytes <= heap->footprint_peak) return;
    wake_some(heap);
    size_t worth = hak__purge_worth(heap, bytes);
    if (worth == SIZE_MAX) return;
    size_t given = 0;
    if (heap->retained >= worth || heap->retained + hak__holes_find(heap) >= worth) {
        size_t share = hak__purge_share(heap, bytes);
        given = hak__purge_some(heap, share);
        if (given < share) {
            hak__bins_retire_idle(heap);
            given += hak__holes_punch(heap, false);
            if (given < share) given += hak__purge_some(heap, share - given);
        }
    }
    hak__purge_looked(heap, given);
}
