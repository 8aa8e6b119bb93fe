/* The end of a state, and with it of its heap.
 *
 * A sentinel in the registry (lua_sentinel.c) is finalized when the state is closed, usually as the
 * last object, so that all that remains is plain memory. hak_lua_close leaves lua_close at that
 * point, and drops the heap. Where lua_close has to go on, the sentinel has put
 * hak__lua_alloc_closing in place, which drops the heap at the very end. */
#include <lauxlib.h>
#include <stdbool.h>

#include "heap.h"
#include "lua_state.h"

static const char probe_key; /* in the registry */

/* ------------------------------------------------------------------ the state's own block */

/* NULL where the interpreter does not tell (5.1 and LuaJIT, asked by a coroutine). */
static lua_State *main_thread_of(lua_State *L)
{
#ifdef LUA_RIDX_MAINTHREAD
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main_thread = lua_tothread(L, -1);
#else
    lua_State *main_thread = lua_pushthread(L) ? L : NULL;
#endif
    lua_pop(L, 1);
    return main_thread;
}

void *hak__lua_state_block(lua_State *main_thread)
{
#ifdef LUA_EXTRASPACE /* since 5.3 */
    return (char *)main_thread - LUA_EXTRASPACE;
#else
    return main_thread;
#endif
}

/* ------------------------------------------------------------------ lua_close to its end */

/* Finalizers that still run may churn; this much of what they free may stay until the heap goes. */
#define CLOSING_KEEP ((size_t)1 << 20)

static void free_state_block(hak_heap *heap, void *block, size_t size)
{
    hak_lua_adapter adapter = *(hak_lua_adapter *)heap->adapter;
    bool ours = hak_heap_owns(heap, block);
    hak_heap_destroy(heap);
    if (!ours) adapter.previous(adapter.previous_ud, block, size, 0);
}

/* LuaJIT's own allocator drops its arena whole, if lua_close finds it in place at the very end:
 * after hak_lua_install it must be back when only the state's block is left. */
static void *learn_size(void *ud, void *block, size_t old_size, size_t new_size)
{
    (void)block, (void)old_size;
    *(size_t *)ud = new_size;
    return NULL;
}

static void count_left(lua_State *L, hak_lua_adapter *adapter)
{
    if (!hak__lua_is_luajit()) return;
    size_t state_size = 0;
    lua_newstate(learn_size, &state_size); /* fails at once, having asked for the state's block */
    size_t all = (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB, 0);
    adapter->closing_left = all - state_size;
}

static void count_change(hak_heap *heap, size_t old_size, size_t new_size)
{
    hak_lua_adapter *adapter = heap->adapter;
    if (!adapter->previous || !hak__lua_is_luajit()) return;
    adapter->closing_left += new_size - old_size;
    if (adapter->closing_left != 0) return;
    lua_setallocf(adapter->state_block, adapter->previous, adapter->previous_ud);
    hak_heap_destroy(heap);
}

void *hak__lua_alloc_closing(void *ud, void *block, size_t old_size, size_t new_size)
{
    hak_heap *heap = ud;
    hak_lua_adapter *adapter = heap->adapter;
    if (!block || new_size) {
        void *result = hak__lua_alloc_of(heap)(ud, block, old_size, new_size);
        /* Out of memory, Lua collects and tries again: then freed blocks are wanted. */
        adapter->closing_new += result ? new_size : CLOSING_KEEP;
        if (result) count_change(heap, block ? old_size : 0, new_size);
        return result;
    }
    if (block == adapter->state_block) {
        free_state_block(heap, block, old_size);
        return NULL;
    }
    if (adapter->closing_new >= CLOSING_KEEP ||
        (adapter->previous && !hak_heap_owns(heap, block))) {
        hak_lua_alloc(ud, block, old_size, 0);
    }
    count_change(heap, old_size, 0);
    return NULL;
}

/* ------------------------------------------------------------------ leaving lua_close early */

/* Puts into the registry a weak table with a value that the next collection cycle takes away. */
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

/* Readies a state for nothing_left_to_finalize; false when there is no memory for that. */
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

/* Whether the sentinel's finalizer, which calls this, is the last to run. Not if it was called by a
 * collection that another finalizer asked for; and not if there was a cycle since hak_lua_close,
 * which may have found garbage with further finalizers. */
static bool nothing_left_to_finalize(lua_State *L)
{
    lua_Debug caller;
    if (lua_getstack(L, 1, &caller)) return false;
    lua_pushlightuserdata(L, (void *)&probe_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_rawgeti(L, -1, 1);
    return !lua_isnil(L, -1);
}

/* LuaJIT's lua_close searches repeatedly for finalizers, and unmaps machine code at its end. */
static bool may_leave_early(const hak_lua_adapter *adapter)
{
    return adapter && !adapter->previous && !hak__lua_is_luajit();
}

void hak_lua_close(lua_State *L)
{
    hak_heap *heap = hak_lua_heap(L);
    hak_lua_adapter *adapter = heap ? heap->adapter : NULL;
    if (!may_leave_early(adapter) || !prepare(L)) {
        lua_close(L);
        return;
    }
    jmp_buf leave;
    adapter->leave = &leave;
    if (setjmp(leave) == 0) lua_close(L);
    else hak_heap_destroy(heap);
}

/* ------------------------------------------------------------------ when it is closed */

void hak__lua_at_close(lua_State *L, hak_lua_adapter *adapter)
{
    void *ud;
    if (adapter->leave && nothing_left_to_finalize(L)) longjmp(*adapter->leave, 1);
    lua_State *main_thread = main_thread_of(L);
    if (main_thread) adapter->state_block = hak__lua_state_block(main_thread);
    if (adapter->state_block && hak__lua_is_ours(lua_getallocf(L, &ud))) {
        count_left(L, adapter);
        lua_setallocf(L, hak__lua_alloc_closing, ud);
    }
}
