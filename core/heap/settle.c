/* After a collection of the VM: what the program is done with goes back. */
#include "heap/adapter.h"
#include "heap/bins.h"
#include "heap/check.h"
#include "heap/excess.h"
#include "heap/holes.h"
#include "heap/look.h"
#include "heap/nest.h"
#include "heap/retire.h"

/* A collection with so little allocated since the one before finds the program at rest. */
#define REST_WORK_KIB 16

/* Gives back what is above the bound, holes too, and what the program has not come to use for some
 * time. */
static void settle(hak_heap *heap)
{
    size_t before = heap->pages.footprint, bound = hak__heap_bound(heap);
    size_t most = heap->pages.retained + heap->loose + hak__bins_pages(heap);
    if (most > bound && heap->pages.retained + hak__holes_find(heap, false) > bound &&
        hak__purge_may_begin(&heap->pages)) {
        hak__heap_learn(heap);
        hak__retire_idle(heap);
        hak__holes_punch(heap, false);
        hak__heap_released(heap, before);
    }
    hak__excess_purge(heap);
    size_t needed = hak__heap_needed(heap), least = hak__policy(heap)->retain_least;
    if (needed < SIZE_MAX - least && heap->pages.retained > needed + least &&
        hak__purge_may_begin(&heap->pages)) {
        size_t keep = needed + least / 2;
        hak__heap_let_wait(heap, keep);
        hak__purge_to(&heap->pages, keep);
    }
}

/* In KiB, as such times are noted; modulo 2^32. */
static uint32_t work_since(const hak_heap *heap, uint32_t before)
{
    return (uint32_t)(heap->pace.work / 1024) - before;
}

/* Minor cycles are frequent. One is worth a look when the program has allocated as much as the heap
 * has since the last, or the cycle has freed an eighth of it, which may have gone back already. */
static bool worth_settling(const hak_heap *heap)
{
    size_t footprint = heap->pages.footprint, was = heap->settled_pages * HAK_PAGE;
    size_t free = heap->pages.retained + heap->loose, was_free = heap->settled_free * HAK_PAGE;
    return work_since(heap, heap->settled_at) >= footprint / 1024 ||
           free >= was_free + footprint / 8 || footprint < was - was / 8;
}

size_t hak__heap_rest(hak_heap *heap, size_t keep)
{
    size_t before = heap->pages.footprint, in_use = before - heap->pages.retained;
    if (hak__heap_bound(heap) == SIZE_MAX) return 0;
    keep += hak__policy(heap)->retain_least / 2 + heap->pages.demand.prewarmed;
    heap->pages.demand.recent_peak = heap->pages.demand.peak_in_use = in_use;
    if (heap->pages.retained + hak__bins_pages(heap) > keep) hak__retire_idle(heap);
    if (heap->pages.retained > keep && hak__purge_may_begin(&heap->pages)) {
        hak__purge_to(&heap->pages, keep);
        hak__heap_released(heap, before);
    }
    if (hak__heap_wait(heap) && !heap->pages.region) hak__reaper_flush();
    hak__heap_check_now_and_then(heap);
    return before - heap->pages.footprint;
}

/* Whether hardly anything has been allocated since the last collection. */
static bool at_rest(const hak_heap *heap)
{
    return heap->has_collected && !heap->took_large &&
           work_since(heap, heap->collected_at) < REST_WORK_KIB;
}

size_t hak_heap_settle(hak_heap *heap)
{
    hak__nest_settle(heap);
    hak__pace_hope(&heap->pace, hak__look_paid(heap));
    bool rests = at_rest(heap);
    heap->has_collected = true;
    heap->took_large = false;
    heap->collected_at = (uint32_t)(heap->pace.work / 1024);
    if (rests) return hak__heap_rest(heap, 0);
    if (!worth_settling(heap)) return 0;
    size_t before = heap->pages.footprint;
    settle(heap);
    heap->settled_at = heap->collected_at;
    heap->settled_free = (uint32_t)((heap->pages.retained + heap->loose) / HAK_PAGE);
    heap->settled_pages = (uint32_t)(heap->pages.footprint / HAK_PAGE);
    hak__heap_check_now_and_then(heap);
    return before - heap->pages.footprint;
}
