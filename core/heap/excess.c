#include "heap/excess.h"

#include "heap/look.h"

#define PASSING HAK_SUPERSLAB_SIZE /* may be too much for a moment */

/* Free blocks that are read, and units that are passed, by one free that looks for holes: few, so
 * that it does not take long, however many there are. */
#define READS_AT_A_FREE 256

/* Whether what is beyond the bound stays for a moment: superslabs that are being emptied can wait
 * as a whole when they are empty, a program that works in bursts takes them again, and a block that
 * grows takes its spare. */
static bool may_stay(hak_heap *heap, size_t bound)
{
    hak_pages *pages = &heap->pages;
    size_t most = bound + PASSING + hak__kept_spare(pages);
    return hak__retain_may_stay(&pages->demand, pages->retained, most, hak__heap_wait(heap));
}

static bool is_within(hak_heap *heap, size_t bound)
{
    if (heap->pages.retained > bound) return false;
    heap->pages.demand.released.over = 0;
    return true;
}

void hak__excess_purge(hak_heap *heap)
{
    hak_pages *pages = &heap->pages;
    size_t bound = hak__heap_bound(heap);
    if (is_within(heap, bound) || !hak__purge_may_begin(pages)) return;
    hak__heap_let_wait(heap, bound / 2 + hak__kept_spare(pages));
    if (is_within(heap, bound) || may_stay(heap, bound)) return;
    hak__heap_learn(heap);
    hak__retain_forget(&pages->demand, pages->footprint - pages->retained);
    size_t before = pages->footprint;
    hak__purge_to(pages, hak__heap_bound(heap) / 2);
    hak__heap_released(heap, before);
}

void hak__excess_punch(hak_heap *heap)
{
    size_t bound = hak__heap_bound(heap);
    if (heap->loose >= heap->pace.loose_at && heap->loose > bound &&
        hak__purge_may_begin(&heap->pages)) {
        hak__heap_learn(heap);
        heap->pace.loose_at = SIZE_MAX;
        if (!heap->round_left || heap->round_searches) hak__look_begin(heap, false);
    }
    if (heap->round_left && !heap->round_searches && heap->loose > bound) {
        size_t before = heap->pages.footprint;
        hak__look_give(heap, SIZE_MAX, READS_AT_A_FREE);
        hak__heap_released(heap, before);
    }
    hak__pace_put_off(&heap->pace, heap->loose, bound);
}
