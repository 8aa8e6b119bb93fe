/* CPython's raw domain: any thread uses it, with or without the GIL. Blocks come from hak_malloc;
 * those of the previous allocator go back to it. */
#include "py_raw.h"

#include <string.h>

#include "threads/threads.h"

/* What is allocated zeroed, as one piece, and so large, stays with the previous allocator:
 * py_watch.c finds new interpreters by it. */
#define LARGE_ZEROED ((size_t)32 * 1024)

static const PyMemAllocatorEx *previous(void *heap)
{
    const hak_py_adapter *adapter = ((hak_heap *)heap)->adapter;
    return &adapter->previous[HAK_PY_DOMAIN_RAW];
}

/* Whether hakmem is uninstalled; read by any thread. */
static bool passes(void *heap)
{
    const hak_py_adapter *adapter = ((hak_heap *)heap)->adapter;
    return __atomic_load_n(&adapter->passing, __ATOMIC_RELAXED);
}

static void *raw_malloc(void *heap, size_t size)
{
    if (passes(heap)) return previous(heap)->malloc(previous(heap)->ctx, size);
    return hak_malloc(size);
}

static void *raw_calloc(void *heap, size_t count, size_t size)
{
    bool is_previous = passes(heap) || (count == 1 && size >= LARGE_ZEROED);
    if (is_previous) return previous(heap)->calloc(previous(heap)->ctx, count, size);
    return hak_calloc(count, size);
}

static void raw_free(void *heap, void *block)
{
    if (!block) return;
    if (hak__thread_has(block)) hak_free(block);
    else previous(heap)->free(previous(heap)->ctx, block);
}

/* Moves a block to the previous allocator, where hakmem is uninstalled. */
static void *move_back(void *heap, void *block, size_t size)
{
    size_t had = hak_usable_size(block);
    void *other = previous(heap)->malloc(previous(heap)->ctx, size);
    if (!other) return NULL;
    memcpy(other, block, size < had ? size : had);
    hak_free(block);
    return other;
}

static void *raw_realloc(void *heap, void *block, size_t size)
{
    if (!block) return raw_malloc(heap, size);
    if (!hak__thread_has(block)) return previous(heap)->realloc(previous(heap)->ctx, block, size);
    if (passes(heap)) return move_back(heap, block, size);
    return hak_realloc(block, size ? size : 1);
}

const PyMemAllocatorEx hak__py_raw_functions = {NULL, raw_malloc, raw_calloc, raw_realloc,
                                                raw_free};
