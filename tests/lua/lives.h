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

static lua_State *(*const makers[])(void) = {make_hakmem, make_installed, make_with_kinds};
static void (*const enders[])(lua_State *) = {lua_close, hak_lua_close};

enum { MAKERS = 3, ENDERS = 2 };

#endif
