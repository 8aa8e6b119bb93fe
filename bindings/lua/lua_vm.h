/* Facts about the interpreter, which it tells at run time: a module may be loaded by another
 * release than the one that it was built for, and LuaJIT loads modules built for Lua 5.1. */
#ifndef HAK_LUA_VM_H
#define HAK_LUA_VM_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "lua_external.h"

/* What fresh states have told. A state is one block with its main thread and what its threads
 * share, to which each thread points; where these lie in the block depends on the release. */
typedef struct hak_lua_vm {
    bool is_known; /* whether states are made as described; else only the functions are known */
    lua_Alloc own_alloc; /* the allocator that luaL_newstate gives a state: Lua's own */
    lua_CFunction panic; /* its panic function */
    /* LuaJIT since 2025 reports errors in finalizers by an event. luaL_newstate sets the function
     * that takes it, `on_error`; `attach` does that for a function and the event's name. NULL: no
     * event. */
    lua_CFunction on_error, attach;
    size_t shared_at;   /* bytes from the start of a thread to the pointer to what is shared */
    size_t shared_from; /* bytes from the start of the state's block to what is shared */
    size_t main_from;   /* bytes from the start of the state's block to its main thread */
    hak_lua_external external;
} hak_lua_vm;

/* Sizes of the first blocks that lua_newstate asks for, the state's own first; 0 before hak__lua_vm
 * has told, and if it cannot. Any thread may ask. */
#define HAK_LUA_REQUESTS 3
extern size_t hak__lua_requests[HAK_LUA_REQUESTS];

static inline size_t hak__lua_request(size_t i)
{
    return __atomic_load_n(&hak__lua_requests[i], __ATOMIC_RELAXED);
}

/* Asks fresh states, once in a process. NULL: no memory for that. Any thread may call it. */
const hak_lua_vm *hak__lua_vm(void);

/* lua_newstate, with a seed where it takes one. */
lua_State *hak__lua_newstate(lua_Alloc function, void *ud);

/* The interpreter's version: 501 to 505, as LUA_VERSION_NUM of what was built for it. */
int hak__lua_version(void);

/* Whether the interpreter is LuaJIT. */
bool hak__lua_is_luajit(void);

/* Whether the state can hold memory of another allocator. LuaJIT built for 32-bit references
 * cannot: its objects must lie in the low 2 GiB. */
bool hak__lua_takes_foreign_memory(lua_State *L);

/* The block of the state that a thread belongs to. It is the last that lua_close frees. */
void *hak__lua_state_block(const hak_lua_vm *vm, lua_State *thread);

/* The main thread of that state. */
lua_State *hak__lua_main_thread(const hak_lua_vm *vm, lua_State *thread);

#endif
