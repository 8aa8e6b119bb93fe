#include "heap/kinds.h"

_Static_assert(HAK_KINDS <= HAK_KINDS_MAX && HAK_KINDS <= 8,
               "kinds have room in statistics and nest");

/* The bins of a kind that has no slab yet. */
static const hak_bins no_bins = {
    .bin = {[0 ... HAK_SMALL_MAX / 8] = (hak_slab *)&hak__no_slab},
    .lists = (hak_lists *)&hak__no_lists,
};

void hak__kinds_open(hak_heap *heap, bool kinds)
{
    heap->kinds = kinds;
    heap->sets = heap->open;
    for (unsigned kind = 0; kind < HAK_KINDS; kind++) {
        heap->open[kind] = kind && kinds ? (hak_bins *)&no_bins : &heap->bins;
    }
    if (kinds) *hak__kinds_of(heap) = (hak_kinds){.count = 1};
}

void hak__kinds_close_bins(hak_heap *heap)
{
    heap->bins = no_bins;
    for (unsigned kind = 0; kind < HAK_KINDS; kind++) heap->open[kind] = (hak_bins *)&no_bins;
}

void hak__kinds_clear_lists(const hak_heap *heap, void *memory)
{
    hak_all_lists *all = memory;
    all->supers = hak__no_superslabs;
    all->lists = hak__no_lists;
    for (unsigned i = 0; hak__heap_keeps_kinds(heap) && i < HAK_KINDS - 1; i++) {
        all->sets[i] = (hak_set){no_bins, hak__no_lists};
    }
}

void hak__kinds_set_lists(hak_heap *heap, void *memory)
{
    hak_all_lists *all = memory;
    heap->pages.supers = &all->supers;
    heap->sets[0]->lists = &all->lists;
    for (unsigned i = 0; hak__heap_keeps_kinds(heap) && i < HAK_KINDS - 1; i++) {
        all->sets[i].bins.lists = &all->sets[i].lists;
        heap->sets[i + 1] = &all->sets[i].bins;
    }
}

void hak__kinds_name(hak_heap *heap, const char *const *names, unsigned count)
{
    if (!hak__heap_keeps_kinds(heap) || hak__kinds_of(heap)->names) return;
    HAK_ASSERT(count <= HAK_KINDS);
    hak__kinds_of(heap)->names = names;
    hak__kinds_of(heap)->count = count;
}

const char *hak__kinds_name_of(const hak_heap *heap, unsigned kind)
{
    bool named = hak__heap_keeps_kinds(heap) && hak__kinds_of(heap)->names;
    return named ? hak__kinds_of(heap)->names[kind] : "other";
}

unsigned hak__kinds_in_nest(const hak_heap *heap, size_t offset)
{
    size_t step = offset / HAK_KINDS_NEST_STEP;
    const uint32_t *bits = hak__kinds_of(heap)->in_nest[step / 32];
    unsigned kind = 0;
    for (unsigned i = 0; i < 3; i++) kind |= (bits[i] >> step % 32 & 1) << i;
    return kind;
}

void hak__kinds_set_in_nest(hak_heap *heap, size_t offset, unsigned kind)
{
    size_t step = offset / HAK_KINDS_NEST_STEP;
    uint32_t *bits = hak__kinds_of(heap)->in_nest[step / 32], bit = (uint32_t)1 << step % 32;
    for (unsigned i = 0; i < 3; i++) bits[i] = kind >> i & 1 ? bits[i] | bit : bits[i] & ~bit;
}
