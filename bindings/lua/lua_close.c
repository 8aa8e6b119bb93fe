/* The end of a state and of its heap.
 *
 * A sentinel in the registry (lua_sentinel.c) is finalized when the state is closed, usually as the
 * last object: all that remains is plain memory. There hak_lua_close leaves lua_close and drops the
 * heap. If lua_close has to go on, the sentinel installs hak__lua_alloc_closing, which drops the
 * heap at the very end. If a host's function wraps ours, the sentinel makes all frees take the slow
 * path, which does the same. */
#include "lua_close.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "heap/heap.h"
#include "lua_kinds.h"
#include "lua_observed.h"
#include "lua_vm.h"

static const char probe_key; /* key in the registry */

/* ------------------------------------------------------------------ LuaJIT's own allocator */

/* A state that is closed to drop an arena. Its blocks are malloc's. */
typedef struct helper {
    lua_State *state;
    void *state_block;
    size_t live;
    bool closing;
    lua_Alloc own; /* LuaJIT's allocator */
    void *arena;   /* its arena, to be dropped */
} helper;

static void *helper_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    helper *h = ud;
    (void)old_size;
    if (new_size == 0) {
        if (!block) return NULL;
        free(block);
        if (--h->live == 1 && h->closing) lua_setallocf(h->state, h->own, h->arena);
        return NULL;
    }
    void *result = realloc(block, new_size);
    if (!block && result) {
        h->live++;
        if (!h->state_block) h->state_block = result;
    }
    return result;
}

/* LuaJIT's own allocator has an arena for each state. Only lua_close drops it, if it finds this
 * allocator in place at the very end, when only the state's block is left. So another state is made
 * whose blocks are counted, and which ends with this arena in place. If there is no memory for that
 * state, the arena stays. */
static void drop_arena(lua_Alloc own, void *arena)
{
    helper h = {.own = own, .arena = arena};
    h.state = hak__lua_newstate(helper_alloc, &h);
    if (!h.state) return;
    h.closing = true;
    lua_close(h.state);
    free(h.state_block);
}

/* ------------------------------------------------------------------ lua_close to its end */

/* Bytes that finalizers may allocate during lua_close before their frees are carried out; until
 * then freed blocks stay until the heap ends. */
#define CLOSING_KEEP ((size_t)1 << 20)

void hak__lua_end(hak_heap *heap, void *state_block, size_t size, bool last)
{
    hak_lua_adapter adapter = *(hak_lua_adapter *)heap->adapter;
    bool ours = hak_heap_owns(heap, state_block);
    if (last && !adapter.hosts) {
        hak_heap_destroy(heap);
    } else {
        if (last) {
            if (adapter.base) hak__heap_show(heap, adapter.base);
            hak_heap_free(heap, heap->adapter);
            heap->adapter = NULL;
        }
        if (ours) hak_heap_free(heap, state_block);
    }
    if (ours) return;
    if (adapter.has_arena) drop_arena(adapter.previous, adapter.previous_ud);
    else adapter.previous(adapter.previous_ud, state_block, size, 0);
}

void *hak__lua_alloc_closing(void *ud, void *block, size_t old_size, size_t new_size)
{
    hak_heap *heap = ud;
    hak_lua_adapter *adapter = heap->adapter;
    if (hak__lua_is_shared(heap)) return hak__lua_alloc_of(heap)(ud, block, old_size, new_size);
    if (!block || new_size) {
        void *result = hak__lua_alloc_of(heap)(ud, block, old_size, new_size);
        /* Out of memory, Lua collects and tries again: then frees must be carried out. */
        adapter->closing_new += result ? new_size : CLOSING_KEEP;
        return result;
    }
    if (block == heap->root) {
        hak__lua_end(heap, block, old_size, true);
    } else if (adapter->closing_new >= CLOSING_KEEP ||
               (adapter->previous && !hak_heap_owns(heap, block))) {
        hak_lua_alloc(ud, block, old_size, 0);
    }
    return NULL;
}

/* Makes all frees take the slow path. */
static void take_the_long_way(hak_lua_adapter *adapter)
{
    adapter->base = hak__heap_hide(adapter->heap);
}

/* ------------------------------------------------------------------ leaving lua_close early */

/* Puts into the registry a weak table with a value that the next collection cycle removes. */
static int place_probe(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&probe_key);
    lua_createtable(L, 1, 0);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_createtable(L, 0, 0);
    lua_rawseti(L, -2, 1);
    lua_rawset(L, LUA_REGISTRYINDEX);
    return 0;
}

/* Prepares a state for nothing_left_to_finalize. False: out of memory. */
static bool prepare(lua_State *L)
{
#if LUA_VERSION_NUM >= 502
    if (!lua_checkstack(L, 1)) return false;
    lua_pushcfunction(L, place_probe);
    return lua_pcall(L, 0, 0, 0) == 0;
#else
    lua_settop(L, 0); /* here lua_checkstack may raise an error */
    return lua_cpcall(L, place_probe, NULL) == 0;
#endif
}

/* ------------------------------------------------------------------ how deep the stack is */

__attribute__((noinline)) int hak__lua_finalize(lua_State *L)
{
    ((hak_lua_finalized *)lua_touserdata(L, 1))->run(L, __builtin_frame_address(0));
    return 0;
}

/* Why the depth matters: in 5.4 lua_close drops the record of active calls. If a finalizer ends the
 * process by os.exit(code, true), lua_close is called within a finalizer and must return, so that
 * the process exits. Then the stack is deeper than usual. The usual depth is measured by closing
 * another state. */
#if LUA_VERSION_NUM >= 504
static __attribute__((noinline)) void close_noting(lua_State *L, void **frame)
{
    *frame = __builtin_frame_address(0);
    lua_close(L);
    __asm__ volatile("" ::: "memory"); /* prevents a tail call */
}

typedef struct depth {
    void *begin, *end;
} depth;

typedef struct depth_object {
    hak_lua_finalized finalized;
    depth *depth;
} depth_object;

static void note_depth(lua_State *L, void *frame)
{
    ((depth_object *)lua_touserdata(L, 1))->depth->end = frame;
}

/* 0: unknown. */
static ptrdiff_t usual_depth(void)
{
    static ptrdiff_t known;
    ptrdiff_t result = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (result) return result;
    depth seen = {0};
    lua_State *L = luaL_newstate();
    if (!L) return 0;
    lua_pushcfunction(L, hak__lua_finalize);
    *(depth_object *)lua_newuserdatauv(L, sizeof(depth_object), 0) =
        (depth_object){{note_depth}, &seen};
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    close_noting(L, &seen.begin);
    result = (char *)seen.begin - (char *)seen.end;
    __atomic_store_n(&known, result, __ATOMIC_RELAXED);
    return result;
}

static bool at_usual_depth(const hak_lua_adapter *adapter, const void *frame)
{
    return (char *)adapter->close_frame - (const char *)frame == usual_depth();
}
#else
static void close_noting(lua_State *L, void **frame)
{
    (void)frame;
    lua_close(L);
}

static bool at_usual_depth(const hak_lua_adapter *adapter, const void *frame)
{
    (void)adapter, (void)frame;
    return true;
}
#endif

/* Whether the sentinel's finalizer, which calls this, is the last one to run. It is not if it was
 * called by a collection that another finalizer asked for, or if there was a cycle since
 * hak_lua_close: that may have found garbage with finalizers. */
static bool nothing_left_to_finalize(lua_State *L)
{
    lua_Debug caller;
    if (lua_getstack(L, 1, &caller)) return false;
    lua_pushlightuserdata(L, (void *)&probe_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_rawgeti(L, -1, 1);
    return !lua_isnil(L, -1);
}

/* LuaJIT's lua_close searches for finalizers several times, and unmaps machine code at its end. */
static bool may_leave_early(const hak_lua_adapter *adapter)
{
    return adapter && !hak__lua_is_shared(adapter->heap) && !adapter->previous && !adapter->hosts &&
           !hak__lua_is_luajit();
}

/* The heap if the state's function is ours; NULL if a host's function wraps it. */
static hak_heap *heap_in_place(lua_State *L)
{
    void *ud;
    return hak__lua_is_ours(lua_getallocf(L, &ud)) ? ud : NULL;
}

void hak_lua_close(lua_State *L)
{
    hak_heap *heap = heap_in_place(L);
    hak_lua_adapter *adapter = heap ? heap->adapter : NULL;
    if (!may_leave_early(adapter) || !prepare(L)) {
        lua_close(L);
        return;
    }
    jmp_buf leave;
    adapter->leave = &leave;
    if (setjmp(leave) == 0) close_noting(L, &adapter->close_frame);
    else hak_heap_destroy(heap);
}

/* ------------------------------------------------------------------ when it is closed */

void hak__lua_at_close(lua_State *L, hak_lua_adapter *adapter, void *frame)
{
    hak_heap *heap = adapter->heap;
    if (hak__lua_is_shared(heap)) return; /* other states may live on */
    bool in_place = heap_in_place(L) == heap;
    if (adapter->leave && in_place && at_usual_depth(adapter, frame) &&
        nothing_left_to_finalize(L) &&
        !hak__lua_may_have_external(&hak__lua_vm()->external, heap, hak__lua_is_ours))
        longjmp(*adapter->leave, 1);
    adapter->mark = NULL;
    adapter->closing = true;
    if (in_place && !adapter->hosts) lua_setallocf(L, hak__lua_alloc_closing, heap);
    else take_the_long_way(adapter);
}
