#include "heap/reclaim.h"

#include "heap/bins.h"
#include "heap/excess.h"
#include "heap/holes.h"
#include "heap/layout.h"
#include "heap/nest.h"
#include "heap/partial.h"
#include "heap/retire.h"
#include "heap/scan.h"
#include "pages/pages.h"

/* Units examined for full slabs to wake, before a page is taken. */
#define WAKE_UNITS 8

/* Free blocks add up in full slabs while they sleep. A heap that grows in earnest wakes some, so
 * that it uses these blocks as it grows. */
static void wake_some(hak_heap *heap)
{
    if (!hak__scan_in_earnest(heap) || hak__bins_wake_shift(heap) >= HAK_PACE_PART) return;
    for (unsigned i = 0; i < WAKE_UNITS; i++) {
        hak_slab *slab = hak__superslabs_step(&heap->pages);
        if (!slab || slab->state != HAK_SLAB_FULL) continue;
        if (slab->asleep - hak__slab_left(slab) > (uint32_t)slab->capacity >> HAK_PACE_PART)
            hak__partial_link(heap, slab, hak__slab_live(slab));
    }
}

/* ------------------------------------------------------------------ before a peak */

/* Before a large block, which pays for the scan. If the heap is starved, all holes are found. */
static void scan_for_large(hak_heap *heap, size_t bytes, size_t target)
{
    size_t given = hak__purge_some(&heap->pages, target), read = 0;
    uint32_t left = hak__heap_starved(heap) ? 0 : UINT32_MAX;
    if (given < target)
        given += hak__holes_punch_some(heap, target - given, bytes / HAK_PACE_READ, &read, &left);
    if (given < target && hak__retire_idle(heap))
        given += hak__purge_some(&heap->pages, target - given);
    if (!hak__scan_pays_for_itself(heap, bytes)) hak__scan_charge(heap, given, read);
}

/* If the heap has `least` bytes to give back: purges retained pages, then holes, some at a time. At
 * last, when no holes are known, idle slabs retire and the holes of current slabs are purged. */
static void scan_on(hak_heap *heap, size_t least, size_t target)
{
    if (heap->pages.retained < least && !hak__scan_search(heap, least, HAK_PACE_READS)) return;
    size_t given = hak__purge_some(&heap->pages, target);
    hak__scan_charge(heap, given, 0);
    if (given >= target) return;
    given += hak__scan_give(heap, target - given, HAK_PACE_READS);
    if (given >= target || heap->vacant_pages) return;
    hak__retire_idle(heap);
    given += hak__holes_punch_current(heap);
    if (given < target) hak__purge_some(&heap->pages, target - given);
}

/* Waiting pages belong to the process, not to a heap. So that they do not raise the peak of the
 * process, they are purged as the heap grows. A huge block takes waiting pages first: large.c. */
static void make_room_beside(hak_heap *heap, size_t bytes)
{
    size_t waits = hak__heap_wait(heap) ? hak__waiting_bytes() : 0;
    if (!waits || bytes > HAK_SUPERSLAB_SIZE / 2) return;
    size_t most = heap->pages.footprint_peak + hak__pace_step(heap->pages.footprint_peak);
    if (heap->pages.footprint + bytes + waits > most) hak__reaper_make_room(bytes, false);
}

void hak__reclaim_before_peak(hak_heap *heap, size_t bytes)
{
    make_room_beside(heap, bytes);
    if (heap->pages.footprint + bytes <= heap->pages.footprint_peak) return;
    wake_some(heap);
    size_t least = hak__scan_least_gain(heap, bytes);
    if (least == SIZE_MAX || !hak__purge_may_begin(&heap->pages)) return;
    size_t target = hak__scan_target(heap, bytes);
    if (least <= HAK_PAGE) scan_for_large(heap, bytes, target);
    else scan_on(heap, least, target);
}

/* ------------------------------------------------------------------ when memory is refused */

bool hak__reclaim_short(hak_heap *heap)
{
    size_t lacking = heap->pages.short_of, prewarmed = heap->pages.demand.prewarmed;
    if (heap->pages.retained < prewarmed || heap->pages.retained - prewarmed < lacking)
        return false;
    hak__purge_begin(&heap->pages);
    return hak__purge_some(&heap->pages, lacking) >= lacking;
}

/* A hash of the current slabs: a free in one of them does not take the slow path. */
static uint32_t state_of_bins(const hak_heap *heap)
{
    uint64_t state = 0;
    hak_bin_class at = {0};
    for (hak_slab *slab; (slab = hak__bins_next(heap, &at)) != NULL;) {
        state = state * 0x9e3779b97f4a7c15u + ((uintptr_t)slab->free ^ (uint32_t)slab->countdown);
    }
    return (uint32_t)(state >> 32);
}

/* Whether blocks were freed since the last search. The slow path notes all frees but those in
 * current slabs, whose state is compared. */
static bool has_changed(const hak_heap *heap)
{
    return !hak__heap_starved(heap) || heap->changed ||
           heap->pages.retained > heap->pages.demand.prewarmed ||
           state_of_bins(heap) != heap->searched_bins;
}

/* The heap is starved until it has allocated as much as it has now. */
static void set_starved(hak_heap *heap)
{
    heap->starved_until = heap->pace.clock + heap->pages.footprint + 1;
}

/* Wakes all full slabs with a free block; returns how many. From then on they wake with their first
 * free block, until the heap is no longer starved. */
static size_t wake_full_slabs(hak_heap *heap)
{
    size_t woken = 0;
    if (hak__heap_starved(heap)) return 0;
    set_starved(heap);
    for (hak_superslab *super = heap->pages.supers->owned; super; super = super->next_owned) {
        hak_slab *slabs = hak__superslab_slabs(super);
        for (uint64_t rest = ~super->free & super->dirty; rest; rest &= rest - 1) {
            hak_slab *slab = &slabs[__builtin_ctzll(rest)];
            if (slab->state != HAK_SLAB_FULL) continue;
            if (slab->free) {
                hak__partial_link(heap, slab, hak__slab_live(slab));
                woken++;
            } else {
                hak__slab_sleep(slab, HAK_SLEEP_LIGHTLY);
            }
        }
    }
    return woken;
}

/* Everything but what is prewarmed. */
static bool find_all(hak_heap *heap)
{
    size_t found = heap->pages.short_of || heap->pages.region
                       ? 0
                       : hak__supply_shrink(0) + hak__reaper_flush();
    found += hak__nest_come_back(heap);
    if (!has_changed(heap)) return found > 0;
    size_t before = heap->pages.footprint;
    hak__purge_begin(&heap->pages);
    if (!hak__heap_starved(heap)) hak__holes_punch(heap, true); /* all slabs, this once */
    found += wake_full_slabs(heap);
    found += hak__retire_idle(heap);
    hak__holes_punch(heap, true);
    hak__purge_to(&heap->pages, heap->pages.demand.prewarmed);
    set_starved(heap);
    heap->changed = false;
    heap->searched_bins = state_of_bins(heap);
    return found > 0 || heap->pages.footprint < before;
}

/* Prewarmed pages go if they are all that a request lacks. */
static bool find_prewarmed(hak_heap *heap)
{
    size_t lacking = heap->pages.short_of;
    if (!heap->pages.demand.prewarmed || !lacking || heap->pages.retained < lacking) return false;
    hak__purge_begin(&heap->pages);
    size_t given = hak__purge_some(&heap->pages, lacking);
    heap->pages.demand.prewarmed -=
        given < heap->pages.demand.prewarmed ? given : heap->pages.demand.prewarmed;
    return given >= lacking;
}

bool hak__reclaim(hak_heap *heap, unsigned *step)
{
    static bool (*const steps[])(hak_heap *) = {find_all, find_prewarmed};
    while (*step < sizeof steps / sizeof *steps) {
        if (steps[(*step)++](heap)) return true;
    }
    /* The last attempt may have taken a superslab from the pool, with pages. */
    hak__purge_to(&heap->pages, heap->pages.demand.prewarmed);
    return false;
}

size_t hak__reclaim_in_use(hak_heap *heap)
{
    size_t free = heap->pages.retained + hak__holes_find(heap, true) + hak__nest_unused(heap);
    hak_bin_class at = {0};
    for (hak_slab *slab; (slab = hak__bins_next(heap, &at)) != NULL;) {
        if (hak__slab_live(slab) > 0) continue;
        free += hak__slab_pages_in_use(slab) - hak__holes_of(slab);
    }
    return heap->pages.footprint - free;
}
