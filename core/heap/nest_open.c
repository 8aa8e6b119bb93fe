/* Opening a nest, and giving up its pages. */
#include <string.h>

#include "heap/nest.h"
#include "heap/nest_map.h"

void hak__nest_open(hak_heap *heap, hak_slab *run, size_t begin)
{
    hak_nest *nest = &heap->nest;
    nest->run = run;
    nest->start = run->start;
    if (!heap->pages.region) heap->pages.single = run;
    nest->begin = (uint32_t)begin;
    hak__nest_set_carved(nest, begin);
    size_t size = run->units * hak__pages_unit_size(&heap->pages),
           most = (size_t)1 << HAK_UNIT_SHIFT;
    nest->end = (uint32_t)(size < most ? size : most);
    if (!hak__heap_has_lists(heap)) nest->end -= hak__nest_lists_size(heap);
}

bool hak__nest_open_run(hak_heap *heap)
{
    if (!heap->pages.region) return false;
    size_t unit = hak__unit_size(heap->pages.region), most = (size_t)1 << HAK_UNIT_SHIFT;
    size_t count = heap->pages.region->units / 8;
    if (count * unit > most) count = most / unit;
    hak_slab *run = count ? hak__units_take(&heap->pages, count, 1, HAK_UNIT_NEST) : NULL;
    if (run) hak__nest_open(heap, run, 2 * HAK_NEST_STEP);
    return run != NULL;
}

size_t hak__nest_lists_offset(const hak_heap *heap)
{
    size_t offset = (size_t)((char *)heap->pages.supers - heap->nest.start);
    if (!hak__heap_has_lists(heap)) return 0;
    return offset >= heap->nest.begin && offset < heap->nest.carved ? offset : 0;
}

void hak__nest_reset(hak_heap *heap)
{
    hak_nest *nest = &heap->nest;
    if (hak__nest_lists_offset(heap)) {
        char *front = nest->start + nest->begin;
        memmove(front, heap->pages.supers, hak__kinds_lists_size(hak__heap_keeps_kinds(heap)));
        hak__kinds_set_lists(heap, front);
        nest->begin += hak__nest_lists_size(heap);
    }
    hak__nest_set_carved(nest, nest->begin);
    nest->gap = nest->gap_end = 0;
    nest->to_cut = 0;
    memset(nest->free, 0, sizeof nest->free);
    memset(nest->starts, 0, sizeof nest->starts);
}

size_t hak__nest_own_pages(const hak_heap *heap)
{
    return heap->pages.region ? 0 : hak__up(heap->nest.begin, HAK_PAGE);
}

void hak__nest_trim(hak_heap *heap)
{
    hak_nest *nest = &heap->nest;
    hak_slab *run = nest->run;
    if (!run) return;
    if (nest->live == 0) {
        hak__nest_reset(heap);
        if (heap->pages.region) {
            hak__units_give(&heap->pages, run);
            nest->run = NULL;
            nest->end = 0;
            return;
        }
    }
    size_t used = hak__up(nest->carved, HAK_PAGE);
    if (used < run->span_size) {
        hak__units_leave(&heap->pages, run, used, run->span_size);
        run->span_size = used;
    }
    if (nest->live == 0 && run->span_size) {
        hak__discharge(&heap->pages, used);
        run->span_size = 0;
    }
}

size_t hak__nest_unused(const hak_heap *heap)
{
    const hak_nest *nest = &heap->nest;
    if (!nest->run) return 0;
    size_t used = nest->live ? hak__up(nest->carved, HAK_PAGE) : 0, in_use = nest->run->span_size;
    return used < in_use ? in_use - used : 0;
}
