/* How the control surface looks in Lua. */

%{
#include "lua_control.h"

#define CONTROL_RAISE(message)                                                                     \
    do {                                                                                           \
        luaL_where(L, 1);                                                                          \
        lua_pushstring(L, message);                                                                \
        lua_concat(L, 2);                                                                          \
        SWIG_fail;                                                                                 \
    } while (0)
%}

%native(install) int hak_lua_control_install(lua_State *L);
%native(installed) int hak_lua_control_installed(lua_State *L);

/* The heap of the calling state is no argument. */
%typemap(in, numinputs=0) hak_heap *current
{
    $1 = hak_lua_heap(L);
    if (!$1) CONTROL_RAISE("hakmem is not installed in this state, call hakmem.install() first");
}

%typemap(out) double control_limit, size_t
{
    lua_pushinteger(L, (lua_Integer)$1);
    SWIG_arg++;
}

%typemap(out) const hak_stats *
{
    if ($1) {
        hak_lua_push_stats(L, $1);
        SWIG_arg++;
    }
}
