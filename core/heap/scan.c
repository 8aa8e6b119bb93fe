#include "heap/scan.h"

#include "heap/holes.h"

static hak_growth growth_of(const hak_heap *heap, size_t bytes)
{
    return (hak_growth){
        .footprint = heap->pages.footprint,
        .peak = heap->pages.footprint_peak,
        .retained = heap->pages.retained,
        .bytes = bytes,
        .paid = hak__scan_paid(heap),
        .counts_whole = hak__pace_advance(heap->hints, bytes, 1) == bytes,
    };
}

size_t hak__scan_least_gain(hak_heap *heap, size_t bytes)
{
    if (hak__policy(heap)->decommit == HAK_DECOMMIT_OFF) return SIZE_MAX;
    if (heap->pages.demand.prewarmed) return SIZE_MAX; /* memory is kept on purpose */
    hak_growth growth = growth_of(heap, bytes);
    return hak__pace_least_gain(&heap->pace, &growth);
}

size_t hak__scan_target(const hak_heap *heap, size_t bytes)
{
    hak_growth growth = growth_of(heap, bytes);
    return hak__pace_target(&growth);
}

bool hak__scan_pays_for_itself(const hak_heap *heap, size_t bytes)
{
    hak_growth growth = growth_of(heap, bytes);
    return hak__pace_pays_for_itself(&growth);
}

bool hak__scan_search(hak_heap *heap, size_t bytes, size_t reads)
{
    size_t read = 0;
    uint32_t left = hak__superslabs_round(&heap->pages);
    size_t there = heap->pages.retained;
    there += hak__holes_find_some(heap, reads, &read, &left);
    if (there < bytes && !left) there += hak__holes_of_current(heap, &read);
    hak__scan_charge(heap, 0, read);
    if (there < bytes && !left) hak__pace_in_vain(&heap->pace, heap->pages.footprint);
    return there >= bytes;
}

size_t hak__scan_give(hak_heap *heap, size_t bytes, size_t reads)
{
    size_t read = 0;
    uint32_t left = hak__superslabs_round(&heap->pages);
    size_t given = hak__holes_punch_some(heap, bytes, reads, &read, &left);
    hak__scan_charge(heap, given, read);
    return given;
}
