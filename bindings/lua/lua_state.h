/* What the Lua adapter keeps beside a heap: who allocated before, and how the state ends. */
#ifndef HAK_LUA_STATE_H
#define HAK_LUA_STATE_H

#include <lua.h>
#include <setjmp.h>
#include <stdbool.h>

#include "hakmem_lua.h"

typedef struct hak_lua_adapter {
    hak_heap *heap;
    lua_Alloc previous; /* of the blocks from before hak_lua_install; NULL: there are none */
    void *previous_ud;
    void *state_block;   /* the block of the state itself, the last that lua_close frees */
    jmp_buf *leave;      /* out of lua_close, while hak_lua_close runs */
    size_t closing_new;  /* bytes asked for since hak__lua_alloc_closing is in place */
    size_t closing_left; /* LuaJIT: bytes in use beside the state's block */
} hak_lua_adapter;

/* The allocator for a state in `heap`, and whether `function` is one of those. */
lua_Alloc hak__lua_alloc_of(const hak_heap *heap);
bool hak__lua_is_alloc(lua_Alloc function);

/* The kind of a new block that Lua wants for `what`. */
unsigned hak__lua_kind_of(size_t what);

/* Whether the interpreter is LuaJIT. Not known before run time, since LuaJIT loads what was built
 * for Lua 5.1. */
bool hak__lua_is_luajit(void);

/* The function that a state with this heap has, until it is closed. */
lua_Alloc hak__lua_function(const hak_heap *heap);

/* Whether `function` is such a one, of some heap. */
bool hak__lua_is_ours(lua_Alloc function);

/* Called by Lua with the adapter, a light userdata: makes sure that the heap goes with the state,
 * and settles after each cycle of the collector. */
int hak__lua_place_sentinels(lua_State *L);

/* Called when the state is closed, and its other finalizers have run. May not return. */
void hak__lua_at_close(lua_State *L, hak_lua_adapter *adapter);

/* The allocator of a state that lua_close takes apart: freeing one by one what goes with the heap
 * is left out, and with the state's own block the heap goes. */
void *hak__lua_alloc_closing(void *ud, void *block, size_t old_size, size_t new_size);

/* The block that holds a state's main thread. */
void *hak__lua_state_block(lua_State *main_thread);

/* LuaJIT built for 32-bit references keeps all its objects in the low 2 GiB, where no other
 * allocator's memory may lie. */
bool hak__lua_takes_foreign_memory(lua_State *L);

#endif
