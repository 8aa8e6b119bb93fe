/* LuaJIT loads what was built for Lua 5.1, and is known by what it exports: a build whose
 * references have 32 bits is refused, and where it had an allocator before, that one frees the
 * state's own block at the very end. Here Lua 5.1 says that it is LuaJIT. */
#include "support.h"

#include <errno.h>
#include <sys/mman.h>

int luaJIT_setmode(lua_State *L, int index, int mode);

int luaJIT_setmode(lua_State *L, int index, int mode)
{
    (void)L, (void)index, (void)mode;
    return 0;
}

int luaopen_hakmem(lua_State *L);
int luaopen_hakmem_auto(lua_State *L);

static int page = 4096;

int getpagesize(void)
{
    return page;
}

static size_t heaps(void)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    return stats.heaps;
}

/* ------------------------------------------------------------------ references of 32 bits */

#define ARENA (64 * MIB)

/* An allocator in the low 4 GiB, which never takes anything back. */
static void *low_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    static char *next, *end;
    (void)ud;
    if (new_size == 0) return NULL;
    if (block && new_size <= old_size) return block;
    if (!next) {
        next = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
                    -1, 0);
        if (next == MAP_FAILED) abort();
        end = next + ARENA;
    }
    char *made = next;
    next += (new_size + 15) & ~(size_t)15;
    if (next > end) abort();
    if (block) memcpy(made, block, old_size);
    return made;
}

static void a_state_in_low_memory_is_refused(void **unused)
{
    (void)unused;
    lua_State *L = new_state(low_alloc, NULL);
    assert_true(L && (uintptr_t)L >> 32 == 0);
    luaL_openlibs(L);
    int top = lua_gettop(L);
    errno = 0;
    assert_null(hak_lua_install(L, NULL));
    assert_int_equal(errno, ENOTSUP);
    assert_true(lua_gettop(L) == top && !hak_lua_heap(L) && heaps() == 0);
    lua_pushcfunction(L, luaopen_hakmem);
    lua_call(L, 0, 1);
    lua_setglobal(L, "hakmem");
    run(L, "done, message = pcall(hakmem.install, {over = true})\n"
           "assert(not done and message:find('built without GC64', 1, true), message)");
    assert_true(!hak_lua_heap(L) && heaps() == 0);
    run(L, "t = {} for i = 1, 1000 do t[i] = {i} end");
    lua_close(L);
}

/* What a heap refuses for another reason is not said of LuaJIT. */
static void larger_pages_are_told_apart(void **unused)
{
    (void)unused;
    lua_State *L = luaL_newstate();
    assert_true(L && (uintptr_t)L >> 32 != 0);
    page = 16384;
    lua_pushcfunction(L, luaopen_hakmem_auto);
    assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_ERRRUN);
    page = 4096;
    assert_non_null(strstr(lua_tostring(L, -1), "the kernel's pages are larger"));
    lua_close(L);
}

/* ------------------------------------------------------------------ the end */

#define FINALIZERS                                           \
    "ended = ended or {}\n"                                  \
    "for i = 1, 100 do\n"                                    \
    "    local proxy = newproxy(true)\n"                     \
    "    getmetatable(proxy).__gc = function()\n"            \
    "        local s = {} for j = 1, 50 do s[j] = {j} end\n" \
    "        ended[i] = table.concat({'x', i})\n"            \
    "    end\n"                                              \
    "    ended[-i] = proxy\n"                                \
    "end\n"                                                  \
    "for i = 1, 5000 do ended['s' .. i] = {i, tostring(i)} end"

/* Whatever finalizers allocate and free while the state is taken apart. */
static void the_allocator_from_before_frees_the_state(void **unused)
{
    (void)unused;
    for (int round = 0; round < 3; round++) {
        counted before = {.refuse_after = -1};
        lua_State *L = new_state(counted_alloc, &before);
        assert_true(L && (uintptr_t)L >> 32 != 0);
        luaL_openlibs(L);
        if (round == 1) run(L, FINALIZERS);
        assert_non_null(hak_lua_install(L, NULL));
        if (round == 2) run(L, FINALIZERS);
        run(L, FINALIZERS);
        assert_true(before.live > 0 && heaps() == 1);
        if (round == 1) hak_lua_close(L);
        else lua_close(L);
        assert_int_equal(before.live, 0);
        assert_int_equal(before.bytes, 0);
        assert_int_equal(heaps(), 0);
    }
}

/* It unmaps its machine code at the very end of lua_close, which is not left early. */
static void the_heap_goes_with_the_state(void **unused)
{
    (void)unused;
    for (int round = 0; round < 2; round++) {
        lua_State *L = hak_lua_newstate(NULL);
        assert_non_null(L);
        luaL_openlibs(L);
        run(L, FINALIZERS);
        assert_int_equal(heaps(), 1);
        if (round) hak_lua_close(L);
        else lua_close(L);
        assert_int_equal(heaps(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_in_low_memory_is_refused),
        cmocka_unit_test(larger_pages_are_told_apart),
        cmocka_unit_test(the_allocator_from_before_frees_the_state),
        cmocka_unit_test(the_heap_goes_with_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
