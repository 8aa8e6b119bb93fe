#include "heap/commands.h"

#include <errno.h>

#include "heap/bins.h"
#include "heap/check.h"
#include "heap/excess.h"
#include "heap/holes.h"
#include "heap/nest.h"
#include "heap/reclaim.h"
#include "pages/pages.h"
#include "policy/policy.h"

/* A collection with so little allocated since the one before finds the program at rest. */
#define REST_WORK_KIB 16

/* ------------------------------------------------------------------ limits */

void hak__policy_limit(hak_heap *heap, size_t bytes)
{
    heap->pages.limit = bytes ? bytes : SIZE_MAX;
    heap->pages.kept_back = 0;
}

/* Brings the footprint down to `bytes`: first by what is retained, as much as is needed; then by
 * what a trim would give back. False, and nothing is given back, when that is not enough. */
static bool fit(hak_heap *heap, size_t bytes)
{
    if (heap->pages.footprint <= bytes) return true;
    if (hak__reclaim_in_use(heap) > bytes) return false;
    hak__purge_begin(&heap->pages);
    hak__purge_some(&heap->pages, heap->pages.footprint - bytes);
    if (heap->pages.demand.prewarmed > heap->pages.retained)
        heap->pages.demand.prewarmed = heap->pages.retained;
    if (heap->pages.footprint > bytes) hak_heap_trim(heap);
    return heap->pages.footprint <= bytes;
}

bool hak_heap_set_limit(hak_heap *heap, size_t bytes)
{
    hak__heap_check_now_and_then(heap);
    if (bytes && !fit(heap, bytes)) {
        errno = ERANGE;
        return false;
    }
    hak__policy_limit(heap, bytes);
    return true;
}

size_t hak_heap_limit(const hak_heap *heap)
{
    return heap->pages.limit == SIZE_MAX ? 0 : heap->pages.limit;
}

void hak_heap_grace(hak_heap *heap, size_t bytes)
{
    hak__heap_check_now_and_then(heap);
    heap->pages.grace = bytes;
    if (bytes)
        heap->pages.grace_used = heap->pages.footprint > heap->pages.limit
                                     ? heap->pages.footprint - heap->pages.limit
                                     : 0;
}

size_t hak_heap_grace_used(const hak_heap *heap)
{
    return heap->pages.grace_used;
}

/* ------------------------------------------------------------------ giving back */

size_t hak_heap_trim(hak_heap *heap)
{
    size_t before = heap->pages.footprint;
    heap->pages.at_once = true;
    heap->pages.demand.prewarmed = 0;
    hak__purge_begin(&heap->pages);
    hak__bins_retire_idle(heap);
    hak__holes_punch(heap, true);
    hak__purge_to(&heap->pages, 0);
    heap->pages.at_once = false;
    hak__heap_check_now_and_then(heap);
    if (heap->pages.region) return before - heap->pages.footprint;
    hak__purge_unused(&heap->pages);
    return before - heap->pages.footprint + hak__supply_shrink(0) + hak__reaper_flush();
}

size_t hak_heap_prewarm(hak_heap *heap, size_t bytes)
{
    size_t touched = 0;
    bytes &= ~(HAK_PAGE - 1);
    if (heap->pages.region || (bytes && !hak__nest_ensure_lists(heap))) bytes = 0;
    while (touched < bytes) {
        size_t more = hak__units_prewarm(&heap->pages, bytes - touched);
        if (more == 0) break;
        touched += more;
    }
    heap->pages.demand.prewarmed += touched;
    hak__heap_check_now_and_then(heap);
    return touched;
}

/* Gives back what is above the bound, holes too, and what the program has not come to use for some
 * time. */
static void settle(hak_heap *heap)
{
    size_t before = heap->pages.footprint, bound = hak__heap_bound(heap);
    size_t most = heap->pages.retained + heap->loose + hak__bins_pages(heap);
    if (most > bound && heap->pages.retained + hak__holes_find(heap, false) > bound &&
        hak__purge_may_begin(&heap->pages)) {
        hak__heap_learn(heap);
        hak__bins_retire_idle(heap);
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
    if (heap->pages.retained + hak__bins_pages(heap) > keep) hak__bins_retire_idle(heap);
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
    hak__pace_hope(&heap->pace);
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

/* ------------------------------------------------------------------ profiles */

bool hak__policy_refine(hak_profile *policy, uint32_t *given, const char *settings, char *message,
                        size_t size)
{
    uint32_t set = 0;
    if (!hak__options_refine(policy, &set, settings, message, size)) return false;
    if (set & ~hak__options_lasting()) policy->name = hak__profile_named("custom")->name;
    *given |= set;
    return true;
}

/* Gives back what the heap's policy would not have retained, of what an earlier one has. */
static void comply(hak_heap *heap)
{
    heap->round_left = 0; /* what was looked for under the last policy */
    if (hak__policy(heap)->decommit == HAK_DECOMMIT_OFF) return;
    heap->pages.demand.prewarmed = 0;
    hak__purge_begin(&heap->pages);
    hak__bins_retire_idle(heap);
    heap->pages.demand.recent_peak = heap->pages.footprint - heap->pages.retained;
    heap->pages.demand.released = (hak_release){0};
    if (heap->pages.retained + heap->loose > hak__heap_bound(heap)) hak__holes_punch(heap, false);
    hak__purge_to(&heap->pages, hak__heap_bound(heap));
    if (heap->pages.region) return;
    hak__supply_shrink(hak__policy(heap)->pool);
    hak__reaper_flush();
    hak__heap_check_now_and_then(heap);
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
    if (!hak__policy_refine(&policy, &given, settings, message, size)) return false;
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
