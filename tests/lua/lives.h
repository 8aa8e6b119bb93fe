/* All ways in which a state comes to a heap and goes, and what is left of it. */
#ifndef HAK_TESTS_LUA_LIVES_H
#define HAK_TESTS_LUA_LIVES_H

#include "support.h"

static inline size_t heaps(void)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    return stats.heaps;
}

/* What ended states have left for the next differs from one to the next: empties it. */
static inline void empty_pool(void)
{
    hak_heap *heap = hak_heap_new(NULL);
    assert_non_null(heap);
    hak_heap_trim(heap);
    hak_heap_destroy(heap);
}

int luaopen_hakmem(lua_State *L);

static inline lua_State *make_installed_in_a_coroutine(void)
{
    lua_State *L = luaL_newstate();
    if (!L || !hak_lua_install(lua_newthread(L), NULL)) abort();
    lua_pop(L, 1);
    return L;
}

static inline lua_State *make_installed_by_script(void)
{
    lua_State *L = luaL_newstate();
    if (!L) abort();
    lua_pushcfunction(L, luaopen_hakmem);
    lua_call(L, 0, 1);
    lua_setglobal(L, "hakmem");
    run(L, "hakmem.install()");
    return L;
}

static const life lives[] = {
    {"hak_lua_close", make_hakmem, hak_lua_close},
    {"lua_close on a state from hak_lua_newstate", make_hakmem, lua_close},
    {"lua_close after hak_lua_install", make_installed, lua_close},
    {"hak_lua_close after hak_lua_install", make_installed, hak_lua_close},
    {"lua_close after hak_lua_install in a coroutine", make_installed_in_a_coroutine, lua_close},
    {"lua_close after install() in a script", make_installed_by_script, lua_close},
    {"hak_lua_close after install() in a script", make_installed_by_script, hak_lua_close},
};

#define LIVES (sizeof lives / sizeof *lives)

static lua_State *(*const makers[])(void) = {make_hakmem, make_installed, make_with_kinds};
static void (*const enders[])(lua_State *) = {lua_close, hak_lua_close};

enum { MAKERS = 3, ENDERS = 2 };

#endif
