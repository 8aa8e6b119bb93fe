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
#include "lua_vm.h"

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

/* The value on the top of the stack as text; whole numbers without a point or an exponent. */
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

/* Refuses what would otherwise be a silent misspelling. */
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

/* Whether the state has another allocator than Lua's own: its host's, which may count or limit what
 * the state has, and may rely on seeing each block freed. Pushes what to say then. */
static bool is_of_host(lua_State *L)
{
    void *ud;
    lua_Alloc function = lua_getallocf(L, &ud), own = hak__lua_own_alloc();
    if (!own) luaL_error(L, "not enough memory");
    if (function == own) return false;
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

void hak_lua_control_begin(lua_State *L)
{
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

static void set_text(lua_State *L, const char *name, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

int hak_lua_control_options(lua_State *L)
{
    enum { MOST = 32 };
    hak_option options[MOST];
    size_t count = hak_options(hak_lua_heap(L), options, MOST);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 0, 7);
        set_text(L, "name", options[i].name);
        set_text(L, "variable", options[i].variable);
        set_text(L, "type", options[i].type);
        set_text(L, "range", options[i].range);
        set_text(L, "value", options[i].value);
        set_text(L, "origin", options[i].origin);
        set_text(L, "help", options[i].help);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
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
        lua_createtable(L, 0, 5);
        lua_pushnumber(L, class->fragmentation);
        lua_setfield(L, -2, "fragmentation");
        set_count(L, "size", class->block_size);
        set_count(L, "live", class->live);
        set_count(L, "slabs", class->slabs);
        set_count(L, "footprint", class->footprint);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* Nothing where kinds are not kept apart. */
static void push_kinds(lua_State *L, const hak_stats *stats)
{
    if (!stats->kinds) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, (int)stats->kinds);
    for (size_t i = 0; i < stats->kinds; i++) {
        const hak_kind_stats *kind = &stats->kind_stats[i];
        lua_createtable(L, 0, 2);
        set_count(L, "bytes", kind->live_bytes);
        set_count(L, "blocks", kind->live_blocks);
        lua_setfield(L, -2, kind->name);
    }
}

static void set_fields(lua_State *L, const void *stats, const hak_stats_field *field, size_t count)
{
    for (; count-- > 0; field++) {
        size_t value;
        memcpy(&value, (const char *)stats + field->offset, sizeof value);
        set_count(L, field->name, value);
    }
}

void hak_lua_push_stats(lua_State *L, const hak_stats *stats)
{
    size_t count;
    const hak_stats_field *fields = hak_stats_fields(&count);
    lua_createtable(L, 0, (int)count + 4);
    set_fields(L, stats, fields, count);
    lua_pushnumber(L, stats->fragmentation);
    lua_setfield(L, -2, "fragmentation");
    push_os_calls(L, &stats->os);
    lua_setfield(L, -2, "os_calls");
    push_classes(L, stats);
    lua_setfield(L, -2, "classes");
    push_kinds(L, stats);
    lua_setfield(L, -2, "kinds");
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

static void push_range(lua_State *L, hak_range range)
{
    lua_createtable(L, 0, 3);
    set_count(L, "from", range.from);
    set_count(L, "to", range.to);
    set_count(L, "count", range.count);
}

static void set_sizes(lua_State *L, const hak_observations *told)
{
    lua_createtable(L, (int)told->size_ranges, 0);
    for (size_t i = 0; i < told->size_ranges; i++) {
        push_range(L, told->sizes[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "sizes");
}

static void set_powers(lua_State *L, const char *name, const size_t *counts)
{
    int entries = 0;
    lua_createtable(L, 0, 0);
    for (unsigned power = 0; power < HAK_POWERS; power++) {
        if (counts[power] == 0) continue;
        push_range(L, hak__power_range(power, counts[power]));
        lua_rawseti(L, -2, ++entries);
    }
    lua_setfield(L, -2, name);
}

static void set_class_observations(lua_State *L, const hak_observations *told)
{
    size_t count;
    const hak_stats_field *fields = hak_class_observations_fields(&count);
    lua_createtable(L, (int)told->classes, 0);
    for (size_t i = 0; i < told->classes; i++) {
        const hak_class_observations *class = &told->class_observations[i];
        lua_createtable(L, 0, (int)count + 1);
        set_count(L, "size", class->block_size);
        set_fields(L, class, fields + 1, count - 1);
        set_powers(L, "lifetimes", class->lifetimes);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "classes");
}

/* The snapshot stays as it is, whatever this allocates. */
int hak_lua_control_observations(lua_State *L)
{
    hak_heap *heap = hak_lua_heap(L);
    if (!heap) return luaL_error(L, "%s", HAK_LUA_NOT_INSTALLED);
    const hak_observations *told = hak_heap_observations(heap);
    if (!told) return luaL_error(L, "%s", CONTROL_NOT_OBSERVED);
    size_t count;
    const hak_stats_field *fields = hak_observations_fields(&count);
    lua_createtable(L, 0, (int)count + 5);
    set_fields(L, told, fields, count);
    lua_pushboolean(L, told->observing);
    lua_setfield(L, -2, "observing");
    set_sizes(L, told);
    set_powers(L, "lifetimes", told->lifetimes);
    set_powers(L, "ages", told->ages);
    set_class_observations(L, told);
    return 1;
}

int hak_lua_control_process_stats(lua_State *L)
{
    size_t count;
    hak_process_stats stats;
    const hak_stats_field *fields = hak_process_stats_fields(&count);
    hak_process_stats_read(&stats);
    lua_createtable(L, 0, (int)count + 1);
    set_fields(L, &stats, fields, count);
    push_os_calls(L, &stats.os);
    lua_setfield(L, -2, "os_calls");
    return 1;
}
