/* How long it takes to close a Lua state that holds many small objects: lua_close on a stock state
 * against hak_lua_close, which runs the finalizers and then drops the heap whole.
 *
 *     lua_close hakmem|stock|peer [MiB]
 *
 * Builds a state with that many MiB of small tables, strings and closures (200 by default), closes
 * it and prints one line of JSON, with the build and the profile if it is hakmem's. For a peer,
 * preload its library and say `peer`. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hakmem_lua.h"

static const char script[] =
    "local wanted = ...\n"
    "local kept = {}\n"
    "while collectgarbage('count') < wanted * 1024 do\n"
    "  for i = 1, 1000 do\n"
    "    local n = #kept\n"
    "    kept[n + 1] = { id = n, name = 'object ' .. n, method = function() return n end }\n"
    "  end\n"
    "end\n"
    "return #kept\n";

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    const char *who = argc > 1 ? argv[1] : "";
    int mib = argc > 2 ? atoi(argv[2]) : 200;
    int hakmem = strcmp(who, "hakmem") == 0;
    if ((!hakmem && strcmp(who, "stock") != 0 && strcmp(who, "peer") != 0) || mib <= 0) {
        fprintf(stderr, "usage: %s hakmem|stock|peer [MiB]\n", argv[0]);
        return 2;
    }
    lua_State *L = hakmem ? hak_lua_newstate(NULL) : luaL_newstate();
    if (!L) return 3;
    luaL_openlibs(L);
    lua_Integer objects = 0;
    if (luaL_loadstring(L, script) == 0) {
        lua_pushinteger(L, mib);
        if (lua_pcall(L, 1, 1, 0) == 0) objects = lua_tointeger(L, -1);
    }
    if (objects == 0) {
        fprintf(stderr, "%s: %s\n", argv[0], lua_tostring(L, -1));
        return 3;
    }
    const char *profile = hakmem ? hak_heap_profile(hak_lua_heap(L)) : NULL;
    double begin = now();
    if (hakmem) hak_lua_close(L);
    else lua_close(L);
    double seconds = now() - begin;
    printf("{\"allocator\": \"%s\", \"mib\": %d, \"objects\": %lld, \"close_s\": %.6f", who, mib,
           (long long)objects, seconds);
    if (hakmem) printf(", \"build\": \"%s\", \"profile\": \"%s\"", hak_build(), profile);
    puts("}");
    return 0;
}
