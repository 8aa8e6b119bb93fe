#include "heap/retire.h"

#include "heap/adapter.h"
#include "heap/bins.h"
#include "heap/excess.h"
#include "heap/nest.h"
#include "heap/partial.h"

/* Times that an empty current slab of medium blocks retires before its class counts as busy. */
#define IDLE_MOST 32

void hak__retire(hak_heap *heap, hak_slab *slab)
{
    heap->retires++;
    hak__units_give(&heap->pages, slab);
}

/* ------------------------------------------------------------------ current slabs */

/* Takes a slab out of the bin of its class. A dry slab, if there is one, takes its place. */
static void drop_current(hak_heap *heap, hak_slab *slab)
{
    hak_slab *dry = slab->next;
    if (dry) {
        hak__partial_unlink_dry(heap, dry);
        hak__bins_set_current(heap, dry, hak__slab_left(dry), slab);
    } else {
        hak__bins_set(heap, hak__class_of_slab(slab), (hak_slab *)&hak__no_slab);
    }
}

/* Retires a current slab without live blocks. */
static void retire_current(hak_heap *heap, hak_slab *slab)
{
    drop_current(heap, slab);
    hak__retire(heap, slab);
}

void hak__slab_idle(hak_heap *heap, hak_slab *slab)
{
    if (!hak__bins_count_live(slab->block_size)) {
        hak__slab_set_left(slab, HAK_LEFT_FAR);
        return;
    }
    uint8_t *idled = &hak__lists_of(heap, slab)->idled[slab->size_class - HAK_MEDIUM_FIRST];
    if (*idled == IDLE_MOST) {
        hak__slab_set_left(slab, HAK_LEFT_FAR);
        return;
    }
    ++*idled;
    retire_current(heap, slab);
}

size_t hak__retire_idle(hak_heap *heap)
{
    size_t before = heap->retires;
    hak_bin_class at = {0};
    for (hak_slab *slab; (slab = hak__bins_next(heap, &at)) != NULL;) {
        if (hak__slab_live(slab) == 0) retire_current(heap, slab);
    }
    hak__nest_trim(heap);
    return heap->retires - before;
}

void hak__heap_detach(hak_heap *heap)
{
    hak_bin_class at = {0};
    for (hak_slab *slab; (slab = hak__bins_next(heap, &at)) != NULL;) {
        for (hak_slab *dry; (dry = slab->next) != NULL;) {
            hak__partial_unlink_dry(heap, dry);
            hak__slab_sleep(dry, HAK_SLEEP_LIGHTLY);
        }
        size_t live = hak__slab_live(slab);
        drop_current(heap, slab);
        if (live == 0) hak__retire(heap, slab);
        else if (slab->free) hak__partial_link(heap, slab, live);
        else hak__slab_sleep(slab, HAK_SLEEP_LIGHTLY);
    }
    hak__nest_trim(heap);
}

/* ------------------------------------------------------------------ others */

/* Retires a slab that a free has emptied, and purges what exceeds the bound then. */
static void retire(hak_heap *heap, hak_slab *slab)
{
    hak__retire(heap, slab);
    hak__excess_purge(heap);
    hak__excess_punch(heap);
}

void hak__slab_reopen(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->state == HAK_SLAB_FULL);
    size_t live = hak__slab_full_live(slab);
    if (live > 0) {
        hak__partial_link(heap, slab, live);
        hak__excess_punch(heap);
    } else {
        retire(heap, slab);
    }
}

void hak__slab_moisten(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->state == HAK_SLAB_DRY);
    hak__partial_unlink_dry(heap, slab);
    size_t live = hak__slab_left(slab) - 1;
    if (live > 0) hak__partial_link(heap, slab, live);
    else retire(heap, slab);
}

void hak__slab_run_down(hak_heap *heap, hak_slab *slab)
{
    HAK_ASSERT(slab->state == HAK_SLAB_PARTIAL);
    if (slab->parked) {
        hak__partial_set_changed(heap, slab);
    } else {
        hak__partial_unlink(heap, slab);
        retire(heap, slab);
    }
}
