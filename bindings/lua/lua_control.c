#define _GNU_SOURCE /* dladdr */
#include "lua_control.h"

#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "control.h"
#include "heap/heap.h"
#include "insight/insight.h"
#include "lua_adapter.h"
#include "lua_tables.h"
#include "lua_vm.h"

/* The string in field `name` of the options, or NULL. Valid while the table is. */
static const char *string_option(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING) {
        luaL_error(L, "option '%s' must be a string, not a %s", name, luaL_typename(L, -1));
    }
    const char *value = lua_tostring(L, -1);
    lua_pop(L, 1);
    return value;
}

static size_t size_option(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TNUMBER) {
        luaL_error(L, "option '%s' must be a number of bytes, not a %s", name,
                   luaL_typename(L, -1));
    }
    double value = lua_tonumber(L, -1);
    if (!control_is_size(value)) {
        luaL_error(L,
                   "option '%s' must be a whole number of bytes from 0 (no limit) to 2^53, not %f",
                   name, value);
    }
    lua_pop(L, 1);
    return (size_t)value;
}

/* The value on top of the stack as text; whole numbers without a point or an exponent. */
static const char *setting(lua_State *L, char *buffer, size_t size)
{
    switch (lua_type(L, -1)) {
    case LUA_TSTRING: return lua_tostring(L, -1);
    case LUA_TBOOLEAN: return lua_toboolean(L, -1) ? "1" : "0";
    case LUA_TNUMBER: {
        double number = (double)lua_tonumber(L, -1);
        bool is_whole = number >= 0 && number < 9e15 && number == (double)(long long)number;
        snprintf(buffer, size, is_whole ? "%.0f" : "%.14g", number);
        return buffer;
    }
    default: return luaL_typename(L, -1);
    }
}

const char *hak_lua_settings(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TSTRING) return lua_tostring(L, index);
    luaL_checktype(L, index, LUA_TTABLE);
    lua_pushliteral(L, "");
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        char buffer[32];
        if (lua_type(L, -2) != LUA_TSTRING) {
            luaL_error(L, "settings have names, not a %s", luaL_typename(L, -2));
        }
        const char *value = setting(L, buffer, sizeof buffer);
        lua_pushfstring(L, "%s%s=%s ", lua_tostring(L, -3), lua_tostring(L, -2), value);
        lua_replace(L, -4);
    }
    lua_replace(L, index);
    return lua_tostring(L, index);
}

/* Raises an error for unknown names: a misspelt one would have no effect. */
static void check_names(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        static const char *const names[] = {"profile", "limit", "name", "settings", "over"};
        const size_t count = sizeof names / sizeof *names;
        size_t i = 0;
        while (i < count && !(name && strcmp(name, names[i]) == 0)) i++;
        if (i < count) continue;
        luaL_error(L, "unknown option '%s', accepted are: profile, limit, name, settings, over",
                   name ? name : luaL_typename(L, -2));
    }
}

static bool flag_option(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1) && !lua_isboolean(L, -1)) {
        luaL_error(L, "option '%s' must be true or false, not a %s", name, luaL_typename(L, -1));
    }
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* Whether the state's allocator is not Lua's own but its host's, which may count or limit the
 * state's memory, and may rely on seeing each block freed. If so, pushes the message. */
static bool is_of_host(lua_State *L)
{
    void *ud;
    lua_Alloc function = lua_getallocf(L, &ud);
    const hak_lua_vm *vm = hak__lua_vm();
    if (!vm) luaL_error(L, "not enough memory");
    if (function == vm->own_alloc) return false;
    Dl_info info;
    union {
        lua_Alloc function;
        const void *address;
    } where = {function};
    const char *file = dladdr(where.address, &info) && info.dli_fname ? info.dli_fname : "";
    const char *slash = strrchr(file, '/');
    lua_pushfstring(L,
                    "hakmem is not installed: the allocator of this state is not Lua's own but its "
                    "host's%s%s%s, which may limit or count its memory; install{over = true} "
                    "takes over all the same",
                    *file ? " (in " : "", slash ? slash + 1 : file, *file ? ")" : "");
    return true;
}

int hak_lua_control_install(lua_State *L)
{
    bool over = false;
    hak_heap_options options = {0};
    if (!lua_isnoneornil(L, 1)) {
        luaL_checktype(L, 1, LUA_TTABLE);
        check_names(L);
        options.profile = string_option(L, "profile");
        options.name = string_option(L, "name");
        options.limit = size_option(L, "limit");
        over = flag_option(L, "over");
        lua_getfield(L, 1, "settings");
        if (!lua_isnil(L, -1)) options.settings = hak_lua_settings(L, lua_gettop(L));
    }
    if (hak_lua_heap(L)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (!over && is_of_host(L)) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (!hak_lua_install(L, &options)) {
        char why[384];
        int error = errno;
        if (options.profile && !hak_profile_valid(options.profile, why, sizeof why)) {
            return luaL_error(L, "%s", why);
        }
        if (options.settings && !hak_settings_valid(options.settings, why, sizeof why)) {
            return luaL_error(L, "%s", why);
        }
        if (error == ENOTSUP && !hak__lua_takes_foreign_memory(L)) {
            return luaL_error(L, "this LuaJIT was built without GC64 and can hold only memory of "
                                 "its own allocator");
        }
        return luaL_error(L, "%s", hak__heap_new_failure(error));
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* What is built for one version of Lua crashes in another. */
static void check_version(lua_State *L)
{
    int runs = hak__lua_version(), suits = LUA_VERSION_NUM;
    if (runs == suits) return;
    luaL_error(
        L,
        "this hakmem.so was built for Lua %d.%d, but the interpreter is Lua %d.%d%s: the one "
        "built for that version must come first in package.cpath",
        suits / 100, suits % 100, runs / 100, runs % 100, runs == 501 ? " or LuaJIT" : "");
}

void hak_lua_control_begin(lua_State *L)
{
    check_version(L);
    lua_getfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    if (lua_toboolean(L, -1)) hak__environment_ignore();
    lua_pop(L, 1);
}

HAK_API int luaopen_hakmem_auto(lua_State *L)
{
    hak_lua_control_begin(L);
    lua_settop(L, 0);
    int count = hak_lua_control_install(L);
    if (count == 1) return 1;
    fprintf(stderr, "hakmem.auto: %s\n", lua_tostring(L, -1));
    lua_pushboolean(L, 0);
    return 1;
}

int hak_lua_control_options(lua_State *L)
{
    hak_option options[HAK_OPTIONS_MOST];
    size_t count = hak_options(hak_lua_heap(L), options, HAK_OPTIONS_MOST);
    hak_lua_tables tables = hak__lua_tables(L);
    hak__tell_options(&tables.sink, options, count);
    return 1;
}

int hak_lua_control_installed(lua_State *L)
{
    lua_pushboolean(L, hak_lua_heap(L) != NULL);
    return 1;
}

/* ------------------------------------------------------------------ statistics */

/* __index of an entry of `kinds`: its former names `bytes` and `blocks`. */
static int former_name(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(name, "bytes") == 0) lua_getfield(L, 1, "live_bytes");
    else if (strcmp(name, "blocks") == 0) lua_getfield(L, 1, "live_blocks");
    else lua_pushnil(L);
    return 1;
}

static void set_index(lua_State *L, int table)
{
    lua_createtable(L, 0, 1);
    lua_insert(L, -2);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, table);
}

/* Makes the entries of the list `kinds` also available by their names. The statistics are on
 * top of the stack. */
static void index_kinds(lua_State *L)
{
    lua_getfield(L, -1, "kinds");
    lua_newtable(L);
    int list = lua_gettop(L) - 1, by_name = list + 1;
    for (int i = 1; lua_rawgeti(L, list, i), lua_istable(L, -1); i++) {
        lua_pushcfunction(L, former_name);
        set_index(L, by_name + 1);
        lua_getfield(L, -1, "name");
        lua_insert(L, -2);
        lua_rawset(L, by_name);
    }
    lua_pop(L, 1); /* the nil behind the last entry */
    set_index(L, list);
    lua_pop(L, 1);
}

void hak_lua_push_stats(lua_State *L, const hak_heap *heap, const hak_stats *stats)
{
    hak_lua_tables tables = hak__lua_tables(L);
    hak__tell_stats(&tables.sink, hak_heap_name(heap), hak_heap_profile(heap), stats);
    if (stats->kinds) index_kinds(L);
}

void hak_lua_push_thread_stats(lua_State *L, const hak_threads_stats *stats)
{
    hak_lua_tables tables = hak__lua_tables(L);
    hak__tell_threads_stats(&tables.sink, stats);
}

int hak_lua_control_process_stats(lua_State *L)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    hak_lua_tables tables = hak__lua_tables(L);
    hak__tell_process_stats(&tables.sink, &stats);
    return 1;
}

/* ------------------------------------------------------------------ observing */

int hak_lua_control_observe(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    luaL_argcheck(L, lua_gettop(L) == 1, 2, "no value expected");
    if (!hak_lua_heap(L)) return luaL_error(L, "%s", HAK_LUA_NOT_INSTALLED);
    bool before = hak_lua_observing(L);
    if (!hak_lua_observe(L, lua_toboolean(L, 1))) {
        return luaL_error(L, "%s",
                          errno == EBUSY    ? "this state is being closed"
                          : errno == EINVAL ? "the host's allocator stands before hakmem's in this "
                                              "state: observe before it is set, or have it ended"
                                            : "not enough memory to observe");
    }
    lua_pushboolean(L, before);
    return 1;
}

/* A copy of the heap's snapshot, for which other threads may ask too. */
static const hak_observations *copy_observations(hak_heap *heap, hak_observations *copy)
{
    HAK_GUARDED(heap);
    const hak_observations *told = hak_heap_observations(heap);
    if (told) *copy = *told;
    return told ? copy : NULL;
}

/* The snapshot does not change while this allocates. */
int hak_lua_control_observations(lua_State *L)
{
    hak_heap *heap = hak_lua_heap(L);
    if (!heap) return luaL_error(L, "%s", HAK_LUA_NOT_INSTALLED);
    const hak_observations *told = hak__lua_is_shared(heap)
                                       ? copy_observations(heap, lua_newuserdata(L, sizeof *told))
                                       : hak_heap_observations(heap);
    if (!told) return luaL_error(L, "%s", CONTROL_NOT_OBSERVED);
    hak_lua_tables tables = hak__lua_tables(L);
    hak__tell_observations(&tables.sink, hak_heap_name(heap), told);
    return 1;
}
