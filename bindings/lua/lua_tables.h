/* A sink that makes tables on a state's stack. */
#ifndef HAK_LUA_TABLES_H
#define HAK_LUA_TABLES_H

#include <lua.h>

#include "os/os.h"

typedef struct hak_lua_tables {
    hak_sink sink; /* must be first; the finished table lies on the stack */
    lua_State *L;
    lua_Integer entries[HAK_SINK_DEPTH]; /* entries of each open list; -1: not a list */
    unsigned depth;
} hak_lua_tables;

/* May raise an error of memory, as the sink's functions may. */
hak_lua_tables hak__lua_tables(lua_State *L);

#endif
