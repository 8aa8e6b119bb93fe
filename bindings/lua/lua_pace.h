/* The collector's pace under a limit.
 *
 * A cycle begins when the bytes in use have passed half of the way from those after the last cycle
 * to the limit. Its step multiplier is set so that it ends within half of the way to the next mark.
 * At that mark an eighth of the room remains, and the rest of the cycle is done at once. At the end
 * of the cycle the script's step multiplier is restored.
 *
 * From 5.2 on, Lua runs a full collection when a request is refused, and tries again. Lua 5.1 does
 * not. There a part of the limit is set aside until a request is refused; then small blocks may use
 * it, so that the state can catch the error, report it, and reach a place where it collects. LuaJIT
 * does not collect either, but nothing is set aside: it crashes if it is refused within its
 * collector. */
#ifndef HAK_LUA_PACE_H
#define HAK_LUA_PACE_H

#include "heap/heap.h"
#include "lua_adapter.h"

/* Sets the marks by the bytes in use. To be called with a new limit and after each cycle. */
void hak__lua_pace(hak_lua_adapter *adapter);

/* To be called when a mark is passed, the limit has changed, or `pace.limit` is
 * HAK_LUA_PACE_ANEW. */
void hak__lua_press(hak_lua_adapter *adapter);

#define HAK_LUA_PACE_ANEW 0

/* To be called when a request was refused. */
void hak__lua_refused(hak_lua_adapter *adapter);

/* To be called after a cycle: the heap settles, and the marks are set. */
void hak__lua_cycle_is_over(hak_lua_adapter *adapter);

/* Allocates on the slow path of the heap, with the work for the pace. */
void *hak__lua_alloc_paced(hak_heap *heap, unsigned kind, size_t size);

/* The begin and the end of each slow path of a heap that is not shared. */
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
