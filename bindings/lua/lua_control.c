#include "lua_control.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

/* The string in field `name` of the options, or NULL. It stays valid while the table does. */
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
    const double most = 9007199254740992.0; /* 2^53, up to which doubles hold whole numbers */
    if (!(value >= 0 && value <= most && value == (double)(size_t)value)) {
        luaL_error(L,
                   "option '%s' must be a whole number of bytes from 0 (no limit) to 2^53, not %f",
                   name, value);
    }
    lua_pop(L, 1);
    return (size_t)value;
}

/* Refuses what would otherwise be a silent misspelling. */
static void check_names(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        if (name && (!strcmp(name, "profile") || !strcmp(name, "limit") || !strcmp(name, "name"))) {
            continue;
        }
        luaL_error(L, "unknown option '%s', accepted are: profile, limit, name",
                   name ? name : luaL_typename(L, -2));
    }
}

int hak_lua_control_install(lua_State *L)
{
    hak_heap_options options = {0};
    if (!lua_isnoneornil(L, 1)) {
        luaL_checktype(L, 1, LUA_TTABLE);
        check_names(L);
        options.profile = string_option(L, "profile");
        options.name = string_option(L, "name");
        options.limit = size_option(L, "limit");
    }
    if (hak_lua_heap(L)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (!hak_lua_install(L, &options)) {
        if (errno == EINVAL) {
            return luaL_error(L, "unknown profile '%s', accepted are: %s", options.profile,
                              hak_profile_names());
        }
        if (errno == ENOTSUP) {
            return luaL_error(L, "this LuaJIT was built without GC64 and can hold only memory of "
                                 "its own allocator");
        }
        return luaL_error(L, "not enough memory for a heap");
    }
    lua_pushboolean(L, 1);
    return 1;
}

HAK_API int luaopen_hakmem_auto(lua_State *L)
{
    lua_settop(L, 0);
    return hak_lua_control_install(L);
}

int hak_lua_control_installed(lua_State *L)
{
    lua_pushboolean(L, hak_lua_heap(L) != NULL);
    return 1;
}

static void set_count(lua_State *L, const char *name, uint64_t count)
{
    lua_pushinteger(L, (lua_Integer)count);
    lua_setfield(L, -2, name);
}

static void push_os_calls(lua_State *L, const hak_os_calls *os)
{
    lua_createtable(L, 0, 7);
    set_count(L, "mmap", os->mmap);
    set_count(L, "mprotect", os->mprotect);
    set_count(L, "madvise", os->madvise);
    set_count(L, "mremap", os->mremap);
    set_count(L, "munmap", os->munmap);
    set_count(L, "failed", os->failed);
    set_count(L, "total", os->total);
}

static void push_classes(lua_State *L, const hak_stats *stats)
{
    lua_createtable(L, (int)stats->classes, 0);
    for (size_t i = 0; i < stats->classes; i++) {
        const hak_class_stats *class = &stats->class_stats[i];
        lua_createtable(L, 0, 4);
        set_count(L, "size", class->block_size);
        set_count(L, "live", class->live);
        set_count(L, "slabs", class->slabs);
        set_count(L, "footprint", class->footprint);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

void hak_lua_push_stats(lua_State *L, const hak_stats *stats)
{
    size_t count;
    const hak_stats_field *field = hak_stats_fields(&count);
    lua_createtable(L, 0, (int)count + 2);
    for (; count-- > 0; field++) {
        size_t value;
        memcpy(&value, (const char *)stats + field->offset, sizeof value);
        set_count(L, field->name, value);
    }
    push_os_calls(L, &stats->os);
    lua_setfield(L, -2, "os_calls");
    push_classes(L, stats);
    lua_setfield(L, -2, "classes");
}
