/* What is told becomes tables on a state's stack. */
#ifndef HAK_LUA_TABLES_H
#define HAK_LUA_TABLES_H

#include <lua.h>

#include "os/os.h"

typedef struct hak_lua_tables {
    hak_sink sink; /* first: what is to be told goes here, and lies on the stack in the end */
    lua_State *L;
    lua_Integer entries[HAK_SINK_DEPTH]; /* of each list that is open; -1: it is no list */
    unsigned depth;
} hak_lua_tables;

/* May raise an error of memory, as the sink may. */
hak_lua_tables hak__lua_tables(lua_State *L);

#endif
