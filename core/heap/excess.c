#include "heap/excess.h"

#include "heap/holes.h"
#include "heap/scan.h"

/* Whether pages beyond the bound stay for a moment. A superslab that is being emptied can wait as a
 * whole once it is empty, and a program that works in bursts takes it again. A growing block takes
 * its spare. */
static bool may_stay(hak_heap *heap, size_t bound)
{
    hak_pages *pages = &heap->pages;
    size_t most = bound + HAK_SUPERSLAB_SIZE + hak__kept_spare(pages);
    return hak__retain_may_stay(&pages->demand, pages->retained, most, hak__heap_wait(heap));
}

/* Whether the heap is busy, and nothing that it retains waits for a thread of hakmem to purge it.
 */
static bool is_busy(const hak_heap *heap)
{
    return !hak__heap_wait(heap) && hak__retain_is_recent(&heap->pages.demand, heap->hints->busy);
}

/* Purges what even a busy heap may not retain. */
static void purge_busy(hak_heap *heap, size_t bound)
{
    hak_pages *pages = &heap->pages;
    size_t in_use = pages->footprint - pages->retained,
           most = hak__retain_busy_bound(hak__policy(heap), bound, in_use);
    if (pages->retained > most) hak__purge_to(pages, most - most / HAK_RETAIN_PART);
}

void hak__excess_purge(hak_heap *heap)
{
    hak_pages *pages = &heap->pages;
    size_t bound = hak__heap_bound(heap);
    if (pages->retained <= bound || !hak__purge_may_begin(pages)) return;
    if (is_busy(heap)) {
        purge_busy(heap, bound);
        return;
    }
    hak__heap_let_wait(heap, bound / 2 + hak__kept_spare(pages));
    if (pages->retained <= bound || may_stay(heap, bound)) return;
    hak__heap_learn(heap);
    hak__retain_forget(&pages->demand, pages->footprint - pages->retained);
    size_t before = pages->footprint;
    hak__purge_to(pages, hak__heap_bound(heap) / 2);
    hak__heap_released(heap, before);
}

/* Begins a scan of all partial slabs, if they have enough bytes. */
static void begin_scan(hak_heap *heap)
{
    if (heap->partial_bytes < (size_t)heap->pace.partial_scan_at || is_busy(heap) ||
        !hak__purge_may_begin(&heap->pages))
        return;
    hak__heap_learn(heap);
    hak__pace_set_left(&heap->pace, hak__superslabs_round(&heap->pages));
}

/* Continues it. */
static void scan_on(hak_heap *heap)
{
    size_t before = heap->pages.footprint, read = 0;
    uint32_t left = hak__pace_left(&heap->pace);
    size_t given = hak__holes_punch_some(heap, SIZE_MAX, HAK_PACE_READS, &read, &left);
    hak__pace_set_left(&heap->pace, left);
    hak__scan_charge(heap, given, read);
    hak__heap_released(heap, before);
}

void hak__excess_punch(hak_heap *heap)
{
    size_t bound = hak__heap_bound(heap);
    if (heap->partial_bytes > bound) {
        if (!hak__pace_left(&heap->pace)) begin_scan(heap);
        if (hak__pace_left(&heap->pace)) scan_on(heap);
    }
    if (!hak__pace_left(&heap->pace)) hak__pace_put_off(&heap->pace, heap->partial_bytes, bound);
}
