#include "lua_external.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if LUA_VERSION_NUM >= 505

/* How a string begins: the second word has the type, and in another byte which kind of string it
 * is. Behind come the words with the function, and with its `ud`. */
#define TYPE 8
#define KIND 11

static void *fresh_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    (void)old_size;
    if (new_size) return realloc(block, *(size_t *)ud = new_size);
    free(block);
    return NULL;
}

static void *free_nothing(void *ud, void *block, size_t old_size, size_t new_size)
{
    (void)ud, (void)block, (void)old_size, (void)new_size;
    return NULL;
}

/* Asks for a string with that function and one without, which differ in their kind only. */
static int ask_string(lua_State *L)
{
    static const char text[] = "an external string is not short, however few its bytes may be";
    hak_lua_external *of = lua_touserdata(L, 1);
    void *ud;
    lua_getallocf(L, &ud);
    lua_pushstring(L, text);
    const char *other = lua_topointer(L, -1);
    lua_pushexternalstring(L, text, sizeof text - 1, free_nothing, of);
    size_t size = *(size_t *)ud;
    const char *string = lua_topointer(L, -1);
    of->type = (unsigned char)string[TYPE];
    of->kind = (unsigned char)string[KIND];
    if (other[TYPE] != string[TYPE] || other[KIND] == string[KIND]) return 0;
    for (size_t at = 0; of->size == 0 && at + 2 * sizeof(void *) <= size; at += sizeof(void *)) {
        lua_Alloc function;
        memcpy(&function, string + at, sizeof function);
        if (function != free_nothing) continue;
        of->function_at = at;
        of->size = size;
    }
    return 0;
}

hak_lua_external hak__lua_ask_external(void)
{
    hak_lua_external told = {0};
    size_t last_size = 0;
    lua_State *L = lua_newstate(fresh_alloc, &last_size, 0);
    if (!L) return told;
    lua_gc(L, LUA_GCSTOP);
    lua_pushcfunction(L, ask_string);
    lua_pushlightuserdata(L, &told);
    lua_pcall(L, 1, 0, 0);
    lua_close(L);
    return told;
}

typedef struct search {
    const hak_lua_external *external;
    const hak_heap *heap;
    bool (*is_ours)(lua_Alloc function);
} search;

/* Whether a block is no such string, or one whose bytes lie in the heap. */
static bool is_harmless(void *context, const void *block)
{
    const search *of = context;
    const char *string = block;
    lua_Alloc function;
    const void *ud;
    if ((unsigned char)string[TYPE] != of->external->type ||
        (unsigned char)string[KIND] != of->external->kind)
        return true;
    memcpy(&function, string + of->external->function_at, sizeof function);
    memcpy(&ud, string + of->external->function_at + sizeof function, sizeof ud);
    return of->is_ours(function) && ud == of->heap;
}

bool hak__lua_may_have_external(const hak_lua_external *external, const hak_heap *heap,
                                bool (*is_ours)(lua_Alloc function))
{
    search of = {external, heap, is_ours};
    if (external->size == 0 || external->size > HAK_SMALL_MAX) return true;
    return !hak__heap_each_block(heap, external->size, is_harmless, &of);
}

#else

hak_lua_external hak__lua_ask_external(void)
{
    return (hak_lua_external){0};
}

bool hak__lua_may_have_external(const hak_lua_external *external, const hak_heap *heap,
                                bool (*is_ours)(lua_Alloc function))
{
    (void)external, (void)heap, (void)is_ours;
    return false;
}

#endif
