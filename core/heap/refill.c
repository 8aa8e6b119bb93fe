#include "heap/refill.h"

#include "heap/bins.h"
#include "heap/holes.h"
#include "heap/layout.h"
#include "heap/nest.h"
#include "heap/partial.h"
#include "heap/reclaim.h"
#include "heap/retire.h"

/* Whether a slab has blocks beyond those in its list. */
static bool has_more(const hak_slab *slab)
{
    return slab->carved < slab->capacity || slab->purged;
}

/* Adds some of them to its list, which is empty. */
static bool add_blocks(hak_heap *heap, hak_slab *slab)
{
    if (slab->purged) return hak__holes_fill(heap, slab);
    size_t step = hak__policy(heap)->carve;
    size_t begin = hak__slab_used(slab), end = hak__slab_carve_end(slab, step);
    if (!hak__units_use(&heap->pages, slab, begin, end)) return false;
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
    bool scattered = heap->hints->scattered && count == 1 && class.size <= HAK_SMALL_MAX;
    hak_slab *slab = scattered ? hak__units_take_scattered(
                                     &heap->pages, hak__heap_current(heap, class), HAK_SLAB_CURRENT)
                               : hak__units_take(&heap->pages, count, 1, HAK_SLAB_CURRENT);
    if (!slab) return NULL;
    slab->block_size = (uint32_t) class.size;
    slab->size_class = (uint8_t) class.index;
    slab->block_kind = (uint8_t) class.kind;
    size_t bytes = count * hak__pages_unit_size(&heap->pages);
    slab->capacity = (uint16_t)(bytes / class.size);
    if (heap->hints->coloured && class.size <= HAK_SMALL_MAX) {
        size_t unit = (size_t)(slab - hak__region_of_run(&heap->pages, slab)->slabs);
        hak__layout_colour(slab, unit, bytes, hak__heap_spacing(heap)->granularity,
                           heap->hints->scattered);
    }
    if (add_blocks(heap, slab)) return slab;
    hak__units_give(&heap->pages, slab);
    return NULL;
}

/* The frees after which a full slab wakes. A heap that was refused memory takes up each hole. */
static uint16_t sleep_of(const hak_heap *heap, const hak_slab *slab)
{
    return hak__heap_starved(heap) ? HAK_SLEEP_LIGHTLY
                                   : (uint16_t)(1 + (slab->capacity >> hak__bins_wake_shift(heap)));
}

/* A slab whose list has run dry stops being current. All its carved blocks are live, but for those
 * in purged pages; if that is none, it goes. */
static void suspend(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->state == HAK_SLAB_CURRENT && !slab->free);
    if (!has_more(slab)) {
        hak__slab_sleep(slab, sleep_of(heap, slab));
        HAK_ASSERT(hak__slab_valid(slab));
    } else if (hak__slab_live(slab) > 0) {
        hak__partial_link_dry(heap, slab);
    } else {
        hak__retire(heap, slab);
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
    bool fills_first = has_more(current) && (current->purged || !dry || !dry->purged);
    return fills_first ? NULL : dry;
}

/* Makes a partial or dry slab current. False, and no change, when a dry one would pass the limit.
 */
static bool take_up(hak_heap *heap, hak_slab *slab, hak_slab *current)
{
    if (slab->state == HAK_SLAB_PARTIAL) {
        hak__partial_unlink(heap, slab);
    } else {
        hak__partial_unlink_dry(heap, slab);
        if (!add_blocks(heap, slab)) {
            hak__partial_link_dry(heap, slab);
            return false;
        }
    }
    size_t live = hak__slab_left(slab);
    if (heap->hints->in_order) hak__slab_sort(slab);
    hak__bins_set_current(heap, slab, live, current);
    return true;
}

static hak_slab *refill(hak_heap *heap, hak_bin_class class)
{
    hak_slab *slab = choose(heap, class);
    size_t supplied = slab && slab->free ? slab->carved - hak__slab_partial_live(slab)
                                         : (hak__policy(heap)->carve + class.size - 1) / class.size;
    heap->pace.clock += hak__pace_advance(heap->hints, class.size, supplied);
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

hak_slab *hak__refill(hak_heap *heap, hak_bin_class class)
{
    if (!hak__nest_ensure_lists(heap)) return NULL;
    bool has_slab = hak__heap_current(heap, class) != &hak__no_slab ||
                    heap->sets[class.kind]->lists->partial[class.index];
    heap->pages.leaves_reserve = has_slab;
    hak_slab *slab = refill(heap, class);
    heap->pages.leaves_reserve = false;
    return slab;
}
