#include "lua_tables.h"

#include <lauxlib.h>

/* Pushes the key of the next entry: its name, or its index in a list. Nothing for
 * the outermost table. */
static hak_lua_tables *push_key(hak_sink *sink, const char *name)
{
    hak_lua_tables *to = (hak_lua_tables *)sink;
    if (to->depth == 0) return to;
    lua_Integer *entries = &to->entries[to->depth - 1];
    if (*entries < 0) lua_pushstring(to->L, name);
    else lua_pushinteger(to->L, ++*entries);
    return to;
}

static void begin(hak_sink *sink, const char *name, hak_sink_type type, size_t entries)
{
    hak_lua_tables *to = push_key(sink, name);
    bool is_list = type == HAK_SINK_LIST;
    lua_createtable(to->L, is_list ? (int)entries : 0, is_list ? 0 : (int)entries);
    to->entries[to->depth++] = is_list ? 0 : -1;
}

static void end(hak_sink *sink)
{
    hak_lua_tables *to = (hak_lua_tables *)sink;
    if (--to->depth > 0) lua_rawset(to->L, -3);
}

static void add_count(hak_sink *sink, const char *name, uint64_t count)
{
    hak_lua_tables *to = push_key(sink, name);
    lua_pushinteger(to->L, (lua_Integer)count);
    lua_rawset(to->L, -3);
}

static void add_part(hak_sink *sink, const char *name, double part)
{
    hak_lua_tables *to = push_key(sink, name);
    lua_pushnumber(to->L, part);
    lua_rawset(to->L, -3);
}

static void add_text(hak_sink *sink, const char *name, const char *text)
{
    hak_lua_tables *to = push_key(sink, name);
    lua_pushstring(to->L, text);
    lua_rawset(to->L, -3);
}

static void add_flag(hak_sink *sink, const char *name, bool flag)
{
    hak_lua_tables *to = push_key(sink, name);
    lua_pushboolean(to->L, flag);
    lua_rawset(to->L, -3);
}

hak_lua_tables hak__lua_tables(lua_State *L)
{
    luaL_checkstack(L, 2 * HAK_SINK_DEPTH + 2, "too many values");
    return (hak_lua_tables){
        .sink = {begin, end, add_count, add_part, add_text, add_flag},
        .L = L,
    };
}
