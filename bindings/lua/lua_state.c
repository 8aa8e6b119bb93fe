/* States in their own heaps: making them and taking them over. */
#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "heap/heap.h"
#include "lua_close.h"
#include "lua_kinds.h"
#include "lua_observed.h"
#include "lua_pace.h"
#include "lua_sentinel.h"
#include "lua_shared.h"
#include "lua_vm.h"

#if LUA_VERSION_NUM >= 504
/* Warnings as luaL_newstate has them: in 5.4 off until "@on", in pieces, on stderr. The function
 * that is set is the state of the automaton. */
#define WARNINGS_AT_FIRST (LUA_VERSION_NUM >= 505 ? warn_on : warn_off)
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
    hak_lua_adapter *adapter = hak__heap_zalloc(heap, 1, sizeof *adapter);
    if (!adapter) return NULL;
    adapter->heap = heap;
    adapter->end = hak__lua_end;
    adapter->pace = (hak_lua_pace){hak__heap_most(heap), SIZE_MAX, SIZE_MAX, 0, -1};
    heap->adapter = adapter;
    hak__lua_name_kinds(heap);
    return adapter;
}

/* The interpreter, if its states can have heaps; else NULL with errno. */
static const hak_lua_vm *suitable_vm(void)
{
    const hak_lua_vm *vm = hak__lua_vm();
    if (vm && vm->is_known) return vm;
    errno = vm ? ENOTSUP : ENOMEM;
    return NULL;
}

static const hak_hints luajit_hints = {
    .clock_most = SIZE_MAX, .coloured = true, .scattered = true, .words_more = true};

/* A heap for a state; granularity 8 by default. */
static hak_heap *heap_new(const hak_heap_options *options)
{
    hak_heap_options filled = options ? *options : (hak_heap_options){0};
    if (!filled.granularity) filled.granularity = 8;
    if (!filled.name) filled.name = "lua";
    hak_heap *heap = hak_heap_new(&filled);
    if (heap && hak__lua_is_luajit()) hak__heap_suit(heap, &luajit_hints);
    if (heap && !adapter_new(heap)) {
        hak_heap_destroy(heap);
        heap = NULL;
        errno = ENOMEM;
    }
    return heap;
}

/* Makes the adapter follow a state. Returns a status, with the message on the stack. Raises no
 * error. */
static int follow(lua_State *L, const hak_lua_vm *vm, hak_lua_adapter *adapter)
{
    adapter->thread = hak__lua_main_thread(vm, L);
    hak__lua_set_state(adapter->heap, hak__lua_state_block(vm, L));
#if LUA_VERSION_NUM >= 502
    lua_pushcfunction(L, hak__lua_place_sentinels);
    lua_pushlightuserdata(L, adapter);
    return lua_pcall(L, 1, 0, 0);
#else
    return lua_cpcall(L, hak__lua_place_sentinels, adapter);
#endif
}

#if LUA_VERSION_NUM == 501
/* Errors in finalizers are reported as by luaL_newstate. */
static int report_errors(lua_State *L)
{
    const hak_lua_vm *vm = lua_touserdata(L, 1);
    lua_pushcfunction(L, vm->attach);
    lua_pushcfunction(L, vm->on_error);
    lua_pushliteral(L, "errfin");
    lua_call(L, 2, 0);
    return 0;
}
#endif

/* What luaL_newstate sets beside the allocator. Returns a status. */
static int set_functions(lua_State *L, const hak_lua_vm *vm)
{
    lua_atpanic(L, vm->panic);
#if LUA_VERSION_NUM >= 504
    lua_setwarnf(L, WARNINGS_AT_FIRST, L);
#elif LUA_VERSION_NUM == 501
    if (vm->on_error && vm->attach) return lua_cpcall(L, report_errors, (void *)vm);
#endif
    return 0;
}

lua_State *hak_lua_newstate(const hak_heap_options *options)
{
    const hak_lua_vm *vm = suitable_vm();
    hak_heap *heap = vm ? heap_new(options) : NULL;
    if (!heap) return NULL;
    /* LuaJIT's lua_newstate crashes when memory runs out. So the limit is lifted here and
     * checked afterwards. */
    hak_heap_grace(heap, SIZE_MAX);
    lua_State *L = hak__lua_newstate(hak__lua_function(heap), heap);
    if (!L) {
        hak_heap_destroy(heap);
        errno = ENOMEM;
        return NULL;
    }
    hak_lua_adapter *adapter = heap->adapter;
    int status = set_functions(L, vm);
    if (status == 0) status = follow(L, vm, adapter);
    bool fits = hak_heap_grace_used(heap) == 0;
    hak_heap_grace(heap, 0);
    if (status == 0 && fits) {
        hak__lua_pace(adapter);
        return L;
    }

    lua_close(L);
    if (status != 0) hak_heap_destroy(heap); /* without a sentinel it still exists */
    errno = ENOMEM;
    return NULL;
}

/* ------------------------------------------------------------------ taking states over */

/* Adopts a state that its host has made in the host's own heap. */
static void adopt(lua_State *L, hak_heap *heap)
{
    const hak_lua_vm *vm = suitable_vm();
    hak_lua_adapter *adapter = vm ? adapter_new(heap) : NULL;
    if (!adapter) luaL_error(L, "not enough memory");
    adapter->hosts = true;
    if (follow(L, vm, adapter) == 0) {
        hak__lua_pace(adapter);
        return;
    }
    heap->adapter = NULL;
    hak_heap_free(heap, adapter);
    lua_error(L);
}

hak_heap *hak_lua_install(lua_State *L, const hak_heap_options *options)
{
    hak_heap *heap = hak_lua_heap(L);
    if (heap && !heap->adapter && !hak__lua_is_shared(heap)) adopt(L, heap);
    if (heap) return heap;
    if (!hak__lua_takes_foreign_memory(L)) {
        errno = ENOTSUP;
        return NULL;
    }
    const hak_lua_vm *vm = suitable_vm();
    heap = vm ? heap_new(options) : NULL;
    if (!heap) return NULL;
    hak_lua_adapter *adapter = heap->adapter;
    if (follow(L, vm, adapter) != 0) {
        hak_heap_destroy(heap);
        lua_error(L);
    }
    adapter->previous = lua_getallocf(L, &adapter->previous_ud);
    adapter->has_arena = hak__lua_is_luajit() && adapter->previous == vm->own_alloc;
    lua_setallocf(L, hak__lua_function(heap), heap);
    hak__lua_pace(adapter);
    return heap;
}

static hak_heap *heap_of(lua_State *L)
{
    void *ud;
    lua_Alloc function = lua_getallocf(L, &ud);
    if (hak__lua_is_ours(function) || function == hak__lua_alloc_closing) return ud;
    const hak_lua_adapter *adapter = hak__lua_adapter_of(L);
    return adapter ? adapter->heap : NULL;
}

hak_heap *hak_lua_heap(lua_State *L)
{
    hak_heap *heap = heap_of(L);
    if (heap && !hak__lua_is_shared(heap)) hak__lua_before(heap);
    return heap;
}

bool hak_lua_share(lua_State *L)
{
    void *ud;
    hak_heap *heap = hak__lua_is_ours(lua_getallocf(L, &ud)) ? ud : NULL;
    if (!heap) errno = EINVAL;
    if (!heap || hak__lua_is_shared(heap)) return heap != NULL;
    const hak_lua_vm *vm = suitable_vm();
    if (!vm) return false;
    hak__lua_set_state(heap, hak__lua_state_block(vm, L));
    return hak__lua_share(heap);
}
