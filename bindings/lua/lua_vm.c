#include "lua_vm.h"

#include <lauxlib.h>
#include <stdint.h>

#if LUA_VERSION_NUM == 501
extern int luaJIT_setmode(lua_State *L, int index, int mode)
    __attribute__((weak, visibility("default")));
#endif

bool hak__lua_is_luajit(void)
{
#if LUA_VERSION_NUM == 501
    return luaJIT_setmode != NULL;
#else
    return false;
#endif
}

bool hak__lua_takes_foreign_memory(lua_State *L)
{
    return !hak__lua_is_luajit() || (uintptr_t)L >> 32 != 0;
}

lua_Alloc hak__lua_own_alloc(void)
{
    static lua_Alloc known;
    lua_Alloc own = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (own) return own;
    lua_State *fresh = luaL_newstate();
    if (!fresh) return NULL;
    own = lua_getallocf(fresh, NULL);
    lua_close(fresh);
    __atomic_store_n(&known, own, __ATOMIC_RELAXED);
    return own;
}

lua_State *hak__lua_main_thread(lua_State *L)
{
#ifdef LUA_RIDX_MAINTHREAD
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main_thread = lua_tothread(L, -1);
#else
    lua_State *main_thread = lua_pushthread(L) ? L : NULL;
#endif
    lua_pop(L, 1);
    return main_thread;
}

void *hak__lua_state_block(lua_State *main_thread)
{
#ifdef LUA_EXTRASPACE /* since 5.3 */
    return (char *)main_thread - LUA_EXTRASPACE;
#else
    return main_thread;
#endif
}
