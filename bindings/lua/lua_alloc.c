/* The lua_Alloc function, which Lua calls for every object. */
#include "lua_alloc.h"

#include "heap/heap.h"
#include "lua_pace.h"
#include "lua_shared.h"

HAK_ADAPTER_NEEDS_LAYOUT;

/* ------------------------------------------------------------------ the slow paths */

__attribute__((noinline)) void *hak__lua_alloc_slow(hak_heap *heap, size_t size)
{
    if (HAK_UNLIKELY(hak__lua_alloc_is_rare(heap, size))) return hak__lua_alloc_rare(heap, 0, size);
    return hak__lua_alloc_paced(heap, 0, size);
}

__attribute__((noinline)) void *hak__lua_alloc_kind_slow(hak_heap *heap, unsigned kind, size_t size)
{
    if (HAK_UNLIKELY(hak__lua_alloc_is_rare(heap, size)))
        return hak__lua_alloc_rare(heap, kind, size);
    return hak__lua_alloc_paced(heap, kind, size);
}

__attribute__((noinline)) void *hak__lua_realloc(hak_heap *heap, void *block, size_t size)
{
    if (hak__lua_is_shared(heap)) hak__lua_shared_resize(heap);
    if (hak__lua_is_shared(heap)) return hak__heap_realloc(heap, block, size);
    hak__lua_before(heap);
    return hak__lua_after(heap, hak__heap_realloc(heap, block, size));
}

__attribute__((noinline)) void *hak__lua_free_event(hak_heap *heap, hak_slab *slab, void *block)
{
    hak__heap_free_event(heap, slab, block);
    return NULL;
}

/* ------------------------------------------------------------------ foreign blocks */

__attribute__((noinline)) void *hak__lua_free_outside(hak_heap *heap, void *block, size_t old_size)
{
    const hak_lua_adapter *adapter = heap->adapter;
    if (hak__lua_is_shared(heap)) {
        hak__lua_shared_free(heap, block, old_size);
    } else if (adapter && hak__lua_is_closing(adapter) && block == heap->root) {
        adapter->end(heap, block, old_size, true);
    } else if (hak__lua_is_foreign(heap, block)) {
        adapter->previous(adapter->previous_ud, block, old_size, 0);
    } else {
        hak__heap_free_outside(heap, block);
    }
    return NULL;
}

/* Shrinking moves a foreign block of at most this size to the heap. Above it, the previous
 * allocator shrinks the block, which is less work. */
#define MOVE_MAX ((size_t)1 << 20)

/* Moves a block of the previous allocator to this heap, if the limit allows. Only that allocator
 * knows how many bytes there are to copy, since `old_size` need not be correct: so it resizes the
 * block first. */
void *hak__lua_resize_foreign(hak_heap *heap, void *block, size_t old_size, size_t new_size)
{
    const hak_lua_adapter *adapter = heap->adapter;
    bool shrinks = new_size <= old_size;
    void *other = shrinks && new_size > MOVE_MAX ? NULL : hak__lua_take_other(heap, new_size);
    if (!other && !shrinks) return NULL;
    void *resized = adapter->previous(adapter->previous_ud, block, old_size, new_size);
    if (!other || !resized) {
        if (other) hak__heap_free(heap, other);
        return resized;
    }
    memcpy(other, resized, new_size);
    adapter->previous(adapter->previous_ud, resized, new_size, 0);
    return other;
}

/* ------------------------------------------------------------------ blocks of the heap */

__attribute__((noinline)) void *hak__lua_resize_in_nest(hak_heap *heap, void *block,
                                                        size_t new_size)
{
    size_t had;
    if (hak__heap_resize_in_nest(heap, block, new_size, &had)) return block;
    if (had == 0) return hak__lua_realloc(heap, block, new_size);
    void *other = hak__lua_take_other(heap, new_size);
    if (!other) return new_size <= had ? block : NULL;
    memcpy(other, block, had < new_size ? had : new_size);
    hak__heap_free_mapped(heap, block);
    return other;
}

__attribute__((noinline)) static void *resize(hak_heap *heap, void *block, size_t old_size,
                                              size_t new_size)
{
    return hak__lua_resize(heap, block, old_size, new_size, false);
}

void *hak_lua_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    hak_heap *heap = ud;
    if (block == NULL) return new_size ? hak__lua_take(heap, new_size) : NULL;
    if (new_size != 0) return resize(heap, block, old_size, new_size);
    return hak__lua_free(heap, block, old_size);
}
