/* The state of the Lua adapter: the previous allocator, the collector's pace, and the end
 * of the lua_State. */
#ifndef HAK_LUA_ADAPTER_H
#define HAK_LUA_ADAPTER_H

#include <lua.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "hakmem_lua.h"
#include "heap/heap.h"

/* The collector's pace under the heap's limit: lua_pace.c. */
typedef struct hak_lua_pace {
    size_t limit;              /* the heap's limit when the marks were set; SIZE_MAX: none */
    size_t begin_at, hurry_at; /* marks, in bytes in use: a cycle begins; it is done at once */
    int stepmul;               /* the script's step multiplier */
    int set_stepmul;           /* the one set in its place; negative: none */
} hak_lua_pace;

typedef struct hak_lua_adapter {
    hak_heap *heap;
    lua_State *thread;  /* the main thread */
    lua_Alloc previous; /* allocator of blocks from before hak_lua_install; NULL: none */
    void *previous_ud;
    jmp_buf *leave;     /* the way out of lua_close while hak_lua_close runs */
    void *close_frame;  /* the stack when hak_lua_close began */
    size_t closing_new; /* bytes asked for since hak__lua_alloc_closing is in place */
    const volatile unsigned char *mark; /* byte whose colour changes with each cycle:
                                         * lua_sentinel.c; NULL: none */
    unsigned char colour;               /* the colour last read */
    int most_kib;                       /* largest LUA_GCCOUNT since the last cycle */
    bool hosts;                         /* the heap is the host's own and outlives the state */
    bool has_arena; /* `previous` is LuaJIT's own allocator, which drops its memory as a whole */
    uintptr_t base; /* the heap's base while all frees take the slow path */
    bool closing;   /* the state is being closed */
    /* Frees the block of a state, its last one. With the last state, ends the heap. */
    void (*end)(hak_heap *heap, void *state_block, size_t size, bool last);
    hak_lua_pace pace;
} hak_lua_adapter;

/* Whether a block outside the range of the hot path (huge, in a spill region, on a caller's memory)
 * belongs to the previous allocator. */
static inline bool hak__lua_is_foreign(const hak_heap *heap, const void *block)
{
    const hak_lua_adapter *adapter = heap->adapter;
    return adapter && adapter->previous && !hak_heap_owns(heap, block);
}

/* Whether more than one state lives on a heap, or may. */
static inline bool hak__lua_is_shared(const hak_heap *heap)
{
    return hak__guard_of(heap) != NULL;
}

/* Whether the state is being closed. */
static inline bool hak__lua_is_closing(const hak_lua_adapter *adapter)
{
    return adapter->closing;
}

/* The colour of the mark, which changes with each cycle. */
static inline unsigned char hak__lua_colour(const hak_lua_adapter *adapter)
{
    unsigned char white = *adapter->mark & 3;
    return white ? white : adapter->colour;
}

/* Whether a cycle has ended since the colour was last read. After an even number of cycles the
 * colour is the same; then the memory that Lua counts has fallen by an eighth. */
static inline bool hak__lua_has_cycled(hak_lua_adapter *adapter)
{
    if (hak__lua_colour(adapter) != adapter->colour) return true;
    int kib = lua_gc(adapter->thread, LUA_GCCOUNT, 0);
    if (kib > adapter->most_kib) adapter->most_kib = kib;
    return kib < adapter->most_kib - adapter->most_kib / 8;
}

#endif
