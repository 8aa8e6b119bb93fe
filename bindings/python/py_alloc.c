/* CPython's allocator functions; their context is the heap. Each function exists once per domain,
 * since a block that is not ours goes to the domain's previous allocator; each of these once more
 * with a lock, and once more for observed heaps. */
#include "py_alloc.h"

#include <pthread.h>
#include <string.h>

#include "insight/insight.h"

HAK_ADAPTER_NEEDS_LAYOUT;

static inline const PyMemAllocatorEx *previous(const hak_heap *heap, int domain)
{
    return &((const hak_py_adapter *)heap->adapter)->previous[domain];
}

/* Only the slow path asks whether hakmem is uninstalled: then the bins are empty. */
__attribute__((noinline)) static void *alloc_slow(hak_heap *heap, size_t size, int domain)
{
    const hak_py_adapter *adapter = heap->adapter;
    if (HAK_LIKELY(!adapter->passing)) return hak__heap_alloc_slow(heap, size);
    const PyMemAllocatorEx *other = previous(heap, domain);
    return other->malloc(other->ctx, size);
}

static inline void *alloc(hak_heap *heap, size_t size, int domain)
{
    if (HAK_LIKELY(size <= HAK_SMALL_MAX)) {
        hak_slab *slab = heap->bin[(size + 7) / 8];
        if (HAK_LIKELY(slab->free != NULL)) return hak__slab_pop(slab);
    }
    return alloc_slow(heap, size, domain);
}

__attribute__((noinline)) static void *zalloc_slow(hak_heap *heap, size_t count, size_t size,
                                                   int domain)
{
    const hak_py_adapter *adapter = heap->adapter;
    if (!adapter->passing) return hak__heap_zalloc(heap, count, size);
    const PyMemAllocatorEx *other = previous(heap, domain);
    return other->calloc(other->ctx, count, size);
}

static inline void *zalloc(hak_heap *heap, size_t count, size_t size, int domain)
{
    size_t bytes;
    if (HAK_LIKELY(!__builtin_mul_overflow(count, size, &bytes) && bytes <= HAK_SMALL_MAX)) {
        hak_slab *slab = heap->bin[(bytes + 7) / 8];
        if (HAK_LIKELY(slab->free != NULL)) return memset(hak__slab_pop(slab), 0, bytes);
    }
    return zalloc_slow(heap, count, size, domain);
}

/* Frees a block outside the range of the hot path: huge, in a spill region, or not ours. */
__attribute__((noinline)) static void release_outside(hak_heap *heap, void *block, int domain)
{
    if (!block) return;
    if (hak_heap_owns(heap, block)) {
        hak__heap_free_outside(heap, block);
    } else {
        const PyMemAllocatorEx *other = previous(heap, domain);
        other->free(other->ctx, block);
    }
}

static inline void release(hak_heap *heap, void *block, int domain)
{
    if (HAK_LIKELY(hak__heap_maps(heap, block))) hak__heap_free_mapped(heap, block);
    else release_outside(heap, block, domain);
}

/* Moves a block to another of `size` bytes; while uninstalled, to one of the previous allocator. */
static void *move(hak_heap *heap, void *block, size_t had, size_t size, int domain)
{
    void *other = alloc(heap, size, domain);
    if (!other) return size <= had ? block : NULL;
    memcpy(other, block, size < had ? size : had);
    release(heap, block, domain);
    return other;
}

__attribute__((noinline)) static void *resize_outside(hak_heap *heap, void *block, size_t size,
                                                      int domain)
{
    const hak_py_adapter *adapter = heap->adapter;
    if (!hak__heap_maps(heap, block) && !hak_heap_owns(heap, block)) {
        const PyMemAllocatorEx *other = previous(heap, domain);
        return other->realloc(other->ctx, block, size);
    }
    if (adapter->passing) {
        size_t had = hak_heap_usable_size(heap, block);
        return size <= had && size > had / 2 ? block : move(heap, block, had, size, domain);
    }
    return hak__heap_realloc(heap, block, size ? size : 1);
}

/* A block that keeps more than three quarters of its size shrinks in place: moving it would cost
 * more than it saves. */
static inline void *resize(hak_heap *heap, void *block, size_t size, int domain)
{
    if (!block) return alloc(heap, size, domain);
    if (HAK_LIKELY(hak__heap_maps(heap, block))) {
        hak_slab *slab = hak__heap_slab_of(heap, block);
        size_t had = slab->block_size;
        if (HAK_LIKELY(had && size <= HAK_MEDIUM_MAX)) {
            if (size <= had && size > had - had / 4) return block;
            return move(heap, block, had, size, domain);
        }
    }
    return resize_outside(heap, block, size, domain);
}

/* ------------------------------------------------------------------ beside the raw domain
 *
 * Where the raw domain is taken over, pymalloc, to which blocks from before go back, has its large
 * ones from there: from other heaps, whose slabs lie in the range of the hot path too. */

static bool is_others(const hak_heap *heap, const void *block)
{
    if (!hak__heap_maps(heap, block)) return false;
    size_t unit = ((uintptr_t)block - heap->base) >> HAK_UNIT_SHIFT;
    return hak__region_owner_of_unit(unit) != &heap->pages && !hak_heap_owns(heap, block);
}

__attribute__((noinline)) static void look_and_release(hak_heap *heap, void *block, int domain)
{
    const PyMemAllocatorEx *other = previous(heap, domain);
    if (HAK_UNLIKELY(is_others(heap, block))) other->free(other->ctx, block);
    else release(heap, block, domain);
}

__attribute__((noinline)) static void *look_and_resize(hak_heap *heap, void *block, size_t size,
                                                       int domain)
{
    const PyMemAllocatorEx *other = previous(heap, domain);
    if (HAK_UNLIKELY(is_others(heap, block))) return other->realloc(other->ctx, block, size);
    return resize(heap, block, size, domain);
}

/* ------------------------------------------------------------------ for CPython */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void hak__py_lock(void)
{
    pthread_mutex_lock(&lock);
}

void hak__py_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void register_handlers(void)
{
    hak__heap_respect_fork();
    pthread_atfork(hak__py_lock, hak__py_unlock, hak__py_unlock);
}

void hak__py_lock_respects_fork(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_handlers);
}

#define DOMAIN_FUNCTIONS(name, domain)                                       \
    static void *name##_malloc(void *heap, size_t size)                      \
    {                                                                        \
        return alloc(heap, size, domain);                                    \
    }                                                                        \
    static void *name##_calloc(void *heap, size_t count, size_t size)        \
    {                                                                        \
        return zalloc(heap, count, size, domain);                            \
    }                                                                        \
    static void *name##_realloc(void *heap, void *block, size_t size)        \
    {                                                                        \
        return resize(heap, block, size, domain);                            \
    }                                                                        \
    static void name##_free(void *heap, void *block)                         \
    {                                                                        \
        release(heap, block, domain);                                        \
    }                                                                        \
    static void *name##_shared_realloc(void *heap, void *block, size_t size) \
    {                                                                        \
        return look_and_resize(heap, block, size, domain);                   \
    }                                                                        \
    static void name##_shared_free(void *heap, void *block)                  \
    {                                                                        \
        look_and_release(heap, block, domain);                               \
    }                                                                        \
    static void *name##_locked_malloc(void *heap, size_t size)               \
    {                                                                        \
        hak__py_lock();                                                      \
        void *block = alloc(heap, size, domain);                             \
        hak__py_unlock();                                                    \
        return block;                                                        \
    }                                                                        \
    static void *name##_locked_calloc(void *heap, size_t count, size_t size) \
    {                                                                        \
        hak__py_lock();                                                      \
        void *block = zalloc(heap, count, size, domain);                     \
        hak__py_unlock();                                                    \
        return block;                                                        \
    }                                                                        \
    static void *name##_locked_realloc(void *heap, void *block, size_t size) \
    {                                                                        \
        hak__py_lock();                                                      \
        block = look_and_resize(heap, block, size, domain);                  \
        hak__py_unlock();                                                    \
        return block;                                                        \
    }                                                                        \
    static void name##_locked_free(void *heap, void *block)                  \
    {                                                                        \
        hak__py_lock();                                                      \
        look_and_release(heap, block, domain);                               \
        hak__py_unlock();                                                    \
    }

DOMAIN_FUNCTIONS(mem, HAK_PY_DOMAIN_MEM)
DOMAIN_FUNCTIONS(obj, HAK_PY_DOMAIN_OBJ)

/* ------------------------------------------------------------------ observed */

static bool enter(const hak_heap *heap)
{
    bool locked = ((const hak_py_adapter *)heap->adapter)->locked;
    if (locked) hak__py_lock();
    return locked;
}

static void leave(bool entered)
{
    if (entered) hak__py_unlock();
}

static void *observed_alloc(hak_heap *heap, size_t size, int domain)
{
    bool entered = enter(heap);
    hak_probe probe = hak__observe_before(heap, NULL, 0, size);
    void *block = alloc(heap, size, domain);
    hak__observe_after(heap, &probe, block);
    leave(entered);
    return block;
}

static void *observed_zalloc(hak_heap *heap, size_t count, size_t size, int domain)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    bool entered = enter(heap);
    hak_probe probe = hak__observe_before(heap, NULL, 0, bytes);
    void *block = zalloc(heap, count, size, domain);
    hak__observe_after(heap, &probe, block);
    leave(entered);
    return block;
}

static void *observed_resize(hak_heap *heap, void *block, size_t size, int domain)
{
    bool entered = enter(heap);
    hak_probe probe = hak__observe_before(heap, block, 0, size);
    block = look_and_resize(heap, block, size, domain);
    hak__observe_after(heap, &probe, block);
    leave(entered);
    return block;
}

static void observed_release(hak_heap *heap, void *block, int domain)
{
    bool entered = enter(heap);
    if (block) hak__observe_free(heap, block);
    look_and_release(heap, block, domain);
    leave(entered);
}

#define OBSERVED_FUNCTIONS(name, domain)                                       \
    static void *name##_observed_malloc(void *heap, size_t size)               \
    {                                                                          \
        return observed_alloc(heap, size, domain);                             \
    }                                                                          \
    static void *name##_observed_calloc(void *heap, size_t count, size_t size) \
    {                                                                          \
        return observed_zalloc(heap, count, size, domain);                     \
    }                                                                          \
    static void *name##_observed_realloc(void *heap, void *block, size_t size) \
    {                                                                          \
        return observed_resize(heap, block, size, domain);                     \
    }                                                                          \
    static void name##_observed_free(void *heap, void *block)                  \
    {                                                                          \
        observed_release(heap, block, domain);                                 \
    }

OBSERVED_FUNCTIONS(mem, HAK_PY_DOMAIN_MEM)
OBSERVED_FUNCTIONS(obj, HAK_PY_DOMAIN_OBJ)

/* ------------------------------------------------------------------ the table */

#define FUNCTIONS(name)                                             \
    {                                                               \
        NULL, name##malloc, name##calloc, name##realloc, name##free \
    }

#define SHARED_FUNCTIONS(name)                                                        \
    {                                                                                 \
        NULL, name##_malloc, name##_calloc, name##_shared_realloc, name##_shared_free \
    }

PyMemAllocatorEx hak__py_functions(hak_heap *heap, int domain, hak_py_mode mode)
{
    static const PyMemAllocatorEx functions[HAK_PY_DOMAIN_RAW][HAK_PY_MODES] = {
        [HAK_PY_DOMAIN_MEM] = {FUNCTIONS(mem_), SHARED_FUNCTIONS(mem), FUNCTIONS(mem_locked_),
                               FUNCTIONS(mem_observed_)},
        [HAK_PY_DOMAIN_OBJ] = {FUNCTIONS(obj_), SHARED_FUNCTIONS(obj), FUNCTIONS(obj_locked_),
                               FUNCTIONS(obj_observed_)},
    };
    PyMemAllocatorEx chosen = functions[domain][mode];
    chosen.ctx = heap;
    return chosen;
}
