/* What the C tests of the Lua side share. */
#ifndef HAK_TESTS_LUA_SUPPORT_H
#define HAK_TESTS_LUA_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "hakmem_lua.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

#ifdef LUA_JITLIBNAME
#define IS_LUAJIT 1
#else
#define IS_LUAJIT 0
#endif

/* 501 … 505 as LUA_VERSION_NUM; LuaJIT is 501 with IS_LUAJIT. */
#define SINCE_54 (LUA_VERSION_NUM >= 504)

/* lua_newstate, which takes a seed since 5.5. */
static inline lua_State *new_state(lua_Alloc function, void *ud)
{
#if LUA_VERSION_NUM >= 505
    return lua_newstate(function, ud, 0);
#else
    return lua_newstate(function, ud);
#endif
}

/* How many times shorter tests are to be: HAK_TEST_SCALE from the environment, else 1. For the fast
 * set, docs/testing.md. */
static inline size_t scale(void)
{
    const char *given = getenv("HAK_TEST_SCALE");
    size_t divisor = given ? strtoull(given, NULL, 10) : 1;
    return divisor ? divisor : 1;
}

/* ------------------------------------------------------------------ the process */

static inline size_t statm_field(int field)
{
    unsigned long value[2] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &value[0], &value[1]) != 2) abort();
    fclose(file);
    return value[field] * (size_t)sysconf(_SC_PAGESIZE);
}

/* Bytes of address space and of resident memory. */
static inline size_t address_space(void)
{
    return statm_field(0);
}

static inline size_t rss(void)
{
    return statm_field(1);
}

/* What goes to stderr between capture_begin and capture_end, which returns it; the caller frees. */
typedef struct capture {
    int saved;
    FILE *file;
} capture;

static inline capture capture_begin(void)
{
    capture c = {.saved = dup(STDERR_FILENO), .file = tmpfile()};
    if (c.saved < 0 || !c.file) abort();
    fflush(stderr);
    dup2(fileno(c.file), STDERR_FILENO);
    return c;
}

static inline char *capture_end(capture c)
{
    fflush(stderr);
    dup2(c.saved, STDERR_FILENO);
    close(c.saved);
    long size = lseek(fileno(c.file), 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    if (!text || pread(fileno(c.file), text, (size_t)size, 0) != size) abort();
    fclose(c.file);
    return text;
}

/* ------------------------------------------------------------------ states */

/* Two ways to make and to close a state, to be compared. */
typedef struct life {
    const char *name;
    lua_State *(*make)(void);
    void (*end)(lua_State *);
} life;

static inline lua_State *make_hakmem(void)
{
    return hak_lua_newstate(NULL);
}

static inline lua_State *make_with_kinds(void)
{
    return hak_lua_newstate(&(hak_heap_options){.settings = "kinds=1"});
}

static inline lua_State *make_stock(void)
{
    return luaL_newstate();
}

/* A stock state that hakmem has taken over, by these options or by none. */
static inline lua_State *make_installed_by(const hak_heap_options *options)
{
    lua_State *L = luaL_newstate();
    if (L && !hak_lua_install(L, options)) abort();
    return L;
}

static inline lua_State *make_installed(void)
{
    return make_installed_by(NULL);
}

/* An allocator that counts, checks the sizes Lua passes back, and can be made to refuse. */
typedef struct counted {
    size_t live, bytes;
    long refuse_after; /* allocations; negative: never */
} counted;

static inline void *counted_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    counted *count = ud;
    size_t *header = block ? (size_t *)block - 2 : NULL;
    if (header && header[0] != old_size) abort();
    if (new_size == 0) {
        if (header) count->live--, count->bytes -= old_size;
        free(header);
        return NULL;
    }
    if (!header || new_size > old_size) {
        if (count->refuse_after == 0) return NULL;
        if (count->refuse_after > 0) count->refuse_after--;
    }
    size_t *made = realloc(header, new_size + 16);
    if (!made) return NULL;
    made[0] = new_size;
    if (!header) count->live++;
    else count->bytes -= old_size;
    count->bytes += new_size;
    return made + 2;
}

/* Runs `code`; a failure fails the test. */
static inline void run(lua_State *L, const char *code)
{
    if (luaL_loadstring(L, code) != 0 || lua_pcall(L, 0, 0, 0) != 0) {
        fail_msg("%s\nin: %s", lua_tostring(L, -1), code);
    }
}

/* Runs `code` in a protected call and returns its status. The message stays on the stack. */
static inline int try_run(lua_State *L, const char *code)
{
    int status = luaL_loadstring(L, code);
    return status ? status : lua_pcall(L, 0, 0, 0);
}

/* 5.1 and LuaJIT try no collection when memory runs out, nor does the buffer of 5.3. */
static inline void drop_garbage(lua_State *L)
{
    lua_settop(L, 0);
    if (LUA_VERSION_NUM < 504) lua_gc(L, LUA_GCCOLLECT, 0);
}

/* The value of a global number. */
static inline double global_number(lua_State *L, const char *name)
{
    lua_getglobal(L, name);
    double value = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

static inline size_t live_blocks(lua_State *L)
{
    hak_stats stats;
    hak_heap_stats(hak_lua_heap(L), &stats);
    return stats.live_blocks;
}

static inline size_t footprint(lua_State *L)
{
    hak_stats stats;
    hak_heap_stats(hak_lua_heap(L), &stats);
    return stats.footprint;
}

#endif
