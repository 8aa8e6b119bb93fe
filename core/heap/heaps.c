#include "heap/heaps.h"

static hak_heap *heaps; /* under the region's lock */

void hak__heaps_add(hak_heap *heap)
{
    hak__region_lock();
    heap->previous_heap = NULL;
    heap->next_heap = heaps;
    if (heaps) heaps->previous_heap = heap;
    heaps = heap;
    hak__region_unlock();
}

void hak__heaps_remove(hak_heap *heap)
{
    hak__region_lock();
    if (heap->previous_heap) heap->previous_heap->next_heap = heap->next_heap;
    else heaps = heap->next_heap;
    if (heap->next_heap) heap->next_heap->previous_heap = heap->previous_heap;
    hak__region_unlock();
}

hak_heaps_sums hak__heaps_sums(void)
{
    hak_heaps_sums sums = {0};
    for (hak_heap *heap = heaps; heap; heap = heap->next_heap) {
        sums.heaps++;
        sums.footprint += __atomic_load_n(&heap->pages.footprint, __ATOMIC_RELAXED);
        sums.retained += __atomic_load_n(&heap->pages.retained, __ATOMIC_RELAXED);
    }
    return sums;
}
