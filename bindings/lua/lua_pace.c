#include "lua_pace.h"

#include "lua_vm.h"

/* What is kept back: a part of the limit, but no more than half of the room that there is. */
#define KEPT_PART 16
#define KEPT_MOST ((size_t)1 << 20)
_Static_assert(KEPT_MOST / HAK_PAGE <= UINT16_MAX, "heap->kept_back can say it");

/* LuaJIT does not bear to be refused more often: it crashes where that happens in its collector. */
static bool keeps(void)
{
    return LUA_VERSION_NUM == 501 && !hak__lua_is_luajit();
}

/* What a step multiplier means. UNIT: with it, the collector does as much work as bytes are
 * allocated. MOST: what is set at most. AT_ONCE: a cycle in a step, or as much of it as there can
 * be. LuaJIT crashes where memory runs out in large steps of its collector, and gets small ones. */
#if LUA_VERSION_NUM == 501
#define UNIT    100
#define MOST    (hak__lua_is_luajit() ? 2000 : 50000)
#define AT_ONCE (hak__lua_is_luajit() ? 2000 : 0)
#elif LUA_VERSION_NUM < 504
#define UNIT    200
#define MOST    100000
#define AT_ONCE 100000000
#else
#define UNIT    100
#define MOST    1000
#define AT_ONCE 1000
#endif

/* 5.1, for which this is no option, answers -1. */
#ifndef LUA_GCISRUNNING
#define LUA_GCISRUNNING 9
#endif

#define NO_STEPMUL (-1)

/* ------------------------------------------------------------------ asking the collector */

/* lua_gc with these does no more than to set numbers of the state, so that it may be called while
 * Lua waits for a block. 5.4 refuses it while a finalizer runs, with -1. */
static bool is_faster(int stepmul, int other)
{
    if (LUA_VERSION_NUM == 501 && other == 0) return false; /* a whole cycle in a step */
    return stepmul > other || (LUA_VERSION_NUM == 501 && stepmul == 0);
}

static void set_stepmul(hak_lua_adapter *adapter, int stepmul)
{
    hak_lua_pace *pace = &adapter->pace;
    int before = lua_gc(adapter->thread, LUA_GCSETSTEPMUL, stepmul);
    if (before != pace->set_stepmul) pace->stepmul = before; /* the script's */
    if (is_faster(pace->stepmul, stepmul)) stepmul = pace->stepmul;
    lua_gc(adapter->thread, LUA_GCSETSTEPMUL, stepmul);
    /* What it has become: 5.4 keeps a quarter of the number. */
    pace->set_stepmul = lua_gc(adapter->thread, LUA_GCSETSTEPMUL, stepmul);
}

static bool put_stepmul_back(hak_lua_adapter *adapter)
{
    hak_lua_pace *pace = &adapter->pace;
    if (pace->set_stepmul == NO_STEPMUL) return true;
    int now = lua_gc(adapter->thread, LUA_GCSETSTEPMUL, pace->stepmul);
    if (now < 0) return false;
    if (now != pace->set_stepmul) lua_gc(adapter->thread, LUA_GCSETSTEPMUL, now); /* the script's */
    pace->set_stepmul = NO_STEPMUL;
    return true;
}

/* Has the collector go on at the next place where it may. False where the script has stopped it. */
static bool ask(hak_lua_adapter *adapter, int stepmul)
{
    if (!adapter->thread || hak__lua_is_closing(adapter)) return false;
    int running = lua_gc(adapter->thread, LUA_GCISRUNNING, 0);
    if (running == 0 || (running < 0 && LUA_VERSION_NUM > 501)) return false;
    set_stepmul(adapter, stepmul);
    lua_gc(adapter->thread, LUA_GCRESTART, 0);
    return true;
}

/* The multiplier for a cycle to be over within `bytes`. Marking takes as many bytes of work as
 * live, and sweeping ten for each object. */
static int stepmul_for(const hak_lua_adapter *adapter, size_t bytes)
{
    double work = lua_gc(adapter->thread, LUA_GCCOUNT, 0) * 1024.0 * 1.3;
    double stepmul = bytes ? work * UNIT / (double)bytes : MOST;
    return stepmul < MOST ? (int)stepmul + 1 : AT_ONCE;
}

/* ------------------------------------------------------------------ when */

/* In pages. */
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
    if (!adapter->thread || hak__lua_is_closing(adapter) || !put_stepmul_back(adapter)) return;
    pace->limit = hak__heap_most(heap);
    hak__heap_keep_back(heap, 0);
    if (pace->limit == SIZE_MAX) return;
    size_t used = hak__heap_in_use(heap), room = used < pace->limit ? pace->limit - used : 0;
    uint16_t kept = kept_of(pace->limit, room);
    hak__heap_keep_back(heap, kept);
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
    if (!keeps()) return; /* LuaJIT crashes where memory runs out while it collects */
    if (ask(adapter, AT_ONCE)) adapter->pace.begin_at = SIZE_MAX;
    hak__heap_keep_back(heap, hak__heap_keep_back(heap, 0) / 2);
}

void hak__lua_cycle_is_over(hak_lua_adapter *adapter)
{
    if (adapter->mark) adapter->colour = hak__lua_colour(adapter);
    adapter->most_kib = 0;
    if (hak__lua_is_closing(adapter)) return;
    hak_heap_settle(adapter->heap);
    /* 5.4 takes no setting while a finalizer runs. */
    if (LUA_VERSION_NUM >= 504) adapter->pace.limit = HAK_LUA_PACE_ANEW;
    else hak__lua_pace(adapter);
}
