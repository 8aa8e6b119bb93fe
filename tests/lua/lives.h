/* All ways in which a state comes to a heap and goes, and how many heaps there are. */
#ifndef HAK_TESTS_LUA_LIVES_H
#define HAK_TESTS_LUA_LIVES_H

#include "support.h"

static inline size_t heaps(void)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    return stats.heaps;
}

static lua_State *(*const makers[])(void) = {make_hakmem, make_installed, make_with_kinds};
static void (*const enders[])(lua_State *) = {lua_close, hak_lua_close};

enum { MAKERS = 3, ENDERS = 2 };

#endif
