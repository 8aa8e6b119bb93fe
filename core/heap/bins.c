#include "heap/bins.h"

#include "heap/adapter.h"
#include "heap/layout.h"

const hak_lists hak__no_lists = {
    .medium = {[0 ... HAK_MEDIUM_CLASSES - 1] = (hak_slab *)&hak__no_slab},
};

void hak__bins_set(hak_heap *heap, hak_bin_class class, hak_slab *slab)
{
    hak_bins *bins = heap->sets[class.kind];
    if (class.size > HAK_SMALL_MAX) {
        bins->lists->medium[class.index - HAK_MEDIUM_FIRST] = slab;
        return;
    }
    hak_slab **last = &bins->bin[class.size / 8];
    hak_slab **bin = last - hak__class_step(class.index, hak__heap_spacing(heap)) / 8;
    while (bin != last) *++bin = slab;
    if (class.index == 1) bins->bin[0] = slab;
    if (heap->watched) bins->bin[heap->watched] = (hak_slab *)&hak__no_slab;
}

/* The step is not the only one of its class: the others find the current slab. */
void hak__heap_watch(hak_heap *heap, size_t size)
{
    size_t step = (size + 7) / 8;
    if (size > HAK_SMALL_MAX ||
        hak__heap_class_of(heap, step * 8) != hak__heap_class_of(heap, step * 8 - 8))
        return;
    heap->watched = (uint8_t)step;
    for (unsigned kind = 0; kind < hak__heap_sets(heap); kind++) {
        hak_bins *bins = heap->sets[kind];
        if (bins->bin[step] != &hak__no_slab) bins->bin[step] = (hak_slab *)&hak__no_slab;
    }
}

void hak__bins_set_current(hak_heap *heap, hak_slab *slab, size_t live, hak_slab *before)
{
    hak__unit_set_state(slab, HAK_SLAB_CURRENT);
    slab->next = before->next; /* the dry slabs of the class */
    if (before != &hak__no_slab) before->next = NULL;
    hak__slab_set_left(slab,
                       hak__bins_count_live(slab->block_size) ? (uint32_t)live : HAK_LEFT_FAR);
    hak__bins_set(heap, hak__class_of_slab(slab), slab);
    HAK_ASSERT(hak__slab_valid(slab));
}

size_t hak__bins_wake_shift(const hak_heap *heap)
{
    return heap->hints->in_order ? hak__policy(heap)->wake_in_order : hak__policy(heap)->wake;
}

hak_slab *hak__bins_next(const hak_heap *heap, hak_bin_class *at)
{
    for (; at->kind < hak__heap_sets(heap); *at = (hak_bin_class){.kind = at->kind + 1}) {
        while (at->size < HAK_MEDIUM_MAX) {
            at->size += hak__class_step(++at->index, hak__heap_spacing(heap));
            hak_slab *slab = hak__heap_current(heap, *at);
            if (slab != &hak__no_slab) return slab;
        }
    }
    return NULL;
}

size_t hak__bins_pages(const hak_heap *heap)
{
    size_t bytes = 0;
    hak_bin_class at = {0};
    for (hak_slab *slab; (slab = hak__bins_next(heap, &at)) != NULL;) {
        bytes += hak__slab_pages_in_use(slab);
    }
    return bytes;
}
