#include "heap/look.h"

#include "heap/holes.h"

static hak_growth growth_of(const hak_heap *heap, size_t bytes)
{
    return (hak_growth){
        .footprint = heap->pages.footprint,
        .peak = heap->pages.footprint_peak,
        .retained = heap->pages.retained,
        .bytes = bytes,
        .refills = heap->refills,
        .paid = hak__look_paid(heap),
        .searching = heap->round_left > 0 && heap->round_searches,
        .is_work = hak__pace_work(heap->hints, bytes, 1) == bytes,
    };
}

size_t hak__look_worth(hak_heap *heap, size_t bytes)
{
    if (hak__policy(heap)->decommit == HAK_DECOMMIT_OFF) return SIZE_MAX;
    if (heap->pages.demand.prewarmed) return SIZE_MAX; /* memory is kept on purpose */
    hak_growth growth = growth_of(heap, bytes);
    return hak__pace_worth(&heap->pace, &growth);
}

size_t hak__look_share(const hak_heap *heap, size_t bytes)
{
    hak_growth growth = growth_of(heap, bytes);
    return hak__pace_share(&growth);
}

bool hak__look_pays_for_itself(const hak_heap *heap, size_t bytes)
{
    hak_growth growth = growth_of(heap, bytes);
    return hak__pace_pays_for_itself(&growth);
}

void hak__look_begin(hak_heap *heap, bool searches)
{
    heap->round_searches = searches;
    heap->round_left = heap->pages.region ? 0 : hak__superslabs_round(&heap->pages);
}

bool hak__look_search(hak_heap *heap, size_t worth, size_t reads)
{
    size_t read = 0;
    size_t there = heap->pages.retained;
    there += hak__holes_find_some(heap, reads, &read, &heap->round_left);
    if (there < worth && !heap->round_left) there += hak__holes_of_current(heap, &read);
    hak__look_pay(heap, 0, read);
    if (there >= worth) heap->pace.looks_in_vain = 0;
    else if (!heap->round_left) hak__pace_in_vain(&heap->pace, heap->pages.footprint);
    return there >= worth;
}

size_t hak__look_give(hak_heap *heap, size_t bytes, size_t reads)
{
    size_t read = 0;
    size_t given = hak__holes_punch_some(heap, bytes, reads, &read, &heap->round_left);
    hak__look_pay(heap, given, read);
    return given;
}
