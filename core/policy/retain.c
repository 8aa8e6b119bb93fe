#include "policy/retain.h"

#include "os/os.h"

/* A page is worth giving back if it is not needed again for a hundred times what the call and the
 * page fault take. */
#define MS_PER_PAGE 0.25

/* Work that tells what a program needs, in bytes for each byte that is retained. */
#define WORK_TO_TELL 4

size_t hak__retain_bound(const hak_heap *heap)
{
    const hak_profile *policy = hak__policy(heap);
    if (policy->decommit == HAK_DECOMMIT_OFF) return SIZE_MAX;
    return policy->retain_least + heap->pages.released.keep +
           heap->pages.recent_peak / 100 * policy->retain_part + heap->pages.prewarmed;
}

size_t hak__retain_wait(const hak_heap *heap)
{
    size_t decay = hak__policy(heap)->decay;
    return decay == HAK_UNSET ? heap->traits->decay : decay;
}

/* What may be kept beside `retain_least`. */
static size_t keep_most(const hak_profile *policy)
{
    return policy->retain_busy < policy->retain_least ? 0
                                                      : policy->retain_busy - policy->retain_least;
}

void hak__retain_learn(hak_heap *heap)
{
    hak_release *last = &heap->pages.released;
    size_t most = keep_most(hak__policy(heap));
    size_t again =
        heap->pages.footprint > last->footprint ? heap->pages.footprint - last->footprint : 0;
    bool regrown = last->given && again >= last->given / 2;
    if (again > most) again = most;
    uint32_t now = regrown || !last->given ? (uint32_t)hak__os_clock() : 0;
    if (regrown && (double)(now - last->began) < (double)(again / HAK_PAGE) * MS_PER_PAGE)
        last->keep += again;
    else last->keep -= last->keep / 8;
    if (last->keep > most) last->keep = most;
    if (now) *last = (hak_release){.keep = last->keep, .began = now};
}

void hak__retain_released(hak_heap *heap, size_t before)
{
    heap->pages.released.given += before - heap->pages.footprint;
    heap->pages.released.footprint = heap->pages.footprint;
}

size_t hak__retain_needed(hak_heap *heap)
{
    if (hak__policy(heap)->decommit == HAK_DECOMMIT_OFF || heap->pages.prewarmed) return SIZE_MAX;
    if (heap->work - heap->pages.peak_since < WORK_TO_TELL * heap->pages.retained) return SIZE_MAX;
    size_t in_use = heap->pages.footprint - heap->pages.retained, peak = heap->pages.peak_in_use;
    if (peak < in_use) peak = in_use;
    if (peak < heap->pages.recent_peak) heap->pages.recent_peak = peak;
    heap->pages.peak_in_use = in_use;
    heap->pages.peak_since = heap->work;
    return peak - in_use;
}
