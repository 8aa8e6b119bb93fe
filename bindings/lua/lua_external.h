/* External strings, since Lua 5.5: their bytes belong to the host, whose function frees them when
 * the string dies (lua_pushexternalstring). */
#ifndef HAK_LUA_EXTERNAL_H
#define HAK_LUA_EXTERNAL_H

#include <lua.h>
#include <stdbool.h>

#include "heap/heap.h"

/* Where such a string has what. */
typedef struct hak_lua_external {
    size_t size;        /* bytes of its block; 0: unknown, or there are no such strings */
    size_t function_at; /* bytes from the start to the function; its `ud` follows */
    unsigned char type, kind;
} hak_lua_external;

/* Asks a fresh state. */
hak_lua_external hak__lua_ask_external(void);

/* Whether strings may live in a heap whose bytes another function than ours frees: `is_ours` tells.
 * Reads all blocks of the size of such a string. */
bool hak__lua_may_have_external(const hak_lua_external *external, const hak_heap *heap,
                                bool (*is_ours)(lua_Alloc function));

#endif
