#include "lua_shared.h"

#include "lua_adapter.h"
#include "lua_pace.h"

/* What heap->root is while no block of a state is known: there is no state, or there may be one. */
static char no_state, some_state;

/* Where a state's block is kept: `places[i]`. Behind the bytes of the state, the block has `i`. */
typedef struct place {
    void *block;      /* NULL: unused */
    size_t next_free; /* then; an index, or the number of places */
} place;

typedef struct hak_lua_shared {
    hak_guard guard;
    size_t awaited;   /* index of the request that shows whether a state is being made; 0: none */
    size_t live;      /* states that have not been closed */
    bool was_closing; /* the first was being closed; it takes part in `live` now */
    place *places;    /* of all states but the first */
    size_t count, free;
} hak_lua_shared;

static hak_lua_shared *shared_of(const hak_heap *heap)
{
    return (hak_lua_shared *)hak__guard_of(heap); /* the guard is its first member */
}

/* ------------------------------------------------------------------ states */

static size_t state_size(void)
{
    return hak__lua_request(0);
}

/* Where in the block of a state the index of its place lies; and the size of the block with it. */
static size_t index_at(void)
{
    return (state_size() + sizeof(size_t) - 1) / sizeof(size_t) * sizeof(size_t);
}

static size_t size_with_index(void)
{
    return index_at() + sizeof(size_t);
}

static size_t *index_in(void *block)
{
    return (size_t *)((char *)block + index_at());
}

static bool has_free_place(hak_heap *heap, hak_lua_shared *shared)
{
    if (shared->free < shared->count) return true;
    size_t more = shared->count ? 2 * shared->count : 8;
    place *places = hak__heap_realloc(heap, shared->places, more * sizeof *places);
    if (!places) return false;
    for (size_t i = shared->count; i < more; i++) places[i] = (place){NULL, i + 1};
    shared->places = places;
    shared->count = more;
    return true;
}

/* The heap is guarded. */
static void *alloc_state(hak_heap *heap, unsigned kind)
{
    HAK_GUARDED(heap);
    hak_lua_shared *shared = shared_of(heap);
    if (!has_free_place(heap, shared)) return NULL;
    void *block = hak__heap_alloc_kind_slow(heap, kind, size_with_index());
    if (!block) return NULL;
    place *at = &shared->places[shared->free];
    *index_in(block) = shared->free;
    shared->free = at->next_free;
    at->block = block;
    shared->live++;
    return block;
}

/* Whether a block is that of a state other than the first; it is so no longer. */
static bool forget_state(const hak_heap *heap, hak_lua_shared *shared, void *block)
{
    if (hak__heap_block_size(heap, block) < size_with_index()) return false;
    size_t index = *index_in(block);
    if (index >= shared->count || shared->places[index].block != block) return false;
    shared->places[index] = (place){NULL, shared->free};
    shared->free = index;
    return true;
}

/* ------------------------------------------------------------------ beginning and ending */

/* Whether the first state, by whose block the heap is known, may not have been closed. */
static bool first_lives(const hak_heap *heap)
{
    const hak_lua_adapter *adapter = heap->adapter;
    if (heap->root == &no_state) return false;
    if (heap->root == &some_state || (adapter && adapter->thread)) return true;
    return hak__heap_is_live(heap, heap->root, state_size());
}

/* `awaited`: index of the next request if a state is being made. */
static bool begin(hak_heap *heap, size_t awaited)
{
    hak_lua_adapter *adapter = heap->adapter;
    hak_lua_shared *shared = hak__heap_zalloc(heap, 1, sizeof *shared);
    if (!shared) return false;
    if (adapter && hak__lua_is_closing(adapter)) {
        if (adapter->base) hak__heap_show(heap, adapter->base);
        adapter->closing = false;
        shared->was_closing = true;
    }
    shared->awaited = awaited;
    shared->live = 1;
    hak__guard_begin(heap, &shared->guard);
    return true;
}

/* No other thread uses the heap. */
static void unshare(hak_heap *heap)
{
    hak_lua_shared *shared = shared_of(heap);
    hak_lua_adapter *adapter = heap->adapter;
    hak__guard_end(heap);
    if (shared->was_closing) {
        adapter->closing = true;
        if (adapter->base) hak__heap_hide(heap);
    }
    hak_heap_free(heap, shared->places);
    hak_heap_free(heap, shared);
}

/* To be called when there is, or will be, another state. */
static void make_certain(hak_heap *heap)
{
    shared_of(heap)->was_closing = false;
    hak__heap_set_adapter_reserve(heap, 0);
}

/* Follows the requests after one that may be for a state. 0: the next is another. */
static void expect(hak_heap *heap, size_t size)
{
    hak_lua_shared *shared = shared_of(heap);
    if (size != hak__lua_request(shared->awaited)) unshare(heap);
    else if (++shared->awaited == HAK_LUA_REQUESTS) shared->awaited = 0;
    if (hak__lua_is_shared(heap) && !shared->awaited) make_certain(heap);
}

bool hak__lua_share(hak_heap *heap)
{
    if (!hak__lua_is_shared(heap) && !begin(heap, 0)) return false;
    make_certain(heap);
    return true;
}

/* ------------------------------------------------------------------ requests */

static void *alloc_first(hak_heap *heap, unsigned kind, size_t size)
{
    void *block = hak__lua_alloc_paced(heap, kind, size);
    if (block) heap->root = block;
    return block;
}

void hak__lua_set_state(hak_heap *heap, void *block)
{
    if (!heap->root) hak__heap_watch(heap, state_size());
    heap->root = block;
}

/* The first request of a heap, as far as it took the slow path. A state may have been made before,
 * if its block is small. */
static void first_request(hak_heap *heap, size_t size)
{
    if (!hak__lua_vm()) return; /* no memory to find out: the next request tries again */
    bool noticed = size == state_size() || state_size() > HAK_SMALL_MAX;
    hak__lua_set_state(heap, noticed ? &no_state : &some_state);
}

static void *alloc_second(hak_heap *heap, unsigned kind)
{
    void *block = alloc_state(heap, kind);
    if (!block) unshare(heap);
    return block;
}

void *hak__lua_alloc_rare(hak_heap *heap, unsigned kind, size_t size)
{
    if (hak__lua_is_shared(heap) && shared_of(heap)->awaited) expect(heap, size);
    if (!hak__lua_is_shared(heap)) {
        if (!heap->root) first_request(heap, size);
        if (size != state_size()) return hak__lua_alloc_paced(heap, kind, size);
        if (!first_lives(heap)) return alloc_first(heap, kind, size);
        return begin(heap, 1) ? alloc_second(heap, kind) : NULL;
    }
    return size == state_size() ? alloc_state(heap, kind)
                                : hak__heap_alloc_kind_slow(heap, kind, size);
}

void hak__lua_shared_resize(hak_heap *heap)
{
    if (shared_of(heap)->awaited) expect(heap, 0);
}

/* ------------------------------------------------------------------ frees */

static void free_usual(hak_heap *heap, void *block, size_t old_size)
{
    const hak_lua_adapter *adapter = heap->adapter;
    if (hak__lua_is_foreign(heap, block))
        adapter->previous(adapter->previous_ud, block, old_size, 0);
    else hak_heap_free(heap, block);
}

/* Frees a block of a slab in which no state lies. False: it may be another one. */
static bool free_small(hak_heap *heap, void *block)
{
    hak_slab *slab = hak__guard_slab_of(heap, block);
    if (!slab || !slab->block_size || slab->block_size >= size_with_index()) return false;
    if (hak__heap_put(heap, slab, block)) hak__heap_free_event(heap, slab, block);
    return true;
}

typedef enum which { NO_STATE, A_STATE, LAST_STATE } which;

static which which_state(hak_heap *heap, void *block)
{
    hak_lua_shared *shared = shared_of(heap);
    if (block == heap->root) heap->root = &no_state;
    else if (!forget_state(heap, shared, block)) return NO_STATE;
    return --shared->live ? A_STATE : LAST_STATE;
}

/* With the last state, the caller is the heap's only user. */
static which free_guarded(hak_heap *heap, void *block, size_t old_size)
{
    HAK_GUARDED(heap);
    if (free_small(heap, block)) return NO_STATE;
    which state = which_state(heap, block);
    if (state == NO_STATE) free_usual(heap, block, old_size);
    return state;
}

void hak__lua_shared_free(hak_heap *heap, void *block, size_t old_size)
{
    if (shared_of(heap)->awaited) expect(heap, 0);
    if (!hak__lua_is_shared(heap)) {
        free_usual(heap, block, old_size);
        return;
    }
    which state = free_guarded(heap, block, old_size);
    if (state == NO_STATE) return;
    hak_lua_adapter *adapter = heap->adapter;
    bool hosts = !adapter || adapter->hosts, last = state == LAST_STATE;
    if (last && hosts) unshare(heap);
    if (adapter) adapter->end(heap, block, old_size, last);
    else hak_heap_free(heap, block);
}
