#include "heap/bins.h"

#include "heap/excess.h"
#include "heap/holes.h"
#include "heap/layout.h"
#include "heap/nest.h"
#include "heap/partial.h"
#include "heap/reclaim.h"
#include "pages/pages.h"

/* Times that an empty slab of medium blocks retires, before its class counts as busy. */
#define IDLE_MOST 32

const hak_lists hak__no_lists = {
    .medium = {[0 ... HAK_MEDIUM_CLASSES - 1] = (hak_slab *)&hak__no_slab},
};

/* Has a class allocate from `slab`. */
static void set_bin(hak_heap *heap, hak_bin_class class, hak_slab *slab)
{
    hak_bins *bins = heap->sets[class.kind];
    if (class.size > HAK_SMALL_MAX) {
        bins->lists->medium[class.index - HAK_MEDIUM_FIRST] = slab;
        return;
    }
    hak_slab **last = &bins->bin[class.size / 8];
    hak_slab **bin = last - hak__class_step(class.index, hak__heap_spacing(heap)) / 8;
    while (bin != last) *++bin = slab;
    if (class.index == 1) bins->bin[0] = slab;
}

/* Whether a current slab of such blocks counts those that are live: medium ones, none of which the
 * hot path hands out. */
static bool counts_live(size_t block_size)
{
    return block_size > HAK_SMALL_MAX;
}

void hak__bins_set_current(hak_heap *heap, hak_slab *slab, size_t live, hak_slab *before)
{
    slab->kind = HAK_SLAB_CURRENT;
    slab->next = before->next; /* the dry ones */
    if (before != &hak__no_slab) before->next = NULL;
    hak__slab_set_left(slab, counts_live(slab->block_size) ? (uint32_t)live : HAK_LEFT_FAR);
    set_bin(heap, hak__class_of_slab(slab), slab);
    HAK_ASSERT(hak__slab_valid(slab));
}

/* Leaves a class without the slab that it allocates from; if there are dry ones, one of them takes
 * its place. The slab is in no list then. */
static void drop_current(hak_heap *heap, hak_slab *slab)
{
    hak_slab *dry = slab->next;
    if (dry) {
        hak__partial_unlink_dry(heap, dry);
        hak__bins_set_current(heap, dry, hak__slab_left(dry), slab);
    } else {
        set_bin(heap, hak__class_of_slab(slab), (hak_slab *)&hak__no_slab);
    }
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
    size_t peak = heap->pages.footprint_peak;
    if (!hak__units_use(&heap->pages, slab, begin, end)) return false;
    heap->pace.work += heap->pages.footprint_peak - peak; /* pays for as much to be given back */
    hak__slab_carve(slab, step);
    return true;
}

/* How many units a slab of such blocks should have: one, where waste at its end does not matter or
 * is at most an eighth. */
static size_t slab_units(const hak_heap *heap, size_t block_size)
{
    if (!heap->pages.region) return 1;
    size_t unit = hak__unit_size(heap->pages.region);
    size_t count = (block_size + unit - 1) / unit;
    while (count * unit % block_size > count * unit / 8) count++;
    return count;
}

static hak_slab *slab_new(hak_heap *heap, hak_bin_class class)
{
    size_t count = slab_units(heap, class.size);
    bool scattered = heap->traits->scattered && count == 1 && class.size <= HAK_SMALL_MAX;
    hak_slab *slab = scattered ? hak__units_take_scattered(
                                     &heap->pages, hak__heap_current(heap, class), HAK_SLAB_CURRENT)
                               : hak__units_take(&heap->pages, count, 1, HAK_SLAB_CURRENT);
    if (!slab) return NULL;
    slab->block_size = (uint32_t) class.size;
    slab->size_class = (uint8_t) class.index;
    slab->block_kind = (uint8_t) class.kind;
    size_t bytes = count * hak__pages_unit_size(&heap->pages);
    slab->capacity = (uint16_t)(bytes / class.size);
    if (heap->traits->coloured && class.size <= HAK_SMALL_MAX) {
        size_t unit = (size_t)(slab - hak__region_of_run(&heap->pages, slab)->slabs);
        hak__layout_colour(slab, unit, bytes, hak__heap_spacing(heap)->granularity,
                           heap->traits->scattered);
    }
    if (add_blocks(heap, slab)) return slab;
    hak__units_give(&heap->pages, slab);
    return NULL;
}

size_t hak__bins_wake_shift(const hak_heap *heap)
{
    return heap->traits->in_order ? hak__policy(heap)->wake_in_order : hak__policy(heap)->wake;
}

/* The frees after which a full slab wakes. A heap that was refused memory takes up each hole. */
static uint16_t sleep_of(const hak_heap *heap, const hak_slab *slab)
{
    return heap->starved ? HAK_SLEEP_LIGHTLY
                         : (uint16_t)(1 + (slab->capacity >> hak__bins_wake_shift(heap)));
}

/* Gives back a slab without a live block, which is in no list. */
static void give(hak_heap *heap, hak_slab *slab)
{
    heap->retires++;
    hak__units_give(&heap->pages, slab);
}

/* A slab whose list has run dry stops being current. All its carved blocks are live, but for those
 * in absent pages; if that is none, it goes. */
static void suspend(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->kind == HAK_SLAB_CURRENT && !slab->free);
    if (!has_more(slab)) {
        hak__slab_sleep(slab, sleep_of(heap, slab));
        HAK_ASSERT(hak__slab_valid(slab));
    } else if (hak__slab_live(slab) > 0) {
        hak__partial_link_dry(heap, slab);
    } else {
        give(heap, slab);
    }
}

/* A slab to take the place of one that has no free block: one that has been freed from, or else,
 * after what the heap can do without has gone, one that has to take pages. NULL: the current one
 * can take pages itself, or there is none. */
static hak_slab *choose(hak_heap *heap, hak_bin_class class)
{
    hak_slab *slab = hak__partial_choose(heap, class);
    if (slab) return slab;
    hak__reclaim_before_peak(heap, hak__policy(heap)->carve);
    slab = hak__partial_choose(heap, class);
    if (slab) return slab;
    const hak_slab *current = hak__heap_current(heap, class);
    hak_slab *dry = hak__partial_first_dry(current);
    bool fills_first = has_more(current) && (current->absent || !dry || !dry->absent);
    return fills_first ? NULL : dry;
}

/* Makes a partial or dry slab current. False, and no change, when a dry one would pass the limit.
 */
static bool take_up(hak_heap *heap, hak_slab *slab, hak_slab *current)
{
    if (slab->kind == HAK_SLAB_PARTIAL) {
        hak__partial_unlink(heap, slab);
    } else {
        hak__partial_unlink_dry(heap, slab);
        if (!add_blocks(heap, slab)) {
            hak__partial_link_dry(heap, slab);
            return false;
        }
    }
    size_t live = hak__slab_left(slab);
    if (heap->traits->in_order) hak__slab_sort(slab);
    hak__bins_set_current(heap, slab, live, current);
    return true;
}

/* A heap that has allocated as much as it has since it was refused memory is no longer short of it.
 */
static void recover(hak_heap *heap)
{
    if (heap->starved && heap->pace.work - heap->starved_at > heap->pages.footprint)
        heap->starved = false;
}

static hak_slab *refill(hak_heap *heap, hak_bin_class class)
{
    recover(heap);
    hak_slab *slab = choose(heap, class);
    size_t supplied = slab && slab->free ? slab->carved - hak__slab_partial_live(slab)
                                         : (hak__policy(heap)->carve + class.size - 1) / class.size;
    heap->pace.work += hak__pace_work(heap->traits, class.size, supplied);
    hak_slab *current = hak__heap_current(heap, class);
    bool has_current = current != &hak__no_slab;

    if (slab) {
        if (!take_up(heap, slab, current)) return NULL;
    } else if (has_current && has_more(current)) {
        if (!add_blocks(heap, current)) return NULL;
        heap->refills++;
        return current;
    } else {
        slab = slab_new(heap, class);
        if (!slab) return NULL;
        hak__bins_set_current(heap, slab, 0, current);
    }
    if (has_current) suspend(heap, current);
    heap->refills++;
    return slab;
}

hak_slab *hak__bins_refill(hak_heap *heap, hak_bin_class class)
{
    if (!hak__nest_ensure_lists(heap)) return NULL;
    bool has_slab = hak__heap_current(heap, class) != &hak__no_slab ||
                    heap->sets[class.kind]->lists->partial[class.index];
    heap->pages.holds_back = has_slab;
    hak_slab *slab = refill(heap, class);
    heap->pages.holds_back = false;
    return slab;
}

/* Gives back a slab that frees have emptied, and what there is too much then. */
static void retire(hak_heap *heap, hak_slab *slab)
{
    give(heap, slab);
    hak__excess_purge(heap);
    hak__excess_punch(heap);
}

void hak__bins_reopen(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->kind == HAK_SLAB_FULL);
    size_t live = hak__slab_full_live(slab);
    if (live > 0) {
        hak__partial_link(heap, slab, live);
        hak__excess_punch(heap);
    } else {
        retire(heap, slab);
    }
}

void hak__bins_moisten(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->kind == HAK_SLAB_DRY);
    hak__partial_unlink_dry(heap, slab);
    size_t live = hak__slab_left(slab) - 1;
    if (live > 0) hak__partial_link(heap, slab, live);
    else retire(heap, slab);
}

void hak__bins_run_down(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->kind == HAK_SLAB_PARTIAL);
    if (slab->parked) {
        hak__partial_set_changed(heap, slab);
    } else {
        hak__partial_unlink(heap, slab);
        retire(heap, slab);
    }
}

/* Gives back a current slab without a live block. */
static void retire_current(hak_heap *heap, hak_slab *slab)
{
    drop_current(heap, slab);
    give(heap, slab);
}

void hak__bins_idle(hak_heap *heap, hak_slab *slab)
{
    if (!counts_live(slab->block_size)) {
        hak__slab_set_left(slab, HAK_LEFT_FAR);
        return;
    }
    uint8_t *idled = &hak__lists_of(heap, slab)->idled[slab->size_class - HAK_MEDIUM_FIRST];
    if (*idled == IDLE_MOST) {
        hak__slab_set_left(slab, HAK_LEFT_FAR);
        return;
    }
    ++*idled;
    retire_current(heap, slab);
}

hak_slab *hak__bins_next(const hak_heap *heap, hak_bin_class *at)
{
    for (; at->kind < hak__heap_sets(heap); *at = (hak_bin_class){.kind = at->kind + 1}) {
        while (at->size < HAK_MEDIUM_MAX) {
            at->size += hak__class_step(++at->index, hak__heap_spacing(heap));
            hak_slab *slab = hak__heap_current(heap, *at);
            if (slab != &hak__no_slab) return slab;
        }
    }
    return NULL;
}

size_t hak__bins_retire_idle(hak_heap *heap)
{
    size_t before = heap->retires;
    hak_bin_class at = {0};
    for (hak_slab *slab; (slab = hak__bins_next(heap, &at)) != NULL;) {
        if (hak__slab_live(slab) == 0) retire_current(heap, slab);
    }
    hak__nest_trim(heap);
    return heap->retires - before;
}

size_t hak__bins_pages(const hak_heap *heap)
{
    size_t bytes = 0;
    hak_bin_class at = {0};
    for (hak_slab *slab; (slab = hak__bins_next(heap, &at)) != NULL;) {
        bytes += hak__slab_pages_in_use(slab);
    }
    return bytes;
}

void hak__bins_empty(hak_heap *heap)
{
    hak_bin_class at = {0};
    for (hak_slab *slab; (slab = hak__bins_next(heap, &at)) != NULL;) {
        for (hak_slab *dry; (dry = slab->next) != NULL;) {
            hak__partial_unlink_dry(heap, dry);
            hak__slab_sleep(dry, HAK_SLEEP_LIGHTLY);
        }
        size_t live = hak__slab_live(slab);
        drop_current(heap, slab);
        if (live == 0) give(heap, slab);
        else if (slab->free) hak__partial_link(heap, slab, live);
        else hak__slab_sleep(slab, HAK_SLEEP_LIGHTLY);
    }
    hak__nest_trim(heap);
}
