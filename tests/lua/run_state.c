/* A plain Lua interpreter on a state from hak_lua_newstate, for programs that are to behave as
 * under the stock one: run_state [-e CHUNK]... SCRIPT [ARGUMENT]...
 *
 * The exit status is 0, or 1 after an error, whose traceback goes to stderr. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "hakmem_lua.h"

static int with_traceback(lua_State *L)
{
    const char *message = lua_tostring(L, 1);
    lua_getglobal(L, "debug");
    if (!message || !lua_istable(L, -1)) {
        lua_settop(L, 1);
        return 1;
    }
    lua_getfield(L, -1, "traceback");
    lua_pushstring(L, message);
    lua_pushinteger(L, 2);
    lua_call(L, 2, 1);
    return 1;
}

/* Calls the chunk on the stack, or reports why it did not load: `status`. */
static int run(lua_State *L, int status, int arguments)
{
    if (status == 0) {
        int base = lua_gettop(L) - arguments;
        lua_pushcfunction(L, with_traceback);
        lua_insert(L, base);
        status = lua_pcall(L, arguments, 0, base);
        lua_remove(L, base);
    }
    if (status != 0) {
        const char *message = lua_tostring(L, -1);
        fprintf(stderr, "run_state: %s\n", message ? message : "(error object is not a string)");
        lua_pop(L, 1);
    }
    return status;
}

/* The global `arg`, with the script as element 0, as lua.c lays it out. */
static void set_arg(lua_State *L, int argc, char **argv, int script)
{
    lua_createtable(L, argc - script, script);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - script);
    }
    lua_setglobal(L, "arg");
}

int main(int argc, char **argv)
{
    int script = 1;
    while (script + 1 < argc && strcmp(argv[script], "-e") == 0) script += 2;
    if (script >= argc) {
        fprintf(stderr, "usage: run_state [-e CHUNK]... SCRIPT [ARGUMENT]...\n");
        return 2;
    }
    lua_State *L = hak_lua_newstate(NULL);
    if (!L) {
        perror("run_state: hak_lua_newstate");
        return 1;
    }
    luaL_openlibs(L);
    set_arg(L, argc, argv, script);
    int status = 0;
    for (int i = 2; i < script && status == 0; i += 2) {
        status = run(L, luaL_loadstring(L, argv[i]), 0);
    }
    if (status == 0) {
        int loaded = luaL_loadfile(L, argv[script]);
        for (int i = script + 1; loaded == 0 && i < argc; i++) lua_pushstring(L, argv[i]);
        status = run(L, loaded, argc - script - 1);
    }
    hak_lua_close(L);
    return status == 0 ? 0 : 1;
}
