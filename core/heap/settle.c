/* After a collection of the VM: gives back what the program no longer needs. */
#include "heap/adapter.h"
#include "heap/bins.h"
#include "heap/check.h"
#include "heap/excess.h"
#include "heap/guard.h"
#include "heap/holes.h"
#include "heap/nest.h"
#include "heap/retire.h"
#include "heap/scan.h"

/* Purges what is above the bound, holes included, and what the program has not used lately. */
static void settle(hak_heap *heap)
{
    size_t before = heap->pages.footprint, bound = hak__heap_bound(heap);
    size_t most = heap->pages.retained + heap->partial_bytes + hak__bins_pages(heap);
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

/* Whether a release of `part` bytes or more goes on, and the current slabs have as many bytes. They
 * may have no block, which only a scan tells. */
static bool may_have_emptied_slabs(const hak_heap *heap, size_t part)
{
    return hak__retain_releases(&heap->pages.demand, part) && hak__bins_pages(heap) >= part;
}

/* Minor cycles are frequent. Settling is worth it if the program has paid for the footprint since
 * the last time. If an eighth of the footprint is free, an eighth is enough. */
static bool worth_settling(const hak_heap *heap)
{
    size_t footprint = heap->pages.footprint, free = heap->pages.retained + heap->partial_bytes;
    size_t part = footprint / HAK_RETAIN_PART, least = free >= part ? part : footprint;
    return hak__scan_paid(heap) - heap->pages.demand.settled_at >= least ||
           may_have_emptied_slabs(heap, part);
}

size_t hak__heap_rest(hak_heap *heap, size_t keep)
{
    size_t before = heap->pages.footprint, in_use = before - heap->pages.retained;
    if (hak__heap_bound(heap) == SIZE_MAX) return 0;
    keep += hak__policy(heap)->retain_least / 2 + heap->pages.demand.prewarmed;
    heap->pages.demand.recent_peak = in_use;
    if (heap->pages.retained + hak__bins_pages(heap) > keep) hak__retire_idle(heap);
    if (heap->pages.retained > keep && hak__purge_may_begin(&heap->pages)) {
        hak__purge_to(&heap->pages, keep);
        hak__heap_released(heap, before);
    }
    if (hak__heap_wait(heap) && !heap->pages.region) hak__reaper_flush();
    hak__heap_check_now_and_then(heap);
    return before - heap->pages.footprint;
}

size_t hak_heap_settle(hak_heap *heap)
{
    HAK_GUARDED(heap);
    hak__nest_settle(heap);
    hak__pace_hope(&heap->pace, hak__scan_paid(heap));
    bool rests = heap->pace.clock < heap->rests_until;
    heap->rests_until = heap->pace.clock + HAK_PACE_LEAST;
    if (rests) return hak__heap_rest(heap, 0);
    if (!worth_settling(heap)) return 0;
    size_t before = heap->pages.footprint;
    settle(heap);
    hak__heap_check_now_and_then(heap);
    return before - heap->pages.footprint;
}
