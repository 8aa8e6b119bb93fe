#include "pages/accounts.h"

#define RESERVE_PART 32
#define RESERVE_MOST ((size_t)64 * 1024)

size_t hak__reserve(const hak_heap *heap)
{
    if (heap->limit == SIZE_MAX) return 0;
    size_t part = heap->limit / RESERVE_PART & ~(HAK_PAGE - 1);
    return part < RESERVE_MOST ? part : RESERVE_MOST;
}

/* The footprint the heap may have now. */
static size_t allowance(const hak_heap *heap)
{
    if (heap->grace == 0) {
        size_t reserve = heap->holds_back ? hak__reserve(heap) : 0;
        size_t kept = (size_t)heap->kept_back * HAK_PAGE;
        return heap->limit - (kept > reserve ? kept : reserve);
    }
    return heap->grace > SIZE_MAX - heap->limit ? SIZE_MAX : heap->limit + heap->grace;
}

size_t hak__short_of(const hak_heap *heap, size_t bytes)
{
    size_t most = allowance(heap);
    if (bytes == 0) return 0;
    if (heap->footprint > most) return bytes + (heap->footprint - most);
    return bytes <= most - heap->footprint ? 0 : bytes - (most - heap->footprint);
}

bool hak__may_charge(const hak_heap *heap, size_t bytes)
{
    return hak__short_of(heap, bytes) == 0;
}

void hak__charge_always(hak_heap *heap, size_t bytes)
{
    heap->footprint += bytes;
    if (heap->footprint > heap->footprint_peak) heap->footprint_peak = heap->footprint;
    if (heap->footprint > heap->limit && heap->footprint - heap->limit > heap->grace_used) {
        heap->grace_used = heap->footprint - heap->limit;
    }
    size_t in_use = heap->footprint - heap->retained;
    if (in_use > heap->recent_peak) heap->recent_peak = in_use;
    if (in_use > heap->peak_in_use) heap->peak_in_use = in_use;
}

bool hak__charge(hak_heap *heap, size_t bytes)
{
    heap->short_of = hak__short_of(heap, bytes);
    if (heap->short_of) return false;
    hak__charge_always(heap, bytes);
    return true;
}

void hak__discharge(hak_heap *heap, size_t bytes)
{
    HAK_ASSERT(bytes <= heap->footprint);
    heap->footprint -= bytes;
}
