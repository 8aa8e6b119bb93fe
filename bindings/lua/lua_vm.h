/* Facts about the interpreter. */
#ifndef HAK_LUA_VM_H
#define HAK_LUA_VM_H

#include <lua.h>
#include <stdbool.h>

/* Whether the interpreter is LuaJIT. Known only at run time, since LuaJIT loads modules
 * built for Lua 5.1. */
bool hak__lua_is_luajit(void);

/* Whether the state can hold memory of another allocator. LuaJIT built for 32-bit references
 * cannot: its objects must lie in the low 2 GiB. */
bool hak__lua_takes_foreign_memory(lua_State *L);

/* The allocator that luaL_newstate gives a state: Lua's own. NULL: no memory to find out. */
lua_Alloc hak__lua_own_alloc(void);

/* The state's main thread. NULL: unknown (5.1 and LuaJIT, called in a coroutine). */
lua_State *hak__lua_main_thread(lua_State *L);

/* The block that holds a state's main thread. */
void *hak__lua_state_block(lua_State *main_thread);

#endif
