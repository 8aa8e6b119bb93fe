#include "lua_pace.h"

#include "lua_vm.h"

/* Bytes set aside: a part of the limit, at most KEPT_MOST and half of the room. */
#define KEPT_PART 16
#define KEPT_MOST ((size_t)1 << 20)
_Static_assert(KEPT_MOST / HAK_PAGE <= UINT16_MAX, "heap->adapter_reserve can say it");

/* Whether a part of the limit is set aside. Not with LuaJIT: it would be refused more often, and
 * crashes if that happens in its collector. */
static bool keeps(void)
{
    return LUA_VERSION_NUM == 501 && !hak__lua_is_luajit();
}

/* Step multipliers. UNIT: the collector does as much work as bytes are allocated. MOST: the largest
 * set here. AT_ONCE: a whole cycle in a step, or as much as possible. LuaJIT crashes if memory runs
 * out in a large step of its collector, so it gets small ones. */
#if LUA_VERSION_NUM == 501
#define UNIT    100
#define MOST    (hak__lua_is_luajit() ? 2000 : 50000)
#define AT_ONCE (hak__lua_is_luajit() ? 2000 : 0)
#elif LUA_VERSION_NUM < 504
#define UNIT    200
#define MOST    100000
#define AT_ONCE 100000000
#elif LUA_VERSION_NUM == 504
#define UNIT    100
#define MOST    1000
#define AT_ONCE 1000
#else
#define UNIT    100
#define MOST    10000
#define AT_ONCE 0
#endif

/* 5.1 does not know this option and answers -1. */
#ifndef LUA_GCISRUNNING
#define LUA_GCISRUNNING 9
#endif

#define NO_STEPMUL (-1)

/* Whether a step multiplier of 0 stands for a whole cycle in a step. */
#define ZERO_IS_ALL (LUA_VERSION_NUM == 501 || LUA_VERSION_NUM >= 505)

/* ------------------------------------------------------------------ asking the collector */

/* The calls of lua_gc below only set numbers of the state, so they may be made while Lua waits for
 * a block. From 5.4 on they are refused, with -1, while a finalizer runs. */
static bool is_faster(int stepmul, int other)
{
    if (ZERO_IS_ALL && other == 0) return false;
    return stepmul > other || (ZERO_IS_ALL && stepmul == 0);
}

/* Sets the step multiplier and returns the one before; negative: refused. */
static int exchange_stepmul(lua_State *L, int stepmul)
{
#if LUA_VERSION_NUM >= 505
    return lua_gc(L, LUA_GCPARAM, LUA_GCPSTEPMUL, stepmul);
#else
    return lua_gc(L, LUA_GCSETSTEPMUL, stepmul);
#endif
}

static void set_stepmul(hak_lua_adapter *adapter, int stepmul)
{
    hak_lua_pace *pace = &adapter->pace;
    int before = exchange_stepmul(adapter->thread, stepmul);
    if (before != pace->set_stepmul) pace->stepmul = before; /* the script's */
    if (is_faster(pace->stepmul, stepmul)) stepmul = pace->stepmul;
    exchange_stepmul(adapter->thread, stepmul);
    /* The value stored: 5.4 stores a quarter of the number, 5.5 a few of its digits. */
    pace->set_stepmul = exchange_stepmul(adapter->thread, stepmul);
}

static bool put_stepmul_back(hak_lua_adapter *adapter)
{
    hak_lua_pace *pace = &adapter->pace;
    if (pace->set_stepmul == NO_STEPMUL) return true;
    int now = exchange_stepmul(adapter->thread, pace->stepmul);
    if (now < 0) return false;
    if (now != pace->set_stepmul) exchange_stepmul(adapter->thread, now); /* the script's */
    pace->set_stepmul = NO_STEPMUL;
    return true;
}

/* Makes the collector go on at the next place where it may. False: the script has stopped it. */
static bool ask(hak_lua_adapter *adapter, int stepmul)
{
    if (hak__lua_is_closing(adapter)) return false;
    int running = lua_gc(adapter->thread, LUA_GCISRUNNING, 0);
    if (running == 0 || (running < 0 && LUA_VERSION_NUM > 501)) return false;
    set_stepmul(adapter, stepmul);
    lua_gc(adapter->thread, LUA_GCRESTART, 0);
    return true;
}

/* The multiplier with which a cycle ends within `bytes` bytes allocated. Marking takes as much work
 * as there are live bytes, sweeping 10 for each object: together about 1.3 per live byte. */
static int stepmul_for(const hak_lua_adapter *adapter, size_t bytes)
{
    double work = lua_gc(adapter->thread, LUA_GCCOUNT, 0) * 1024.0 * 1.3;
    double stepmul = bytes ? work * UNIT / (double)bytes : MOST;
    return stepmul < MOST ? (int)stepmul + 1 : AT_ONCE;
}

/* ------------------------------------------------------------------ when */

/* Pages of the limit to set aside, with `room` bytes left. */
static uint16_t kept_of(size_t limit, size_t room)
{
    if (!keeps()) return 0;
    size_t kept = limit / KEPT_PART;
    if (kept > KEPT_MOST) kept = KEPT_MOST;
    if (kept > room / 2) kept = room / 2;
    return (uint16_t)(kept / HAK_PAGE);
}

void hak__lua_pace(hak_lua_adapter *adapter)
{
    hak_heap *heap = adapter->heap;
    hak_lua_pace *pace = &adapter->pace;
    pace->begin_at = pace->hurry_at = SIZE_MAX;
    if (hak__lua_is_closing(adapter) || !put_stepmul_back(adapter)) return;
    pace->limit = hak__heap_most(heap);
    hak__heap_set_adapter_reserve(heap, 0);
    if (pace->limit == SIZE_MAX) return;
    size_t used = hak__heap_in_use(heap), room = used < pace->limit ? pace->limit - used : 0;
    uint16_t kept = kept_of(pace->limit, room);
    hak__heap_set_adapter_reserve(heap, kept);
    room -= (size_t)kept * HAK_PAGE;
    pace->begin_at = used + room / 2;
    pace->hurry_at = used + room - room / 8;
}

void hak__lua_press(hak_lua_adapter *adapter)
{
    hak_lua_pace *pace = &adapter->pace;
    size_t used = hak__heap_in_use(adapter->heap);
    if (hak__heap_most(adapter->heap) != pace->limit) hak__lua_pace(adapter);
    if (used < pace->begin_at) return;
    bool hurry = used >= pace->hurry_at;
    int stepmul = hurry ? AT_ONCE : stepmul_for(adapter, (pace->hurry_at - pace->begin_at) / 2);
    pace->begin_at = ask(adapter, stepmul) && !hurry ? pace->hurry_at : SIZE_MAX;
}

void hak__lua_refused(hak_lua_adapter *adapter)
{
    hak_heap *heap = adapter->heap;
    if (hak__heap_most(heap) == SIZE_MAX || LUA_VERSION_NUM > 501) return;
    if (hak__heap_most(heap) != adapter->pace.limit) hak__lua_pace(adapter);
    if (!keeps()) return; /* LuaJIT crashes if memory runs out while it collects */
    if (ask(adapter, AT_ONCE)) adapter->pace.begin_at = SIZE_MAX;
    hak__heap_set_adapter_reserve(heap, hak__heap_set_adapter_reserve(heap, 0) / 2);
}

void hak__lua_cycle_is_over(hak_lua_adapter *adapter)
{
    if (adapter->mark) adapter->colour = hak__lua_colour(adapter);
    adapter->most_kib = 0;
    if (hak__lua_is_closing(adapter)) return;
    hak_heap_settle(adapter->heap);
    if (hak__lua_is_shared(adapter->heap)) {
        put_stepmul_back(adapter);
        return;
    }
    /* 5.4 takes no setting while a finalizer runs: the next slow path sets it. */
    if (LUA_VERSION_NUM >= 504) adapter->pace.limit = HAK_LUA_PACE_ANEW;
    else hak__lua_pace(adapter);
}

void *hak__lua_alloc_paced(hak_heap *heap, unsigned kind, size_t size)
{
    if (hak__lua_is_shared(heap)) return hak__heap_alloc_kind_slow(heap, kind, size);
    hak__lua_before(heap);
    return hak__lua_after(heap, hak__heap_keeps_kinds(heap)
                                    ? hak__heap_alloc_kind_slow(heap, kind, size)
                                    : hak__heap_alloc_slow(heap, size));
}
