/* The end of a state and of its heap: lua_close.c. */
#ifndef HAK_LUA_CLOSE_H
#define HAK_LUA_CLOSE_H

#include "lua_adapter.h"

/* How a userdata with the finalizer below begins. */
typedef struct hak_lua_finalized {
    void (*run)(lua_State *L, void *frame); /* the object is its argument in L */
} hak_lua_finalized;

/* A lua_CFunction, the finalizer of all objects here: calls `run` with its own frame. So the depth
 * of the stack in one finalizer compares with that in another: what a frame takes, and where its
 * address lies in it, depends on the function, on the machine and on the compiler. */
int hak__lua_finalize(lua_State *L);

/* Called by the sentinel's finalizer, whose frame is `frame`, when the state is closed and its
 * other finalizers have run. May not return. */
void hak__lua_at_close(lua_State *L, hak_lua_adapter *adapter, void *frame);

/* Frees the block of a state, its last one. With the last state on the heap, destroys the heap,
 * unless it is the host's. */
void hak__lua_end(hak_heap *heap, void *state_block, size_t size, bool last);

/* The allocator of a state during lua_close: does not free blocks that go with the heap, and ends
 * the heap with the state's own block. */
void *hak__lua_alloc_closing(void *ud, void *block, size_t old_size, size_t new_size);

#endif
