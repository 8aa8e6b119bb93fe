#include "heap/each.h"

#include "heap/layout.h"
#include "heap/locate.h"
#include "heap/nest.h"
#include "heap/nest_map.h"

static bool each_in_nest(const hak_heap *heap, size_t size, hak_each_block *each, void *context)
{
    const hak_nest *nest = &heap->nest;
    size_t lists = hak__nest_lists_offset(heap);
    for (size_t at = nest->begin, end; at < nest->carved; at = end) {
        end = hak__nest_end_of(nest, at);
        if (at != lists && end - at >= size && !each(context, nest->start + at)) return false;
    }
    return true;
}

static bool each_in_slab(const hak_slab *slab, hak_each_block *each, void *context)
{
    for (size_t i = 0; i < slab->carved; i++) {
        size_t offset = hak__layout_offset(slab, i);
        if (slab->purged && hak__slab_pages(slab, offset) & slab->purged) continue;
        if (!each(context, slab->start + offset)) return false;
    }
    return true;
}

bool hak__heap_each_block(const hak_heap *heap, size_t size, hak_each_block *each, void *context)
{
    unsigned class = hak__heap_class_of(heap, size);
    if (!each_in_nest(heap, size, each, context)) return false;
    const hak_superslab *super = heap->pages.supers->owned;
    for (; super; super = super->next_owned) {
        const hak_slab *slabs = hak__superslab_slabs(super);
        for (uint64_t rest = hak__superslab_all(super) & ~super->free; rest; rest &= rest - 1) {
            const hak_slab *slab = &slabs[__builtin_ctzll(rest)];
            bool holds = slab->state >= HAK_SLAB_CURRENT && slab->state <= HAK_SLAB_FULL;
            if (holds && slab->size_class == class && !each_in_slab(slab, each, context))
                return false;
        }
    }
    return true;
}

static bool is_live_in_slab(const hak_slab *slab, const void *p)
{
    size_t offset = (size_t)((const char *)p - slab->start);
    size_t index = hak__layout_end_within(slab, offset);
    if (hak__layout_offset(slab, index) != offset || index >= slab->carved) return false;
    if (slab->purged && hak__slab_pages(slab, offset) & slab->purged) return false;
    for (const void *other = slab->free; other; other = *(void *const *)other) {
        if (other == p) return false;
    }
    return true;
}

bool hak__heap_is_live(const hak_heap *heap, const void *p, size_t size)
{
    hak_location at = hak__locate(heap, p);
    if (at.huge || at.pack || !at.slab) return false;
    unsigned class = hak__heap_class_of(heap, size);
    if (at.slab == heap->nest.run)
        return hak__nest_is_live(heap, p) &&
               hak__nest_block_size(heap, p) >= hak__heap_class_size(heap, class);
    bool holds = at.slab->state >= HAK_SLAB_CURRENT && at.slab->state <= HAK_SLAB_FULL;
    return holds && at.slab->size_class == class && is_live_in_slab(at.slab, p);
}
