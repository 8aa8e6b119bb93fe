/* Allocating: the slow paths, and the calls without a hot path. */
#include "heap/alloc.h"

#include <string.h>

#include "heap/bins.h"
#include "heap/check.h"
#include "heap/guard.h"
#include "heap/large.h"
#include "heap/nest.h"
#include "heap/refill.h"

#define ALIGNMENT_MAX ((size_t)1 << 40)

static void *alloc_large(hak_heap *heap, unsigned kind, size_t size)
{
    void *block;
    if (hak__alloc_impossible(size)) return NULL;
    HAK_WITH_RETRY(heap, block, hak__large_alloc(heap, kind, size, HAK_LARGE_ALIGN, false));
    return block;
}

static void *alloc_from_slab(hak_heap *heap, hak_bin_class class)
{
    hak_slab *slab = hak__heap_current(heap, class);
    if (!slab->free) slab = hak__refill(heap, class);
    if (!slab) return NULL;
    if (slab->block_size > HAK_SMALL_MAX) hak__slab_count_taken(slab);
    return hak__slab_pop(slab);
}

void *hak__alloc_class(hak_heap *heap, hak_bin_class class)
{
    if (class.size <= HAK_SMALL_MAX || !hak__heap_current(heap, class)->free) {
        void *block = hak__nest_alloc(heap, class);
        if (block) return block;
    }
    return alloc_from_slab(heap, class);
}

static void *alloc_kind(hak_heap *heap, unsigned kind, size_t size)
{
    hak__heap_check_now_and_then(heap);
    if (size > HAK_MEDIUM_MAX) return alloc_large(heap, kind, size);
    hak_bin_class class = hak__class_in(heap, kind, hak__heap_class_of(heap, size));
    void *block;
    HAK_WITH_RETRY(heap, block, hak__alloc_class(heap, class));
    return block;
}

/* A guarded heap takes a slow path for every block: here is the hot path that it does not take. */
static __attribute__((noinline)) void *alloc_guarded(hak_heap *heap, unsigned kind, size_t size)
{
    HAK_GUARDED(heap);
    if (size <= HAK_SMALL_MAX) {
        hak_slab *slab = heap->sets[kind]->bin[(size + 7) / 8];
        if (slab->free) return hak__slab_pop(slab);
    }
    return alloc_kind(heap, kind, size);
}

void *hak__heap_alloc_kind_slow(hak_heap *heap, unsigned kind, size_t size)
{
    if (!hak__heap_keeps_kinds(heap)) kind = 0;
    if (HAK_UNLIKELY(hak__guard_of(heap) != NULL)) return alloc_guarded(heap, kind, size);
    return alloc_kind(heap, kind, size);
}

/* A young heap takes this path for every block, so hak__nest_take comes first. */
void *hak__heap_alloc_slow(hak_heap *heap, size_t size)
{
    if (HAK_UNLIKELY(hak__guard_of(heap) != NULL)) return alloc_guarded(heap, 0, size);
    if (size <= HAK_SMALL_MAX && !hak__heap_keeps_kinds(heap)) {
        unsigned index = hak__heap_class_of(heap, size);
        void *block = hak__nest_take(heap, index, hak__heap_class_size(heap, index));
        if (block) return block;
    }
    return alloc_kind(heap, 0, size);
}

#ifndef HAK_OBSERVE
void *hak_heap_alloc(hak_heap *heap, size_t size)
{
    hak__heap_check_now_and_then(heap);
    return hak__heap_alloc(heap, size);
}
#endif

void *hak__heap_zalloc(hak_heap *heap, size_t count, size_t size)
{
    HAK_GUARDED(heap);
    hak__heap_check_now_and_then(heap);
    size_t bytes;
    void *block;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    if (bytes > HAK_MEDIUM_MAX) {
        if (hak__alloc_impossible(bytes)) return NULL;
        HAK_WITH_RETRY(heap, block, hak__large_alloc(heap, 0, bytes, HAK_LARGE_ALIGN, true));
        return block;
    }
    block = hak__heap_alloc(heap, bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

void *hak__heap_aligned_alloc(hak_heap *heap, size_t alignment, size_t size)
{
    HAK_GUARDED(heap);
    hak__heap_check_now_and_then(heap);
    size_t most = heap->pages.region ? HAK_PAGE : ALIGNMENT_MAX;
    if (alignment == 0 || (alignment & (alignment - 1)) || alignment > most) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment <= hak__heap_spacing(heap)->granularity) return hak__heap_alloc(heap, size);
    /* Slabs without colours begin at a multiple of the page. So the blocks of a class are aligned
     * if their size is a multiple of the alignment. */
    if (alignment <= HAK_PAGE && size <= HAK_MEDIUM_MAX - alignment) {
        unsigned index = hak__heap_class_aligned(heap, size, alignment);
        void *block;
        HAK_WITH_RETRY(heap, block, alloc_from_slab(heap, hak__class_in(heap, 0, index)));
        return block;
    }
    if (hak__alloc_impossible(size)) return NULL;
    void *block;
    HAK_WITH_RETRY(heap, block, hak__large_alloc(heap, 0, size ? size : 1, alignment, false));
    return block;
}
