#include "heap/locate.h"

#include "heap/adapter.h"
#include "heap/check.h"
#include "heap/guard.h"
#include "heap/layout.h"
#include "heap/nest.h"

hak_location hak__locate(const hak_heap *heap, const void *p)
{
    if ((uintptr_t)p - (uintptr_t)heap->nest.start < heap->nest.end) {
        return (hak_location){.slab = heap->nest.run};
    }
    hak_region *region = heap->pages.region ? heap->pages.region : hak__region_of(p);
    if (!region || !hak__region_contains(region, p)) return (hak_location){0};
    hak_superslab *super = hak__superslab_of(region, p);
    if (super->type == HAK_SUPERSLAB_TAIL) super -= super->distance;
    hak_slab *unit = &region->slabs[hak__unit_index(region, p)];
    if (super->type == HAK_SUPERSLAB_NESTS) {
        return (hak_location){.slab = unit == heap->nest.run ? unit : NULL};
    }
    if (super->owner != &heap->pages) return (hak_location){0};
    if (super->type == HAK_SUPERSLAB_HUGE)
        return super->huge_packed ? (hak_location){.pack = super} : (hak_location){.huge = super};
    if (super->type != HAK_SUPERSLAB_SLABS) return (hak_location){0};
    return (hak_location){.slab = hak__unit_head(unit)};
}

unsigned hak__location_kind(const hak_heap *heap, const hak_location *at, const void *block)
{
    if (!hak__heap_keeps_kinds(heap)) return 0;
    if (at->huge) return at->huge->block_kind;
    if (at->pack) return 0;
    if (at->slab->state == HAK_UNIT_NEST) return hak__nest_block_kind(heap, block);
    return at->slab->block_kind;
}

size_t hak__location_size(const hak_heap *heap, hak_location at, const void *p)
{
    if (at.huge) return at.huge->huge_retained ? 0 : at.huge->huge_size;
    if (at.pack) return hak__packs_size(at.pack, p);
    if (!at.slab) return 0;
    if (at.slab->state == HAK_UNIT_NEST) return hak__nest_block_size(heap, p);
    if (!at.slab->block_size) return at.slab->span_size;
    size_t offset = (size_t)((const char *)p - at.slab->start);
    return offset < hak__layout_offset(at.slab, at.slab->carved) ? at.slab->block_size : 0;
}

size_t hak__heap_block_size(const hak_heap *heap, const void *p)
{
    return hak__location_size(heap, hak__locate(heap, p), p);
}

unsigned hak__heap_block_kind(const hak_heap *heap, const void *block)
{
    hak_location at = hak__locate(heap, block);
    return at.huge || at.pack || at.slab ? hak__location_kind(heap, &at, block) : 0;
}

size_t hak_heap_usable_size(hak_heap *heap, const void *block)
{
    HAK_GUARDED(heap);
    hak__heap_check_now_and_then(heap);
    if (!block) return 0;
    size_t size = hak__heap_block_size(heap, block);
    if (size == 0) hak__fatal("usable_size", block, "not a block of this heap");
    return size;
}

static bool owns(const hak_heap *heap, const void *p)
{
    hak_location at = hak__locate(heap, p);
    if (at.huge) return !at.huge->huge_retained;
    if (at.pack) return hak__packs_size(at.pack, p) > 0;
    if (at.slab && at.slab == heap->nest.run) return hak__nest_holds(heap, p);
    if (!at.slab) return false;
    hak_unit_state state = hak__unit_state(at.slab);
    return state != HAK_UNIT_FREE && state != HAK_SPAN_SHELVED && state != HAK_UNIT_REMNANT;
}

static __attribute__((noinline)) bool owns_guarded(const hak_heap *heap, const void *p)
{
    HAK_GUARDED(heap);
    return owns(heap, p);
}

/* Asked for each block of a state that is closed. */
bool hak_heap_owns(const hak_heap *heap, const void *p)
{
    return HAK_LIKELY(!hak__guard_of(heap)) ? owns(heap, p) : owns_guarded(heap, p);
}

/* The heap that the memory at `p` belongs to; NULL: none, or one on a caller's memory. `*super`:
 * the superslab, the first of a huge block. `p` is mapped. */
static hak_heap *heap_at(hak_region *region, const void *p, hak_superslab **super)
{
    *super = hak__superslab_of(region, p);
    if ((*super)->type == HAK_SUPERSLAB_NESTS) {
        const hak_slab *unit = &region->slabs[hak__unit_index(region, p)];
        return hak__unit_state(unit) == HAK_UNIT_NEST ? (hak_heap *)unit->start : NULL;
    }
    if ((*super)->type == HAK_SUPERSLAB_TAIL) *super -= (*super)->distance;
    struct hak_pages *owner = __atomic_load_n(&(*super)->owner, __ATOMIC_RELAXED);
    return owner ? hak__heap_of_pages(owner) : NULL;
}

static bool is_pack(const hak_superslab *super)
{
    return super->type == HAK_SUPERSLAB_HUGE && super->huge_packed;
}

hak_placed hak__heap_place(const void *block)
{
    hak_superslab *super;
    hak_region *region = hak__region_of(block);
    hak_placed placed = {.heap = region ? heap_at(region, block, &super) : NULL};
    if (!placed.heap || super->type == HAK_SUPERSLAB_NESTS || is_pack(super)) return placed;
    if (super->type == HAK_SUPERSLAB_HUGE) {
        placed.size = super->huge_size;
    } else {
        hak_slab *slab = hak__unit_head(&region->slabs[hak__unit_index(region, block)]);
        placed.size = slab->block_size ? slab->block_size : slab->span_size;
    }
    return placed;
}

bool hak_owns(const void *p)
{
    hak_superslab *super;
    hak_region *region = hak__region_of(p);
    const hak_heap *heap = region ? heap_at(region, p, &super) : NULL;
    if (!heap) return false;
    return is_pack(super) ? hak__packs_has_page(super, p) : hak_heap_owns(heap, p);
}
