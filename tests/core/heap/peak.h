/* A heap of which a test says how large it is, to ask what it decides then. */
#ifndef HAK_TEST_PEAK_H
#define HAK_TEST_PEAK_H

#include "heap/blocks.h"
#include "heap/excess.h"
#include "heap/scan.h"
#include "support.h"

static hak_heap *heap;

static int setup(void **state)
{
    (void)state;
    heap = hak_heap_new(&(hak_heap_options){.profile = "balanced"});
    return heap ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    hak_heap_destroy(heap);
    return 0;
}

/* A heap of so many bytes at its peak, which has not grown since its last step. Put back before
 * anything else is done with it. */
static hak_heap at_peak(size_t footprint)
{
    hak_heap was = *heap;
    heap->pages.footprint = heap->pages.footprint_peak = heap->pace.stepped_peak = footprint;
    heap->pages.retained = heap->pages.demand.prewarmed = 0;
    heap->pace.clock = 1000000;
    heap->pace.next_scan = hak__scan_paid(heap);
    return was;
}

#endif
