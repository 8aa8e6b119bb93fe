/* Observing a state: a lua_Alloc function that tells the observer of each operation and calls the
 * one that the state has when it is not observed. Switching exchanges the two, so that a state that
 * is not observed does not pay. */
#include <errno.h>

#include "insight/insight.h"
#include "lua_state.h"

static void *alloc_observed(void *ud, void *block, size_t old_size, size_t new_size)
{
    hak_heap *heap = ud;
    lua_Alloc alloc = hak__lua_alloc_of(heap);
    if (new_size == 0) {
        if (block) hak__observe_free(heap, block);
        return alloc(ud, block, old_size, 0);
    }
    unsigned kind = block ? 0 : hak__lua_kind_of(old_size);
    hak_sight sight = hak__observe_before(heap, block, kind, new_size);
    void *result = alloc(ud, block, old_size, new_size);
    hak__observe_after(heap, &sight, result);
    return result;
}

lua_Alloc hak__lua_function(const hak_heap *heap)
{
    return hak__observing(heap) ? alloc_observed : hak__lua_alloc_of(heap);
}

bool hak__lua_is_ours(lua_Alloc function)
{
    return hak__lua_is_alloc(function) || function == alloc_observed;
}

bool hak_lua_observe(lua_State *L, bool on)
{
    void *ud;
    hak_heap *heap = hak_lua_heap(L);
    lua_Alloc function = lua_getallocf(L, &ud);
    bool closing = function == hak__lua_alloc_closing;
    if (!heap || ud != heap || (closing && on)) {
        errno = heap && closing ? EBUSY : EINVAL;
        return false;
    }
    if (on && !hak__observe_begin(heap)) return false;
    if (!on) hak__observe_end(heap);
    if (!closing) lua_setallocf(L, hak__lua_function(heap), heap);
    return true;
}

bool hak_lua_observing(lua_State *L)
{
    void *ud;
    return lua_getallocf(L, &ud) == alloc_observed;
}
