/* What the Lua adapter keeps beside a heap: who allocated before, and how the state ends. */
#ifndef HAK_LUA_STATE_H
#define HAK_LUA_STATE_H

#include <lua.h>
#include <setjmp.h>

#include "hakmem_lua.h"

typedef struct hak_lua_adapter {
    hak_heap *heap;
    lua_Alloc previous; /* of the blocks from before hak_lua_install; NULL: there are none */
    void *previous_ud;
    void *state_block;  /* the block of the state itself, the last that lua_close frees */
    jmp_buf *closing;   /* where the last finalizer jumps, while hak_lua_close runs */
    size_t closing_new; /* bytes asked for since the closing state began to keep freed blocks */
} hak_lua_adapter;

#endif
