/* CPython's raw domain: any thread uses it, with or without the GIL. Blocks come from hak_malloc;
 * those of the previous allocator go back to it. So is it with buffers in a free-threaded CPython.
 */
#include "py_raw.h"

#include <string.h>

#include "threads/threads.h"

/* What is allocated zeroed, as one piece, and so large, stays with the previous allocator:
 * py_watch.c finds new interpreters by it. */
#define LARGE_ZEROED ((size_t)32 * 1024)

/* Set before the functions are in CPython's table. They do not go by the context: other threads
 * call them while the table is changed, when it may still be that of the functions before. */
static const hak_py_adapter *adapter;

static const PyMemAllocatorEx *previous(int domain)
{
    return &adapter->previous[domain];
}

/* Whether hakmem is uninstalled; read by any thread. */
static bool passes(void)
{
    return __atomic_load_n(&adapter->passing, __ATOMIC_RELAXED);
}

static void *alloc(size_t size, int domain)
{
    if (passes()) return previous(domain)->malloc(previous(domain)->ctx, size);
    return hak_malloc(size);
}

static void *zalloc(size_t count, size_t size, int domain)
{
    bool is_watched = domain == HAK_PY_DOMAIN_RAW && count == 1 && size >= LARGE_ZEROED;
    if (passes() || is_watched) return previous(domain)->calloc(previous(domain)->ctx, count, size);
    return hak_calloc(count, size);
}

static void release(void *block, int domain)
{
    if (!block) return;
    if (hak__thread_has(block)) hak_free(block);
    else previous(domain)->free(previous(domain)->ctx, block);
}

/* Moves a block to the previous allocator, where hakmem is uninstalled. */
static void *move_back(void *block, size_t size, int domain)
{
    size_t had = hak_usable_size(block);
    void *other = previous(domain)->malloc(previous(domain)->ctx, size);
    if (!other) return NULL;
    memcpy(other, block, size < had ? size : had);
    hak_free(block);
    return other;
}

static void *resize(void *block, size_t size, int domain)
{
    if (!block) return alloc(size, domain);
    if (!hak__thread_has(block))
        return previous(domain)->realloc(previous(domain)->ctx, block, size);
    if (passes()) return move_back(block, size, domain);
    return hak_realloc(block, size ? size : 1);
}

#define DOMAIN_FUNCTIONS(name, domain)                                \
    static void *name##_malloc(void *heap, size_t size)               \
    {                                                                 \
        (void)heap;                                                   \
        return alloc(size, domain);                                   \
    }                                                                 \
    static void *name##_calloc(void *heap, size_t count, size_t size) \
    {                                                                 \
        (void)heap;                                                   \
        return zalloc(count, size, domain);                           \
    }                                                                 \
    static void *name##_realloc(void *heap, void *block, size_t size) \
    {                                                                 \
        (void)heap;                                                   \
        return resize(block, size, domain);                           \
    }                                                                 \
    static void name##_free(void *heap, void *block)                  \
    {                                                                 \
        (void)heap;                                                   \
        release(block, domain);                                       \
    }

DOMAIN_FUNCTIONS(raw, HAK_PY_DOMAIN_RAW)
DOMAIN_FUNCTIONS(mem, HAK_PY_DOMAIN_MEM)

PyMemAllocatorEx hak__py_raw_functions(const hak_py_adapter *of, int domain)
{
    adapter = of;
    if (domain == HAK_PY_DOMAIN_RAW)
        return (PyMemAllocatorEx){of->heap, raw_malloc, raw_calloc, raw_realloc, raw_free};
    return (PyMemAllocatorEx){of->heap, mem_malloc, mem_calloc, mem_realloc, mem_free};
}
