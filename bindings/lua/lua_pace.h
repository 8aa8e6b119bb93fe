/* The collector's pace under a limit.
 *
 * Halfway between what is in use after a cycle and the limit, the next one begins, so fast that it
 * ends in half of what is left; with an eighth left, what remains of it is done at once. The
 * script's step multiplier is back in place with the cycle's end.
 *
 * From 5.2 on, Lua collects in full when a request is refused, and tries again. Lua 5.1 and LuaJIT
 * do not. There, a part of the limit is kept back until a request has been refused; then small
 * blocks may have it: so the state can catch the error, report it, and come to where it collects.
 */
#ifndef HAK_LUA_PACE_H
#define HAK_LUA_PACE_H

#include "heap/heap.h"
#include "lua_adapter.h"

/* Sets the marks of a heap by what is in use: with its limit, and after each cycle. */
void hak__lua_pace(hak_lua_adapter *adapter);

/* A mark has been passed, or the limit has changed, or `pace.limit` is HAK_LUA_PACE_ANEW. */
void hak__lua_press(hak_lua_adapter *adapter);

#define HAK_LUA_PACE_ANEW 0

/* A request was refused. */
void hak__lua_refused(hak_lua_adapter *adapter);

/* A cycle is over: the heap gives back what it does not retain. */
void hak__lua_cycle_is_over(hak_lua_adapter *adapter);

/* What each long way of an allocation begins and ends with. */
static inline void hak__lua_before(hak_heap *heap)
{
    hak_lua_adapter *adapter = heap->adapter;
    if (adapter && adapter->mark && hak__lua_has_cycled(adapter)) hak__lua_cycle_is_over(adapter);
}

static inline void *hak__lua_after(hak_heap *heap, void *block)
{
    hak_lua_adapter *adapter = heap->adapter;
    if (!adapter) return block;
    if (HAK_UNLIKELY(!block)) {
        hak__lua_refused(adapter);
    } else if (HAK_UNLIKELY(hak__heap_in_use(heap) >= adapter->pace.begin_at ||
                            hak__heap_most(heap) != adapter->pace.limit)) {
        hak__lua_press(adapter);
    }
    return block;
}

#endif
