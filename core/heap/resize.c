/* Resizing: in place, else by moving pages, else by copying into another block. */
#include <string.h>

#include "heap/adapter.h"
#include "heap/alloc.h"
#include "heap/check.h"
#include "heap/guard.h"
#include "heap/kinds.h"
#include "heap/large.h"
#include "heap/locate.h"
#include "heap/nest.h"

/* Resizes a block to `size` bytes without copying; NULL if it cannot. */
static void *resize(hak_heap *heap, const hak_location *at, void *block, size_t had, size_t size)
{
    if (at->huge) return size > HAK_MEDIUM_MAX ? hak__huge_resize(heap, at->huge, size) : NULL;
    if (at->pack)
        return size > HAK_MEDIUM_MAX ? hak__packed_resize(heap, at->pack, block, size) : NULL;
    if (at->slab->state == HAK_SPAN) {
        return size > HAK_MEDIUM_MAX ? hak__span_resize(heap, at->slab, size) : NULL;
    }
    if (size > HAK_MEDIUM_MAX) return NULL;
    if (hak__heap_keeps_kinds(heap) && at->slab->state == HAK_UNIT_NEST &&
        size < HAK_KINDS_NEST_STEP) {
        size = HAK_KINDS_NEST_STEP;
    }
    bool fits = hak__heap_class_of(heap, size) == hak__heap_class_within(heap, had);
    if (!fits && size > had && at->slab->state == HAK_UNIT_NEST) {
        fits = hak__nest_extend(heap, block, size);
    }
    return fits ? block : NULL;
}

/* A smaller block to copy into. NULL if the first attempt finds none: then the
 * block stays as it is. */
static void *alloc_if_easy(hak_heap *heap, unsigned kind, size_t size)
{
    if (size > HAK_MEDIUM_MAX) return hak__large_alloc(heap, kind, size, HAK_LARGE_ALIGN, false);
    void *block = hak__heap_take_kind(heap, kind, size);
    if (block) return block;
    if (!hak__heap_keeps_kinds(heap)) kind = 0;
    return hak__alloc_class(heap, hak__class_in(heap, kind, hak__heap_class_of(heap, size)));
}

void *hak__heap_realloc(hak_heap *heap, void *block, size_t size)
{
    HAK_GUARDED(heap);
    hak__heap_check_now_and_then(heap);
    if (!block) return hak__heap_alloc(heap, size);
    if (size == 0) {
        hak__heap_free(heap, block);
        return NULL;
    }
    if (hak__alloc_impossible(size)) return NULL;
    hak_location at = hak__locate(heap, block);
    size_t had = hak__location_size(heap, at, block);
    if (had == 0) hak__fatal("realloc", block, "not a block of this heap");
    void *resized = resize(heap, &at, block, had, size);
    if (resized) return resized;
    void *other;
    unsigned kind = hak__location_kind(heap, &at, block);
    if (size <= had) {
        other = alloc_if_easy(heap, kind, size);
        if (!other) return block;
    } else if (size > HAK_MEDIUM_MAX) {
        HAK_WITH_RETRY(heap, other, hak__large_alloc_growing(heap, kind, size));
    } else {
        other = hak__heap_alloc_kind(heap, kind, size);
    }
    if (!other) return NULL;
    memcpy(other, block, size < had ? size : had);
    hak__heap_free(heap, block);
    return other;
}

/* ------------------------------------------------------------------ for adapters */

bool hak__heap_resize_in_nest(hak_heap *heap, void *block, size_t size, size_t *had)
{
    *had = hak__nest_block_size(heap, block);
    if (*had > HAK_SMALL_MAX || size > HAK_SMALL_MAX) *had = 0;
    if (*had == 0) return false;
    return hak__heap_class_of(heap, size) == hak__heap_class_within(heap, *had) ||
           (size > *had && hak__nest_extend(heap, block, size));
}
