/* hakmem.h's functions that make heaps, allocate and free, in an OBSERVE build. Each tells the
 * observer and calls the heap's function, which has another name there (heap/blocks.h). */
#include "insight/observe.h"

#ifdef HAK_OBSERVE

hak_heap *hak_heap_new(const hak_heap_options *options)
{
    hak_heap *heap = hak__heap_new(options);
    if (heap) hak__observe_begin(heap);
    return heap;
}

void *hak_heap_alloc(hak_heap *heap, size_t size)
{
    HAK_GUARDED(heap);
    hak_probe probe = hak__observe_before(heap, NULL, 0, size);
    void *block = hak__heap_alloc(heap, size);
    hak__observe_after(heap, &probe, block);
    return block;
}

void *hak_heap_zalloc(hak_heap *heap, size_t count, size_t size)
{
    HAK_GUARDED(heap);
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    hak_probe probe = hak__observe_before(heap, NULL, 0, bytes);
    void *block = hak__heap_zalloc(heap, count, size);
    hak__observe_after(heap, &probe, block);
    return block;
}

/* A request with an invalid alignment is not counted. */
void *hak_heap_aligned_alloc(hak_heap *heap, size_t alignment, size_t size)
{
    HAK_GUARDED(heap);
    hak_probe probe = hak__observe_before(heap, NULL, 0, size);
    bool is_power = alignment && !(alignment & (alignment - 1));
    if (is_power && alignment > hak__heap_spacing(heap)->granularity) {
        bool in_slab = alignment <= HAK_PAGE && size <= HAK_MEDIUM_MAX - alignment;
        probe.hit =
            in_slab && hak__observe_hit(heap, 0, hak__heap_class_aligned(heap, size, alignment));
    }
    void *block = hak__heap_aligned_alloc(heap, alignment, size);
    if (block || is_power) hak__observe_after(heap, &probe, block);
    return block;
}

void *hak_heap_realloc(hak_heap *heap, void *block, size_t size)
{
    HAK_GUARDED(heap);
    if (block && size == 0) {
        hak_heap_free(heap, block);
        return NULL;
    }
    hak_probe probe = hak__observe_before(heap, block, 0, size);
    void *result = hak__heap_realloc(heap, block, size);
    hak__observe_after(heap, &probe, result);
    return result;
}

void hak_heap_free(hak_heap *heap, void *block)
{
    HAK_GUARDED(heap);
    if (!block) return;
    hak__observe_free(heap, block);
    hak__heap_free(heap, block);
}

#endif
