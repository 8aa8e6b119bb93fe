/* malloc and its companions, over a heap for each thread. */
#include <errno.h>
#include <string.h>

#include "os/os.h"
#include "pages/pages.h"
#include "threads/all.h"
#include "threads/foreign.h"
#include "threads/front.h"
#include "threads/hold.h"
#include "threads/remote.h"
#include "threads/thread.h"

/* ------------------------------------------------------------------ whose block it is */

/* A block of a thread heap. */
typedef struct hak_thread_block {
    hak_thread_heap *heap; /* NULL: of none */
    size_t size;           /* bytes that it can hold; 0: the heap must be held to know */
} hak_thread_block;

static hak_thread_block find(const void *block)
{
    hak_placed placed = hak__heap_place(block);
    hak_thread_heap *heap = placed.heap ? hak__thread_heap_of(placed.heap) : NULL;
    return (hak_thread_block){heap, placed.size};
}

static bool serves_all(void)
{
    return hak__foreign && hak__foreign->serves_all();
}

/* The same. NULL: it is the foreign allocator's; aborts if it is nobody's. `caller`: where the
 * program is, CALLER in a function that it calls, or that is called last by such a one. */
static hak_thread_block find_for(const char *what, const void *block, const void *caller)
{
    hak_thread_block found = find(block);
    if (!found.heap && !(hak__foreign && hak__foreign->owns(block))) {
        hak__called_from = caller;
        hak__fatal(what, block, "not a block of malloc's");
    }
    return found;
}

#define CALLER __builtin_return_address(0)

bool hak__thread_has(const void *block)
{
    return find(block).heap != NULL;
}

/* Whether the calling thread can use a heap at once. */
static bool is_own(const hak_thread_heap *heap)
{
    return heap == hak__thread.own && !hak__thread.inside;
}

/* ------------------------------------------------------------------ allocating */

/* Evaluates `call` with the calling thread's heap as `heap`. */
#define WITH_OWN_HEAP(result, call)                 \
    do {                                            \
        hak__thread_leave();                        \
        hak_thread_heap *own = hak__thread_begin(); \
        (result) = NULL;                            \
        if (own) {                                  \
            hak_heap *heap = own->heap;             \
            (result) = (call);                      \
            hak__thread_end(own);                   \
        }                                           \
    } while (0)

static __attribute__((noinline)) void *alloc_with_token(size_t size)
{
    void *block;
    if (serves_all()) return hak__foreign->alloc(1, size);
    WITH_OWN_HEAP(block, hak__heap_alloc(heap, size));
    return block;
}

void *hak__thread_alloc_slow(size_t size, hak_heap *heap)
{
    void *block = hak__heap_is_medium(size) ? hak__heap_take_medium(heap, size) : NULL;
    if (!block) return alloc_with_token(size);
    hak__thread_leave();
    return block;
}

void *hak_malloc(size_t size)
{
    return hak__thread_alloc(size);
}

static __attribute__((noinline)) void *calloc_large(size_t size)
{
    void *block;
    if (serves_all()) return hak__foreign->zalloc(size);
    WITH_OWN_HEAP(block, hak__heap_zalloc(heap, 1, size));
    return block;
}

void *hak_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    if (bytes > HAK_MEDIUM_MAX) return calloc_large(bytes);
    void *block = hak__thread_alloc(bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

void *hak_aligned_alloc(size_t alignment, size_t size)
{
    void *block;
    if (serves_all()) return hak__foreign->alloc(alignment, size);
    WITH_OWN_HEAP(block, hak__heap_aligned_alloc(heap, alignment, size));
    return block;
}

/* ------------------------------------------------------------------ freeing */

/* The owner of a block in the shared region, if it is surely a small one; NULL: it may be another.
 * Reads no record that its owner writes often. */
static const hak_pages *owner_of_small(const void *block)
{
    const hak_region *shared = &hak__shared;
    size_t unit = ((uintptr_t)block - shared->base) >> HAK_UNIT_SHIFT;
    size_t ready = __atomic_load_n(&shared->ready, __ATOMIC_RELAXED);
    if (unit / HAK_SUPERSLAB_UNITS >= ready || (uintptr_t)block % HAK_PAGE == 0) return NULL;
    return hak__region_owner_of_unit(unit);
}

/* Whether the calling thread has the token of its heap. `busy` is set. */
static bool has_token(void)
{
    return atomic_load_explicit(&hak__thread.heap, memory_order_acquire) != &hak__no_heap;
}

/* Whether a small block of that heap, or NULL, could be put into a bundle. */
static bool bundle(hak_thread_heap *to, void *block)
{
    return to && has_token() && to != hak__thread.own &&
           hak__remote_bundle(hak__thread.own, to, block);
}

/* The heap of a small block, NULL if it is another. One at the start of a page has to be looked up.
 */
static hak_thread_heap *heap_of_small(const hak_pages *owner, const void *block)
{
    if (owner) return hak__thread_heap_of(hak__heap_of_pages(owner));
    hak_thread_block found = find(block);
    return found.size <= HAK_MEDIUM_MAX && found.size > 0 ? found.heap : NULL;
}

static __attribute__((noinline)) void free_elsewhere(const hak_pages *owner, void *block)
{
    bool done = !block || bundle(heap_of_small(owner, block), block);
    hak__thread_leave();
    if (done) return;
    hak_thread_block found = find_for("free", block, CALLER);
    if (!found.heap) {
        hak__foreign->free(block);
        return;
    }
    if (!is_own(found.heap)) {
        hak__remote_free(found.heap, block, found.size);
        hak__thread_need_bundles();
        return;
    }
    hak_thread_heap *own = hak__thread_begin();
    hak__called_from = CALLER;
    hak__heap_free(own->heap, block);
    hak__called_from = NULL;
    hak__thread_end(own);
}

void hak__thread_free_elsewhere(void *block)
{
    const hak_pages *owner = owner_of_small(block);
    if (HAK_LIKELY(owner && has_token() && hak__remote_join(hak__thread.own, owner, block)))
        hak__thread_leave();
    else free_elsewhere(owner, block);
}

void hak__thread_free_event(hak_heap *heap, hak_slab *slab, void *block)
{
    bool taken = hak__thread_take();
    hak__called_from = CALLER;
    hak__heap_free_event(heap, slab, block);
    hak__called_from = NULL;
    hak__thread_put(heap, taken);
    hak__thread_leave();
}

void hak_free(void *block)
{
    hak__thread_free(block);
}

/* ------------------------------------------------------------------ sizes */

/* The usable size of a block; its heap is held for that only if it cannot be known otherwise. */
static size_t size_of(const hak_thread_block *found, const void *block)
{
    if (found->size) return found->size;
    if (found->heap == hak__thread.own) return hak__heap_block_size(found->heap->heap, block);
    hak__hold(found->heap);
    size_t size = hak__heap_block_size(found->heap->heap, block);
    hak__hold_end(found->heap);
    return size;
}

size_t hak_usable_size(const void *block)
{
    if (!block) return 0;
    hak_thread_block found = find_for("usable_size", block, CALLER);
    if (!found.heap) return hak__foreign->size(block);
    size_t size = size_of(&found, block);
    if (size == 0) hak__fatal("usable_size", block, "no block begins there");
    return size;
}

static void *realloc_of_another(const hak_thread_block *found, void *block, size_t size)
{
    size_t had = size_of(found, block);
    void *other = hak_malloc(size);
    if (!other) return size <= had ? block : NULL;
    memcpy(other, block, size < had ? size : had);
    hak_free(block);
    return other;
}

void *hak_realloc(void *block, size_t size)
{
    if (!block) return hak_malloc(size);
    if (size == 0) {
        hak_free(block);
        return NULL;
    }
    hak_thread_block found = find_for("realloc", block, CALLER);
    if (!found.heap) return hak__foreign->realloc(block, size);
    if (!is_own(found.heap)) return realloc_of_another(&found, block, size);
    hak_thread_heap *own = hak__thread_begin();
    void *resized = hak__heap_realloc(own->heap, block, size);
    hak__thread_end(own);
    return resized;
}
