/* States in heaps of their own: making them, taking them over, closing them. */
#include "lua_state.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h> /* LUA_JITLIBNAME */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "heap.h"

/* Keys in the registry. */
static const char sentinel_key;
static const char probe_key;

/* ------------------------------------------------------------------ the end of a state */

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

static void *state_block_of(lua_State *main_thread)
{
#ifdef LUA_EXTRASPACE /* since 5.3 */
    return (char *)main_thread - LUA_EXTRASPACE;
#else
    return main_thread;
#endif
}

/* Finalizers that still run may churn; this much of what they free may stay until the heap goes. */
#define CLOSING_KEEP ((size_t)1 << 20)

/* The allocator of a state that lua_close takes apart: freeing one by one what goes with the heap is
 * left out, and with the state's own block the heap goes. */
static void *alloc_closing(void *ud, void *block, size_t old_size, size_t new_size)
{
    hak_heap *heap = ud;
    hak_lua_adapter *adapter = heap->adapter;
    if (!block || new_size) {
        void *result = hak_lua_alloc(ud, block, old_size, new_size);
        /* Out of memory, Lua collects and tries again: then freed blocks are wanted. */
        adapter->closing_new += result ? new_size : CLOSING_KEEP;
        return result;
    }
    if (block == adapter->state_block) {
        hak_lua_adapter last = *adapter;
        bool ours = hak_heap_owns(heap, block);
        hak_heap_destroy(heap);
        if (!ours) last.previous(last.previous_ud, block, old_size, 0);
    } else if (adapter->closing_new >= CLOSING_KEEP ||
               (adapter->previous && !hak_heap_owns(heap, block))) {
        hak_lua_alloc(ud, block, old_size, 0);
    }
    return NULL;
}

/* Whether the sentinel's finalizer, which calls this, is the last to run. Not if it was called by a
 * collection that another finalizer asked for, nor if there was a whole cycle since hak_lua_close,
 * which may have found garbage with further finalizers: a weak table shows that. */
static bool nothing_left_to_finalize(lua_State *L)
{
    lua_Debug caller;
    if (lua_getstack(L, 1, &caller)) return false;
    lua_pushlightuserdata(L, (void *)&probe_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_rawgeti(L, -1, 1);
    return !lua_isnil(L, -1);
}

/* The sentinel's finalizer. The sentinel lies in the registry, so that only the end of the state
 * finalizes it. In a state from hak_lua_newstate it was marked first of all objects; Lua finalizes
 * in the reverse order of marking, so that usually no finalizer is left to run and all that remains
 * is plain memory. */
static int finalize_sentinel(lua_State *L)
{
    hak_lua_adapter *adapter = *(hak_lua_adapter **)lua_touserdata(L, 1);
    if (adapter->closing && nothing_left_to_finalize(L)) longjmp(*adapter->closing, 1);
    lua_State *main_thread = main_thread_of(L);
    if (main_thread) adapter->state_block = state_block_of(main_thread);
    void *ud;
    if (adapter->state_block && lua_getallocf(L, &ud) == hak_lua_alloc) {
        lua_setallocf(L, alloc_closing, ud);
    }
    return 0;
}

/* Puts the sentinel into the registry; argument: the adapter. It gets its finalizer last, when
 * nothing can fail any more. */
static int place_sentinel(lua_State *L)
{
    void *adapter = lua_touserdata(L, 1);
    *(void **)lua_newuserdata(L, sizeof adapter) = adapter;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, finalize_sentinel);
    lua_setfield(L, -2, "__gc");
    lua_pushlightuserdata(L, (void *)&sentinel_key);
    lua_pushvalue(L, -3);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_setmetatable(L, -2);
    return 0;
}

/* Puts the probe of nothing_left_to_finalize into the registry: a weak table with a value that the
 * next cycle takes away. */
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

/* Whether the sentinel may end the closing of this state early. */
static bool may_end_early(lua_State *L, const hak_lua_adapter *adapter)
{
#ifdef LUA_JITLIBNAME
    /* lua_close repeats its search for finalizers, and unmaps machine code. */
    (void)L, (void)adapter;
    return false;
#elif LUA_VERSION_NUM >= 502
    if (!adapter || adapter->previous || !lua_checkstack(L, 2)) return false;
    lua_pushcfunction(L, place_probe);
    return lua_pcall(L, 0, 0, 0) == LUA_OK;
#else
    if (!adapter || adapter->previous) return false;
    lua_settop(L, 0); /* lua_checkstack may raise an error */
    return lua_cpcall(L, place_probe, NULL) == 0;
#endif
}

void hak_lua_close(lua_State *L)
{
    hak_heap *heap = hak_lua_heap(L);
    hak_lua_adapter *adapter = heap ? heap->adapter : NULL;
    if (!may_end_early(L, adapter)) {
        lua_close(L);
        return;
    }
    jmp_buf closing;
    adapter->closing = &closing;
    if (setjmp(closing) == 0) lua_close(L);
    else hak_heap_destroy(heap);
}

/* ------------------------------------------------------------------ the beginning */

static int panic(lua_State *L)
{
    const char *message = lua_tostring(L, -1);
    fprintf(stderr, "PANIC: unprotected error in call to Lua API (%s)\n",
            message ? message : "error object is not a string");
    fflush(stderr);
    return 0; /* Lua aborts */
}

#if LUA_VERSION_NUM >= 504
/* Warnings as the stand-alone interpreter shows them: off until "@on", in pieces, on stderr. The
 * state is the function that is set. */
static void warn_off(void *ud, const char *message, int to_be_continued);
static void warn_on(void *ud, const char *message, int to_be_continued);

static bool is_control(lua_State *L, const char *message, int to_be_continued)
{
    if (to_be_continued || message[0] != '@') return false;
    if (strcmp(message, "@on") == 0) lua_setwarnf(L, warn_on, L);
    if (strcmp(message, "@off") == 0) lua_setwarnf(L, warn_off, L);
    return true;
}

static void warn_more(void *ud, const char *message, int to_be_continued)
{
    fputs(message, stderr);
    if (!to_be_continued) {
        fputs("\n", stderr);
        fflush(stderr);
    }
    lua_setwarnf(ud, to_be_continued ? warn_more : warn_on, ud);
}

static void warn_on(void *ud, const char *message, int to_be_continued)
{
    if (is_control(ud, message, to_be_continued)) return;
    fputs("Lua warning: ", stderr);
    warn_more(ud, message, to_be_continued);
}

static void warn_off(void *ud, const char *message, int to_be_continued)
{
    is_control(ud, message, to_be_continued);
}
#endif

static hak_lua_adapter *adapter_new(hak_heap *heap)
{
    hak_lua_adapter *adapter = hak_heap_zalloc(heap, 1, sizeof *adapter);
    if (!adapter) return NULL;
    adapter->heap = heap;
    heap->adapter = adapter;
    return adapter;
}

/* A heap for a state; granularity 8 unless asked otherwise. */
static hak_heap *heap_new(const hak_heap_options *options)
{
    hak_heap_options filled = options ? *options : (hak_heap_options){0};
    if (!filled.granularity) filled.granularity = 8;
    if (!filled.name) filled.name = "lua";
    hak_heap *heap = hak_heap_new(&filled);
    if (heap && !adapter_new(heap)) {
        hak_heap_destroy(heap);
        heap = NULL;
        errno = ENOMEM;
    }
    return heap;
}

lua_State *hak_lua_newstate(const hak_heap_options *options)
{
    hak_heap *heap = heap_new(options);
    if (!heap) return NULL;
    lua_State *L = lua_newstate(hak_lua_alloc, heap);
    if (!L) {
        hak_heap_destroy(heap);
        errno = ENOMEM;
        return NULL;
    }
    hak_lua_adapter *adapter = heap->adapter;
    adapter->state_block = state_block_of(L);
    lua_atpanic(L, panic);
#if LUA_VERSION_NUM >= 504
    lua_setwarnf(L, warn_off, L);
#endif
#if LUA_VERSION_NUM >= 502
    lua_pushcfunction(L, place_sentinel);
    lua_pushlightuserdata(L, adapter);
    int status = lua_pcall(L, 1, 0, 0);
#else
    int status = lua_cpcall(L, place_sentinel, adapter);
#endif
    if (status != 0) {
        /* Without a sentinel lua_close frees every block and leaves the heap. */
        lua_close(L);
        hak_heap_destroy(heap);
        errno = ENOMEM;
        return NULL;
    }
    return L;
}

/* LuaJIT built for 32-bit references keeps all its objects in the low 2 GiB, where no other
 * allocator's memory may lie. */
static bool takes_foreign_memory(lua_State *L)
{
#ifdef LUA_JITLIBNAME
    return (uintptr_t)L >> 32 != 0;
#else
    (void)L;
    return true;
#endif
}

hak_heap *hak_lua_install(lua_State *L, const hak_heap_options *options)
{
    hak_heap *heap = hak_lua_heap(L);
    if (heap) return heap;
    if (!takes_foreign_memory(L)) {
        errno = ENOTSUP;
        return NULL;
    }
    heap = heap_new(options);
    if (!heap) return NULL;
    hak_lua_adapter *adapter = heap->adapter;
    lua_pushcfunction(L, place_sentinel);
    lua_pushlightuserdata(L, adapter);
    if (lua_pcall(L, 1, 0, 0) != 0) {
        hak_heap_destroy(heap);
        lua_error(L);
    }
    adapter->previous = lua_getallocf(L, &adapter->previous_ud);
    lua_setallocf(L, hak_lua_alloc, heap);
    return heap;
}

hak_heap *hak_lua_heap(lua_State *L)
{
    void *ud;
    lua_Alloc function = lua_getallocf(L, &ud);
    return function == hak_lua_alloc || function == alloc_closing ? ud : NULL;
}
