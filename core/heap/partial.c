#include "heap/partial.h"

#include "heap/bins.h"
#include "heap/layout.h"

#define LOOK_AT 16 /* partial slabs, before one is chosen */

/* The first one's `prev` is the last. */
static void append(hak_slab **list, hak_slab *slab)
{
    slab->next = NULL;
    slab->prev = slab;
    if (*list) {
        slab->prev = (*list)->prev;
        slab->prev->next = slab;
        (*list)->prev = slab;
    } else {
        *list = slab;
    }
}

static void prepend(hak_slab **list, hak_slab *slab)
{
    hak_slab *second = *list;
    slab->next = second;
    slab->prev = second ? second->prev : slab;
    if (second) second->prev = slab;
    *list = slab;
}

static void take_out(hak_slab **list, hak_slab *slab)
{
    if (slab->next) slab->next->prev = slab->prev;
    else (*list)->prev = slab->prev;
    if (slab == *list) *list = slab->next;
    else slab->prev->next = slab->next;
}

void hak__partial_link(hak_heap *heap, hak_slab *slab, size_t live)
{
    hak__unit_set_state(slab, HAK_SLAB_PARTIAL);
    hak__slab_set_left(slab, (uint32_t)live);
    append(&hak__lists_of(heap, slab)->partial[slab->size_class], slab);
    heap->partial_bytes += hak__slab_pages_in_use(slab);
    heap->unsearched++;
    HAK_ASSERT(hak__slab_valid(slab));
}

/* Where the dry slabs of the same class hang; NULL: the class has no current slab. */
static hak_slab **dry_of_class(const hak_heap *heap, const hak_slab *slab)
{
    hak_slab *current = hak__heap_current(heap, hak__class_of_slab(slab));
    return current == &hak__no_slab ? NULL : &current->next;
}

void hak__partial_link_dry(hak_heap *heap, hak_slab *slab)
{
    hak_slab **dry = dry_of_class(heap, slab);
    if (!dry) {
        hak__bins_set_current(heap, slab, hak__slab_dry_live(slab), (hak_slab *)&hak__no_slab);
        return;
    }
    hak__unit_set_state(slab, HAK_SLAB_DRY);
    hak__slab_set_left(slab, 1);
    if (slab->purged) prepend(dry, slab);
    else append(dry, slab);
    HAK_ASSERT(hak__slab_valid(slab));
}

void hak__partial_set_vacant(hak_heap *heap, hak_slab *slab, uint32_t vacant)
{
    heap->vacant_pages += (uint32_t)__builtin_popcount(vacant);
    heap->vacant_pages -= (uint32_t)__builtin_popcount(slab->vacant);
    slab->vacant = (uint16_t)vacant;
}

/* Leaves a partial slab as one that was never searched. */
static void forget_search(hak_heap *heap, hak_slab *slab)
{
    if (!slab->searched) return;
    hak__partial_set_vacant(heap, slab, 0);
    hak__slab_set_left(slab, hak__slab_left(slab) + slab->parked);
    slab->parked = 0;
    slab->searched = false;
    heap->unsearched++;
}

void hak__partial_unlink_dry(hak_heap *heap, hak_slab *slab)
{
    take_out(dry_of_class(heap, slab), slab);
    hak__slab_set_left(slab, (uint32_t)hak__slab_dry_live(slab));
}

void hak__partial_unlink(hak_heap *heap, hak_slab *slab)
{
    forget_search(heap, slab);
    heap->unsearched--;
    heap->partial_bytes -= hak__slab_pages_in_use(slab);
    take_out(&hak__lists_of(heap, slab)->partial[slab->size_class], slab);
}

void hak__partial_set_searched(hak_heap *heap, hak_slab *slab, uint32_t vacant, size_t frees)
{
    forget_search(heap, slab);
    size_t live = hak__slab_left(slab);
    if (frees > live) frees = live;
    hak__slab_set_left(slab, (uint32_t)frees);
    slab->parked = (uint16_t)(live - frees);
    slab->searched = true;
    hak__partial_set_vacant(heap, slab, vacant);
    heap->unsearched--;
}

/* Where memory is short it becomes the last, so that the next search finds it without passing over
 * others. */
void hak__partial_set_changed(hak_heap *heap, hak_slab *slab)
{
    forget_search(heap, slab);
    if (!hak__heap_starved(heap)) return;
    hak_slab **list = &hak__lists_of(heap, slab)->partial[slab->size_class];
    take_out(list, slab);
    append(list, slab);
}

/* The first opened one that is at least half live, so that emptier ones can run empty; among the
 * first few, if there is none, the fullest. */
hak_slab *hak__partial_choose(const hak_heap *heap, hak_bin_class class)
{
    hak_slab *best = NULL;
    size_t most = 0, looked_at = 0;
    for (hak_slab *slab = heap->sets[class.kind]->lists->partial[class.index];
         slab && looked_at < LOOK_AT; slab = slab->next, looked_at++) {
        size_t live = hak__slab_partial_live(slab);
        if (best && live <= most) continue;
        best = slab;
        most = live;
        if (live > slab->capacity / 2) break;
    }
    return best;
}
