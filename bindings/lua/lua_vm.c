#include "lua_vm.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdlib.h>

/* A function that came with each version, which may be missing where the module runs. */
#if LUA_VERSION_NUM < 502
extern void lua_callk(void);
#endif
#if LUA_VERSION_NUM < 503
extern void lua_rotate(void);
#endif
#if LUA_VERSION_NUM < 504
extern void lua_newuserdatauv(void);
#endif
#if LUA_VERSION_NUM < 505
extern void lua_pushexternalstring(void);
#endif
#pragma weak lua_callk
#pragma weak lua_rotate
#pragma weak lua_newuserdatauv
#pragma weak lua_pushexternalstring

int hak__lua_version(void)
{
    if (lua_pushexternalstring) return 505;
    if (lua_newuserdatauv) return 504;
    if (lua_rotate) return 503;
    return lua_callk ? 502 : 501;
}

#if LUA_VERSION_NUM == 501
extern int luaJIT_setmode(lua_State *L, int index, int mode)
    __attribute__((weak, visibility("default")));
extern int luaopen_jit(lua_State *L) __attribute__((weak, visibility("default")));
#endif

bool hak__lua_is_luajit(void)
{
#if LUA_VERSION_NUM == 501
    return luaJIT_setmode != NULL;
#else
    return false;
#endif
}

bool hak__lua_takes_foreign_memory(lua_State *L)
{
    return !hak__lua_is_luajit() || (uintptr_t)L >> 32 != 0;
}

lua_State *hak__lua_newstate(lua_Alloc function, void *ud)
{
#if LUA_VERSION_NUM >= 505
    return lua_newstate(function, ud, luaL_makeseed(NULL));
#else
    return lua_newstate(function, ud);
#endif
}

/* ------------------------------------------------------------------ asking a fresh state */

/* A thread's pointer to what the threads of a state share is among its first words. */
#define FIRST_WORDS 8

size_t hak__lua_requests[HAK_LUA_REQUESTS];

/* The first block of a state, and two of its threads. */
typedef struct fresh {
    char *block;
    size_t size;
    lua_State *main, *other;
    size_t asked; /* blocks asked for */
    size_t sizes[HAK_LUA_REQUESTS];
} fresh;

static void *fresh_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    fresh *of = ud;
    (void)old_size;
    if (!block && of->asked < HAK_LUA_REQUESTS) of->sizes[of->asked] = new_size;
    of->asked++;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    void *result = realloc(block, new_size);
    if (!of->block) {
        of->block = result;
        of->size = new_size;
    }
    return result;
}

static int make_thread(lua_State *L)
{
    fresh *of = lua_touserdata(L, 1);
    of->other = lua_newthread(L);
    return 0;
}

static void call_make_thread(fresh *of)
{
#if LUA_VERSION_NUM >= 502
    lua_pushcfunction(of->main, make_thread);
    lua_pushlightuserdata(of->main, of);
    lua_pcall(of->main, 1, 0, 0);
#else
    lua_cpcall(of->main, make_thread, of);
#endif
}

/* Looks for the word that both threads have, and that points into the state's block. */
static bool find_shared(hak_lua_vm *vm, const fresh *of)
{
    for (size_t i = 0; i < FIRST_WORDS; i++) {
        uintptr_t word = ((const uintptr_t *)of->main)[i];
        size_t from = word - (uintptr_t)of->block;
        if (word != ((const uintptr_t *)of->other)[i] || from >= of->size) continue;
        vm->shared_at = i * sizeof word;
        vm->shared_from = from;
        vm->main_from = (size_t)((char *)of->main - of->block);
        return vm->main_from < of->size;
    }
    return false;
}

/* False: no memory to find out. */
static bool ask_layout(hak_lua_vm *vm)
{
    fresh of = {0};
    of.main = hak__lua_newstate(fresh_alloc, &of);
    if (!of.main) return !of.asked; /* LuaJIT without GC64 asks no other allocator than its own */
    call_make_thread(&of);
    if (of.other) vm->is_known = find_shared(vm, &of);
    for (size_t i = 0; vm->is_known && i < HAK_LUA_REQUESTS; i++)
        __atomic_store_n(&hak__lua_requests[i], of.sizes[i], __ATOMIC_RELAXED);
    lua_close(of.main);
    return of.other != NULL;
}

#if LUA_VERSION_NUM == 501
static int ask_events(lua_State *L)
{
    hak_lua_vm *vm = lua_touserdata(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, "_VMEVENTS");
    if (!lua_istable(L, -1) || !luaopen_jit) return 0;
    lua_pushnil(L);
    if (!lua_next(L, -2)) return 0;
    vm->on_error = lua_tocfunction(L, -1);
    lua_pushcfunction(L, luaopen_jit);
    lua_pushliteral(L, "jit");
    lua_call(L, 1, 0);
    lua_getglobal(L, "jit");
    lua_getfield(L, -1, "attach");
    vm->attach = lua_tocfunction(L, -1);
    return 0;
}
#endif

static bool ask_functions(hak_lua_vm *vm)
{
    lua_State *L = luaL_newstate();
    if (!L) return false;
    vm->own_alloc = lua_getallocf(L, NULL);
    vm->panic = lua_atpanic(L, NULL);
#if LUA_VERSION_NUM == 501
    bool done = lua_cpcall(L, ask_events, vm) == 0;
#else
    bool done = true;
#endif
    lua_close(L);
    return done;
}

const hak_lua_vm *hak__lua_vm(void)
{
    static hak_lua_vm *known;
    hak_lua_vm *vm = __atomic_load_n(&known, __ATOMIC_ACQUIRE), *other = NULL;
    if (vm) return vm;
    vm = calloc(1, sizeof *vm);
    if (!vm || !ask_functions(vm) || !ask_layout(vm)) {
        free(vm);
        return NULL;
    }
    vm->external = hak__lua_ask_external();
    if (__atomic_compare_exchange_n(&known, &other, vm, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return vm;
    free(vm);
    return other;
}

void *hak__lua_state_block(const hak_lua_vm *vm, lua_State *thread)
{
    char *shared = *(char **)((char *)thread + vm->shared_at);
    return shared - vm->shared_from;
}

lua_State *hak__lua_main_thread(const hak_lua_vm *vm, lua_State *thread)
{
    return (lua_State *)((char *)hak__lua_state_block(vm, thread) + vm->main_from);
}
