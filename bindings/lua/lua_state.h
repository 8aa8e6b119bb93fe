/* What the Lua adapter keeps beside a heap: who allocated before, how the collector is doing, and
 * how the state ends. */
#ifndef HAK_LUA_STATE_H
#define HAK_LUA_STATE_H

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
    bool closing;   /* the state is, and its block ends the heap */
    hak_lua_pace pace;
} hak_lua_adapter;

/* The allocator for a state in `heap`, and whether `function` is one of those. */
lua_Alloc hak__lua_alloc_of(const hak_heap *heap);
bool hak__lua_is_alloc(lua_Alloc function);

/* The kind of a new block that Lua wants for `what`. */
unsigned hak__lua_kind_of(size_t what);

/* Names the kinds of such a heap; of another, nothing. */
void hak__lua_name_kinds(hak_heap *heap);

/* Whether the interpreter is LuaJIT. Not known before run time, since LuaJIT loads what was built
 * for Lua 5.1. */
bool hak__lua_is_luajit(void);

/* The function that a state with this heap has, until it is closed. */
lua_Alloc hak__lua_function(const hak_heap *heap);

/* Whether `function` is such a one, of some heap. */
bool hak__lua_is_ours(lua_Alloc function);

/* The allocator that luaL_newstate gives a state: Lua's own. NULL where no memory is left to ask.
 */
lua_Alloc hak__lua_own_alloc(void);

/* The adapter of the state, also where a host has wrapped the allocator; NULL: none. */
hak_lua_adapter *hak__lua_adapter_of(lua_State *L);

/* The state's main thread. NULL where the interpreter does not tell (5.1 and LuaJIT, asked by a
 * coroutine). */
lua_State *hak__lua_main_thread(lua_State *L);

/* Called by Lua with the adapter, a light userdata: makes sure that the heap goes with the state,
 * and is told of each cycle of the collector. */
int hak__lua_place_sentinels(lua_State *L);

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

/* A cycle is over: the heap gives back what it does not retain. */
void hak__lua_cycle_is_over(hak_lua_adapter *adapter);

/* Called when the state is closed, and its other finalizers have run, by the finalizer whose frame
 * that is. May not return. */
void hak__lua_at_close(lua_State *L, hak_lua_adapter *adapter, void *frame);

/* The allocator of a state that lua_close takes apart: freeing one by one what goes with the heap
 * is left out, and with the state's own block the heap goes. */
void *hak__lua_alloc_closing(void *ud, void *block, size_t old_size, size_t new_size);

/* Frees the state's own block, the last, and with it the heap, unless that is the host's. */
void hak__lua_end(hak_heap *heap, void *state_block, size_t size);

/* The block that holds a state's main thread. */
void *hak__lua_state_block(lua_State *main_thread);

/* LuaJIT built for 32-bit references keeps all its objects in the low 2 GiB, where no other
 * allocator's memory may lie. */
bool hak__lua_takes_foreign_memory(lua_State *L);

#endif
