/* Queries: the size and kind of a block in a nest, and all blocks for statistics. */
#include "heap/kinds.h"
#include "heap/nest.h"
#include "heap/nest_map.h"

size_t hak__nest_block_size(const hak_heap *heap, const void *p)
{
    size_t offset = hak__nest_offset(heap, p);
    if (!hak__nest_begins_at(&heap->nest, offset)) return 0;
    size_t size = hak__nest_end_of(&heap->nest, offset) - offset;
    return hak__heap_class_size(heap, hak__heap_class_within(heap, size));
}

bool hak__nest_holds(const hak_heap *heap, const void *p)
{
    size_t offset = hak__nest_offset(heap, p);
    size_t carved = __atomic_load_n(&heap->nest.carved, __ATOMIC_RELAXED);
    return offset >= heap->nest.begin && offset < carved;
}

bool hak__nest_is_live(const hak_heap *heap, const void *p)
{
    const hak_nest *nest = &heap->nest;
    size_t offset = hak__nest_offset(heap, p);
    if (!hak__nest_begins_at(nest, offset)) return false;
    if (offset == nest->gap && nest->gap < nest->gap_end) return false;
    size_t size = hak__nest_end_of(nest, offset) - offset;
    size_t at = nest->free[hak__heap_class_within(heap, size)] * HAK_NEST_STEP;
    while (at && at != offset) at = *(const uint16_t *)(nest->start + at) * HAK_NEST_STEP;
    return !at;
}

static unsigned kind_at(const hak_heap *heap, size_t offset)
{
    return hak__heap_keeps_kinds(heap) ? hak__kinds_in_nest(heap, offset) : 0;
}

unsigned hak__nest_block_kind(const hak_heap *heap, const void *block)
{
    return kind_at(heap, hak__nest_offset(heap, block));
}

/* The rest of a cut block may share its step of 32 bytes with the next block, and so have the kind
 * of that one. Since it is free, it is counted once and subtracted once under the same kind. */
void hak__nest_visit(const hak_heap *heap, hak_nest_visitor *visit, void *context)
{
    const hak_nest *nest = &heap->nest;
    size_t lists = hak__nest_lists_offset(heap);
    for (size_t at = nest->begin, end; at < nest->carved; at = end) {
        end = hak__nest_end_of(nest, at);
        if (at != lists) visit(context, end - at, kind_at(heap, at), 1);
    }
    if (nest->gap < nest->gap_end) {
        visit(context, nest->gap_end - nest->gap, kind_at(heap, nest->gap), -1);
    }
    for (unsigned index = 1; index < HAK_CLASSES; index++) {
        for (size_t at = nest->free[index] * HAK_NEST_STEP; at;) {
            visit(context, hak__nest_end_of(nest, at) - at, kind_at(heap, at), -1);
            at = *(const uint16_t *)(nest->start + at) * HAK_NEST_STEP;
        }
    }
}
