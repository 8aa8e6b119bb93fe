/* Included by all sources of a module, before lua.h: functions of Lua's API that some versions have
 * and others not. They are weak, so that every version can load a module, which then says for which
 * version it was built (lua_control.c), instead of the loader's "undefined symbol". */
#ifndef HAK_LUA_WEAK_H
#define HAK_LUA_WEAK_H

#pragma weak luaJIT_setmode
#pragma weak luaL_makeseed
#pragma weak lua_call
#pragma weak lua_callk
#pragma weak lua_copy
#pragma weak lua_cpcall
#pragma weak lua_insert
#pragma weak lua_newuserdata
#pragma weak lua_newuserdatauv
#pragma weak lua_objlen
#pragma weak lua_pcall
#pragma weak lua_pcallk
#pragma weak lua_pushexternalstring
#pragma weak lua_rawlen
#pragma weak lua_remove
#pragma weak lua_replace
#pragma weak lua_rotate
#pragma weak lua_tonumber
#pragma weak lua_tonumberx
#pragma weak luaopen_jit

#endif
