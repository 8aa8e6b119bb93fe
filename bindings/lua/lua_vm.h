/* What the interpreter is that the adapter serves, and where it keeps what. */
#ifndef HAK_LUA_VM_H
#define HAK_LUA_VM_H

#include <lua.h>
#include <stdbool.h>

/* Whether the interpreter is LuaJIT. Not known before run time, since LuaJIT loads what was built
 * for Lua 5.1. */
bool hak__lua_is_luajit(void);

/* LuaJIT built for 32-bit references keeps all its objects in the low 2 GiB, where no other
 * allocator's memory may lie. */
bool hak__lua_takes_foreign_memory(lua_State *L);

/* The allocator that luaL_newstate gives a state: Lua's own. NULL where no memory is left to ask.
 */
lua_Alloc hak__lua_own_alloc(void);

/* The state's main thread. NULL where the interpreter does not tell (5.1 and LuaJIT, asked by a
 * coroutine). */
lua_State *hak__lua_main_thread(lua_State *L);

/* The block that holds a state's main thread. */
void *hak__lua_state_block(lua_State *main_thread);

#endif
