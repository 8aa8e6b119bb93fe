/* Observing a state, by exchanging its lua_Alloc function. */
#include <errno.h>

#include "insight/insight.h"
#include "lua_close.h"
#include "lua_observed.h"

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
    return hak__lua_observes(lua_getallocf(L, &ud));
}
