/* How the control surface looks in Lua. */

/* SWIG has one list of the types of all its modules in a state. Other states may be used by other threads:
 * so this module has a list of its own. */
%begin %{
#define SWIG_TYPE_TABLE hakmem
%}

%{
#include <lauxlib.h>

#include "lua_control.h"
#include "os/os.h"

/* SWIG would set the globals `hakmem`, `swig_type` and `swig_equals`; scripts keep theirs. */
#undef SWIG_LUA_MODULE_GLOBAL
#undef SWIG_Lua_add_function
#define SWIG_Lua_add_function(L, name, function)

/* SWIG's function would ask the interpreter for much before it could be told that it is another one. */
#undef SWIG_init
#define SWIG_init hak_lua_open_surface
SWIGEXPORT int hak_lua_open_surface(lua_State *L);

/* When it runs for the first time, SWIG's function writes what is the same for all states. Threads may open
 * the module in several states at once: so that is done in a state of its own. */
static void open_first(void)
{
    lua_State *L = luaL_newstate();
    if (!L) return;
    lua_pushcfunction(L, hak_lua_open_surface);
    lua_pcall(L, 0, 0, 0);
    lua_close(L);
}

HAK_API int luaopen_hakmem(lua_State *L)
{
    static hak_once once;
    hak_lua_control_begin(L);
    hak__once(&once, open_first);
    return hak_lua_open_surface(L);
}

/* SWIG's messages would name the C functions. */
#undef SWIG_check_num_args
#define SWIG_check_num_args(c_name, least, most)                                                   \
    luaL_argcheck(L, lua_gettop(L) <= (most), (most) + 1, "no value expected");
#undef SWIG_fail_arg
#define SWIG_fail_arg(c_name, argument, c_type)                                                    \
    luaL_checktype(L, argument, strchr(c_type, '*') ? LUA_TSTRING : LUA_TNUMBER)

/* A state's heap has one user. */
#define CONTROL_ENTER
#define CONTROL_LEAVE

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
%native(options) int hak_lua_control_options(lua_State *L);
%native(observe) int hak_lua_control_observe(lua_State *L);
%native(observations) int hak_lua_control_observations(lua_State *L);
%native(openmetrics) int hak_lua_control_openmetrics(lua_State *L);
%native(process_stats) int hak_lua_control_process_stats(lua_State *L);

/* The heap of the calling state is no argument. */
%typemap(in, numinputs=0) hak_heap *current
{
    $1 = hak_lua_heap(L);
    if (!$1) CONTROL_RAISE(HAK_LUA_NOT_INSTALLED);
}

/* Settings are a table, or text. */
%typemap(in, checkfn="") const char *settings
{
    $1 = (char *)hak_lua_settings(L, 1);
}

/* CONTROL_KEEP is for a call without the argument. */
%typemap(check) double bytes
{
    luaL_argcheck(L, lua_isnone(L, 1) || !isnan($1), 1, "not a number");
}

%typemap(out) double control_limit, size_t
{
    lua_pushinteger(L, (lua_Integer)$1);
    SWIG_arg++;
}

%typemap(argout) hak_threads_stats *stats
{
    hak_lua_push_thread_stats(L, $1);
    SWIG_arg++;
}

%typemap(argout) hak_stats *stats
{
    hak_lua_push_stats(L, hak_lua_heap(L), $1);
    SWIG_arg++;
}
