/* What a Lua state costs where there are many: memory for each, and the time to make and close one.
 *
 *     lua_states hakmem|stock|peer [STATES]
 *
 * Makes that many states (10,000 by default) with the standard libraries open, runs a small script
 * in each, such as a host keeps one of for each player, document or connection, and closes them
 * all; then makes and closes a tenth as many, one after the other, each through the same script.
 * Prints one line of JSON, with the build and the profile if they are hakmem's. For a peer, preload
 * its library and say `peer`. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hakmem_lua.h"

static const char script[] =
    "local state = { id = ..., name = 'player', items = {}, log = {} }\n"
    "function state.take(name, count)\n"
    "  state.items[name] = (state.items[name] or 0) + count\n"
    "  state.log[#state.log + 1] = ('took %d of %s'):format(count, name)\n"
    "end\n"
    "function state.weight()\n"
    "  local sum = 0\n"
    "  for name, count in pairs(state.items) do sum = sum + #name * count end\n"
    "  return sum\n"
    "end\n"
    "for i = 1, 20 do state.take('thing ' .. i % 5, i) end\n"
    "handlers = {\n"
    "  tick = function(dt) state.age = (state.age or 0) + dt end,\n"
    "  take = state.take,\n"
    "  report = function() return table.concat(state.log, '; ') end,\n"
    "}\n"
    "for i = 1, 10 do handlers.tick(0.1) end\n"
    "return state.weight() + #handlers.report()\n";

static int hakmem;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The resident bytes of this process. */
static double resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static lua_State *open_state(int id)
{
    lua_State *L = hakmem ? hak_lua_newstate(NULL) : luaL_newstate();
    if (!L) return NULL;
    luaL_openlibs(L);
    if (luaL_loadstring(L, script) == 0) {
        lua_pushinteger(L, id);
        if (lua_pcall(L, 1, 1, 0) == 0 && lua_tointeger(L, -1) == 1859) {
            lua_settop(L, 0);
            return L;
        }
    }
    fprintf(stderr, "lua_states: %s\n", lua_tostring(L, -1));
    return NULL;
}

static void close_state(lua_State *L)
{
    if (hakmem) hak_lua_close(L);
    else lua_close(L);
}

int main(int argc, char **argv)
{
    const char *who = argc > 1 ? argv[1] : "";
    int count = argc > 2 ? atoi(argv[2]) : 10000;
    hakmem = strcmp(who, "hakmem") == 0;
    if ((!hakmem && strcmp(who, "stock") != 0 && strcmp(who, "peer") != 0) || count < 10) {
        fprintf(stderr, "usage: %s hakmem|stock|peer [STATES, at least 10]\n", argv[0]);
        return 2;
    }
    lua_State **states = calloc((size_t)count, sizeof *states);
    lua_State *first = open_state(0); /* what the first state costs beside its memory */
    if (!states || !first) return 3;
    memset(states, 1, (size_t)count * sizeof *states);

    double before = resident(), begin = now();
    for (int i = 0; i < count; i++) {
        states[i] = open_state(i);
        if (!states[i]) return 3;
    }
    double made = now(), each = (resident() - before) / count;
    for (int i = 0; i < count; i++) close_state(states[i]);
    double closed = now(), left = resident() - before;
    for (int i = 0; i < count / 10; i++) {
        lua_State *L = open_state(i);
        if (!L) return 3;
        close_state(L);
    }
    double churned = now();
    printf("{\"allocator\": \"%s\", \"states\": %d, \"state_kib\": %.3f, \"left_kib\": %.0f, "
           "\"make_us\": %.3f, \"close_us\": %.3f, \"churn_us\": %.3f",
           who, count, each / 1024, left / 1024, (made - begin) / count * 1e6,
           (closed - made) / count * 1e6, (churned - closed) / (count / 10) * 1e6);
    if (hakmem) {
        printf(", \"build\": \"%s\", \"profile\": \"%s\"", hak_build(),
               hak_heap_profile(hak_lua_heap(first)));
    }
    puts("}");
    return 0;
}
