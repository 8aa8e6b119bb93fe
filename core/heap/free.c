/* Freeing: the slow path. */
#include "heap/check.h"
#include "heap/guard.h"
#include "heap/large.h"
#include "heap/layout.h"
#include "heap/locate.h"
#include "heap/nest.h"
#include "heap/retire.h"

/* A free in a nest. The hot path has pushed the block on the list of the nest's
 * record: that is undone. */
static void free_in_nest(hak_heap *heap, hak_slab *run, void *block)
{
    run->free = NULL;
    hak__slab_set_left(run, 1);
    if (run != heap->nest.run) hak__fatal("free", block, "not a block of this heap");
    hak__nest_free(heap, block);
}

/* Frees what is no unit of the heap. */
static void free_huge(hak_heap *heap, hak_superslab *super, void *block)
{
    if (super->huge_packed) hak__packed_free(heap, super, block);
    else hak__huge_free(heap, super, block);
}

/* A free of an address in an unused unit. In a small region, huge blocks and packs may lie below
 * the end of the hot path's range. Any other address is an error of the program. */
static void free_huge_below(hak_heap *heap, hak_slab *unit, void *block)
{
    hak_region *region = hak__region_of(block);
    hak_superslab *super = region ? hak__superslab_of(region, block) : NULL;
    if (super && super->type == HAK_SUPERSLAB_TAIL && super->owner == &heap->pages)
        super -= super->distance;
    if (!super || super->type != HAK_SUPERSLAB_HUGE || super->owner != &heap->pages) {
        hak__fatal("free", block, "no block lives there, or it is free already");
    }
    *unit = (hak_slab){0};
    free_huge(heap, super, block);
}

/* Aborts if no block of a slab begins there, as far as the record shows. */
static void check_place(const hak_slab *slab, const void *block)
{
    if (!slab->block_size) return; /* not a slab */
    size_t offset = (size_t)((const char *)block - slab->start);
    size_t index = hak__layout_end_within(slab, offset);
    if (hak__layout_offset(slab, index) != offset)
        hak__fatal("free", block, "points into a block, not at its start");
    if (index >= slab->carved) hak__fatal("free", block, "no block has been handed out there");
    if (slab->purged && hak__slab_pages(slab, offset) & slab->purged)
        hak__fatal("free", block, "this block is free already");
}

void hak__heap_free_event(hak_heap *heap, hak_slab *slab, void *block)
{
    heap->changed = true;
    check_place(slab, block);
    switch (slab->state) {
    case HAK_SLAB_FULL: hak__slab_reopen(heap, slab); break;
    case HAK_SLAB_PARTIAL: hak__slab_run_down(heap, slab); break;
    case HAK_SLAB_DRY: hak__slab_moisten(heap, slab); break;
    case HAK_SLAB_CURRENT: hak__slab_idle(heap, slab); break;
    case HAK_UNIT_NEST: free_in_nest(heap, slab, block); break;
    case HAK_SPAN: hak__span_free(heap, slab, block); break;
    case HAK_UNIT_INTERIOR: hak__fatal("free", block, "points into a block, not at its start");
    default: free_huge_below(heap, slab, block);
    }
    hak__heap_check_now_and_then(heap);
}

#ifndef HAK_OBSERVE
void hak_heap_free(hak_heap *heap, void *block)
{
    hak__heap_check_now_and_then(heap);
    if (block) hak__heap_free(heap, block);
}
#endif

/* The hot path that a guarded heap does not take. False: the block lies elsewhere. */
static bool free_guarded(hak_heap *heap, void *block)
{
    hak_slab *slab = hak__guard_slab_of(heap, block);
    if (!slab) return false;
    if (hak__heap_put(heap, slab, block)) hak__heap_free_event(heap, slab, block);
    return true;
}

void hak__heap_free_outside(hak_heap *heap, void *block)
{
    HAK_GUARDED(heap);
    if (hak__guard_of(heap) && free_guarded(heap, block)) return;
    hak_location at = hak__locate(heap, block);
    if (at.huge || at.pack) {
        heap->changed = true;
        free_huge(heap, at.huge ? at.huge : at.pack, block);
    } else if (at.slab) {
        hak__heap_check_free(heap, at.slab, block);
        check_place(at.slab, block);
        *(void **)block = at.slab->free;
        at.slab->free = block;
        if (hak__slab_count_free(at.slab)) hak__heap_free_event(heap, at.slab, block);
    } else {
        hak__fatal("free", block, "not a block of this heap");
    }
}

#ifdef HAK_DEBUG
void hak__heap_check_free(hak_heap *heap, hak_slab *slab, void *block)
{
    hak_location at = hak__locate(heap, block);
    if (at.huge || at.pack) return;
    if (at.slab != slab) hak__fatal("free", block, "not a block of this heap");
    if (!slab->block_size) return; /* not a slab: hak__heap_free_event checks it */
    check_place(slab, block);
    for (void *other = slab->free; other; other = *(void **)other) {
        if (other == block) hak__fatal("free", block, "this block is free already");
    }
}
#endif
