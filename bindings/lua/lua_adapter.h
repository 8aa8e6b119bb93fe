/* What the Lua adapter keeps beside a heap: who allocated before, how the collector is doing, and
 * how the state ends. */
#ifndef HAK_LUA_ADAPTER_H
#define HAK_LUA_ADAPTER_H

#include <lua.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "hakmem_lua.h"

/* How the collector's pace follows the heap's limit: lua_pace.c. */
typedef struct hak_lua_pace {
    size_t limit;              /* the heap's, when the next two were set */
    size_t begin_at, hurry_at; /* bytes in use: when a cycle is to begin, and to be over with */
    int stepmul;               /* the script's step multiplier … */
    int set_stepmul;           /* … and the one in its place; negative: none */
} hak_lua_pace;

typedef struct hak_lua_adapter {
    hak_heap *heap;
    lua_State *thread;  /* one that lives as long as the state: the main thread, if it is known */
    lua_Alloc previous; /* of the blocks from before hak_lua_install; NULL: there are none */
    void *previous_ud;
    void *state_block;  /* the block of the state itself, the last that lua_close frees */
    jmp_buf *leave;     /* out of lua_close, while hak_lua_close runs */
    void *close_frame;  /* where the stack was when it began */
    size_t closing_new; /* bytes asked for since hak__lua_alloc_closing is in place */
    const volatile unsigned char *mark; /* which tells of cycles: lua_sentinel.c; NULL: none does */
    unsigned char colour;               /* when it was last read … */
    int most_kib;                       /* … and the most that Lua has counted since a cycle */
    bool hosts;                         /* the heap is the host's own, and outlives the state */
    bool has_arena; /* `previous` is LuaJIT's own allocator, which drops its memory as a whole */
    uintptr_t base; /* the heap's, while its blocks take the long way */
    /* What frees the state's block, the last, and ends the heap; NULL: it is not closed yet. */
    void (*end)(hak_heap *heap, void *state_block, size_t size);
    hak_lua_pace pace;
} hak_lua_adapter;

/* Whether the state is being closed. */
static inline bool hak__lua_is_closing(const hak_lua_adapter *adapter)
{
    return adapter->end != NULL;
}

/* What the mark shows: it changes with each cycle. */
static inline unsigned char hak__lua_colour(const hak_lua_adapter *adapter)
{
    unsigned char white = *adapter->mark & 3;
    return white ? white : adapter->colour;
}

/* Whether it has changed. After an even number of cycles it is what it was: then what Lua counts
 * has become less. */
static inline bool hak__lua_has_cycled(hak_lua_adapter *adapter)
{
    if (hak__lua_colour(adapter) != adapter->colour) return true;
    int kib = adapter->thread ? lua_gc(adapter->thread, LUA_GCCOUNT, 0) : 0;
    if (kib > adapter->most_kib) adapter->most_kib = kib;
    return kib < adapter->most_kib - adapter->most_kib / 8;
}

#endif
