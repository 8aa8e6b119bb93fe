#include "heap/excess.h"

#include "heap/holes.h"
#include "heap/look.h"

/* Whether what is beyond the bound stays for a moment. A superslab that is being emptied can wait
 * as a whole once it is empty, and a program that works in bursts takes it again. A block that
 * grows takes its spare. */
static bool may_stay(hak_heap *heap, size_t bound)
{
    hak_pages *pages = &heap->pages;
    size_t most = bound + HAK_SUPERSLAB_SIZE + hak__kept_spare(pages);
    return hak__retain_may_stay(&pages->demand, pages->retained, most, hak__heap_wait(heap));
}

void hak__excess_purge(hak_heap *heap)
{
    hak_pages *pages = &heap->pages;
    size_t bound = hak__heap_bound(heap);
    if (pages->retained <= bound || !hak__purge_may_begin(pages)) return;
    hak__heap_let_wait(heap, bound / 2 + hak__kept_spare(pages));
    if (pages->retained <= bound || may_stay(heap, bound)) return;
    hak__heap_learn(heap);
    hak__retain_forget(&pages->demand, pages->footprint - pages->retained);
    size_t before = pages->footprint;
    hak__purge_to(pages, hak__heap_bound(heap) / 2);
    hak__heap_released(heap, before);
}

/* Begins a look at all partial slabs when there is so much in them that it is time. */
static void begin_look(hak_heap *heap)
{
    if (heap->loose < (size_t)heap->pace.loose_at || !hak__purge_may_begin(&heap->pages)) return;
    hak__heap_learn(heap);
    hak__pace_set_left(&heap->pace, hak__superslabs_round(&heap->pages));
}

/* Goes on with it. */
static void look_on(hak_heap *heap)
{
    size_t before = heap->pages.footprint, read = 0;
    uint32_t left = hak__pace_left(&heap->pace);
    size_t given = hak__holes_punch_some(heap, SIZE_MAX, HAK_PACE_READS, &read, &left);
    hak__pace_set_left(&heap->pace, left);
    hak__look_charge(heap, given, read);
    hak__heap_released(heap, before);
}

void hak__excess_punch(hak_heap *heap)
{
    size_t bound = hak__heap_bound(heap);
    if (heap->loose > bound) {
        if (!hak__pace_left(&heap->pace)) begin_look(heap);
        if (hak__pace_left(&heap->pace)) look_on(heap);
    }
    if (!hak__pace_left(&heap->pace)) hak__pace_put_off(&heap->pace, heap->loose, bound);
}
