#include "heap/commands.h"

#include <errno.h>

#include "heap/bins.h"
#include "heap/check.h"
#include "heap/excess.h"
#include "heap/guard.h"
#include "heap/holes.h"
#include "heap/nest.h"
#include "heap/reclaim.h"
#include "heap/retire.h"
#include "pages/pages.h"
#include "policy/policy.h"

/* ------------------------------------------------------------------ limits */

void hak__heap_keep_to(hak_heap *heap, size_t bytes)
{
    heap->pages.limit = bytes ? bytes : SIZE_MAX;
    heap->pages.adapter_reserve = 0;
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
    HAK_GUARDED(heap);
    hak__heap_check_now_and_then(heap);
    if (bytes && !fit(heap, bytes)) {
        errno = ERANGE;
        return false;
    }
    hak__heap_keep_to(heap, bytes);
    return true;
}

size_t hak_heap_limit(const hak_heap *heap)
{
    HAK_GUARDED(heap);
    return heap->pages.limit == SIZE_MAX ? 0 : heap->pages.limit;
}

void hak_heap_grace(hak_heap *heap, size_t bytes)
{
    HAK_GUARDED(heap);
    hak__heap_check_now_and_then(heap);
    heap->pages.grace = bytes;
    if (bytes)
        heap->pages.grace_used = heap->pages.footprint > heap->pages.limit
                                     ? heap->pages.footprint - heap->pages.limit
                                     : 0;
}

size_t hak_heap_grace_used(const hak_heap *heap)
{
    HAK_GUARDED(heap);
    return heap->pages.grace_used;
}

/* ------------------------------------------------------------------ giving back */

size_t hak_heap_trim(hak_heap *heap)
{
    HAK_GUARDED(heap);
    size_t before = heap->pages.footprint;
    heap->pages.at_once = true;
    heap->pages.demand.prewarmed = 0;
    hak__purge_begin(&heap->pages);
    hak__retire_idle(heap);
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
    HAK_GUARDED(heap);
    size_t touched = 0;
    bytes &= ~(HAK_PAGE - 1);
    if (heap->pages.region || (bytes && !hak__nest_ensure_lists(heap))) bytes = 0;
    while (touched < bytes) {
        size_t more = hak__prewarm(&heap->pages, bytes - touched);
        if (more == 0) break;
        touched += more;
    }
    heap->pages.demand.prewarmed += touched;
    hak__heap_check_now_and_then(heap);
    return touched;
}

/* ------------------------------------------------------------------ profiles */

bool hak__heap_refine(hak_profile *policy, uint32_t *given, const char *settings, char *message,
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
    hak__pace_set_left(&heap->pace, 0); /* what was looked for under the last policy */
    if (hak__policy(heap)->decommit == HAK_DECOMMIT_OFF) return;
    heap->pages.demand.prewarmed = 0;
    hak__purge_begin(&heap->pages);
    hak__retire_idle(heap);
    heap->pages.demand.recent_peak = heap->pages.footprint - heap->pages.retained;
    heap->pages.demand.released = (hak_release){0};
    if (heap->pages.retained + heap->partial_bytes > hak__heap_bound(heap))
        hak__holes_punch(heap, false);
    hak__purge_to(&heap->pages, hak__heap_bound(heap));
    if (heap->pages.region) return;
    hak__supply_shrink(hak__policy(heap)->pool);
    hak__reaper_flush();
    hak__heap_check_now_and_then(heap);
}

void hak__heap_switch(hak_profile *policy, uint32_t *given, const char *name)
{
    hak_profile other;
    hak__options_profile(name, &other);
    other.kinds = policy->kinds;
    *policy = other;
    *given = 1 | (*given & hak__options_lasting());
}

void hak__heap_adopt(hak_heap *heap, const hak_profile *policy, uint32_t given)
{
    heap->policy = *policy;
    heap->overrides = given;
}

void hak__heap_follow(hak_heap *heap, const hak_profile *policy, uint32_t given)
{
    hak__heap_adopt(heap, policy, given);
    comply(heap);
}

bool hak_heap_set_profile(hak_heap *heap, const char *name)
{
    HAK_GUARDED(heap);
    if (!hak_profile_valid(name, NULL, 0)) return false;
    hak__heap_switch(&heap->policy, &heap->overrides, name);
    comply(heap);
    return true;
}

bool hak_heap_configure(hak_heap *heap, const char *settings, char *message, size_t size)
{
    HAK_GUARDED(heap);
    hak_profile policy = heap->policy;
    uint32_t given = heap->overrides;
    if (!hak__heap_refine(&policy, &given, settings, message, size)) return false;
    if (!hak__options_may_follow(&heap->policy, &policy, message, size)) return false;
    hak__heap_follow(heap, &policy, given);
    return true;
}

const char *hak_heap_profile(const hak_heap *heap)
{
    HAK_GUARDED(heap);
    return hak__policy(heap)->name;
}

size_t hak_options(const hak_heap *heap, hak_option *options, size_t most)
{
    hak_profile profile;
    if (heap) {
        HAK_GUARDED(heap);
        return hak__options_list(hak__policy(heap), heap->overrides, options, most);
    }
    hak__options_profile(NULL, &profile);
    return hak__options_list(&profile, 0, options, most);
}
