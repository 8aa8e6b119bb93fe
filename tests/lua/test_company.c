/* What else has to do with a state's allocator: libraries that take memory by it, scripts that
 * install over a host's own, or with another copy of the library, and whatever ends the process.
 * In each case every block ends where it is from, and nothing is left of a state that is closed. */
#include <sys/wait.h>

#include "lives.h"

/* ------------------------------------------------------------------ libraries */

typedef struct raw {
    void *block;
    size_t size;
} raw;

static int free_raw(lua_State *L)
{
    raw *r = lua_touserdata(L, 1);
    void *ud;
    lua_Alloc alloc = lua_getallocf(L, &ud);
    if (r->block) alloc(ud, r->block, r->size, 0);
    r->block = NULL;
    return 0;
}

/* Memory by the state's allocator, as pattern matchers and packers take it: freed by a finalizer.
 */
static void keep_raw(lua_State *L, size_t size)
{
    raw *r = lua_newuserdata(L, sizeof *r);
    *r = (raw){NULL, size};
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_raw);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    luaL_ref(L, LUA_REGISTRYINDEX);
    void *ud;
    lua_Alloc alloc = lua_getallocf(L, &ud);
    r->block = alloc(ud, NULL, 0, size);
    assert_non_null(r->block);
    memset(r->block, 'x', size);
}

static void memory_that_libraries_hold_ends_at_its_owner(void **unused)
{
    (void)unused;
    static const char work[] = "t = {} for i = 1, 200 do t[i] = {i, tostring(i)} end";
    size_t before = heaps();
    for (size_t end = 0; end < ENDERS; end++) {
        for (size_t size = 20004; size <= 20104; size++) {
            lua_State *L = luaL_newstate();
            luaL_openlibs(L);
            keep_raw(L, size);
            assert_non_null(hak_lua_install(L, NULL));
            run(L, work);
            keep_raw(L, size % 100 + 1);
            enders[end](L);
            assert_int_equal(heaps(), before);
        }
        counted count = {.refuse_after = -1};
        lua_State *L = new_state(counted_alloc, &count);
        if (!L) continue; /* LuaJIT without GC64 */
        keep_raw(L, 5000);
        hak_heap *heap = hak_lua_install(L, NULL);
        assert_non_null(heap);
        keep_raw(L, 7000);
        enders[end](L);
        assert_int_equal(count.live, 0);
        assert_int_equal(heaps(), before);
    }
}

/* The old size that is passed may be anything. */
static void what_a_block_holds_is_not_what_its_caller_says(void **unused)
{
    (void)unused;
    static const size_t sizes[][2] = {{40, 60},       {40, 4000},       {100, 50},
                                      {900, 1000},    {1000, 900},      {5000, 9000},
                                      {9000, 5000},   {100000, 200000}, {200000, 1000},
                                      {300, 3000000}, {3000000, 4000},  {3000000, 9000000}};
    static const size_t lies[] = {0, 1, 17, 100000, 10000000};
    for (size_t make = 0; make < MAKERS; make++) {
        for (size_t busy = 0; busy < 2; busy++) {
            lua_State *L = makers[make]();
            luaL_openlibs(L);
            if (busy) run(L, "t = {} for i = 1, 20000 do t[i] = {i, tostring(i)} end");
            void *ud;
            lua_Alloc alloc = lua_getallocf(L, &ud);
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                for (size_t lie = 0; lie < sizeof lies / sizeof *lies; lie++) {
                    size_t had = sizes[i][0], wanted = sizes[i][1];
                    char *block = alloc(ud, NULL, 0, had);
                    assert_non_null(block);
                    for (size_t at = 0; at < had; at++) block[at] = (char)(at * 7 + i);
                    block = alloc(ud, block, lies[lie], wanted);
                    assert_non_null(block);
                    for (size_t at = 0; at < had && at < wanted; at++) {
                        if (block[at] == (char)(at * 7 + i)) continue;
                        fail_msg("%zu to %zu bytes, said to be %zu: byte %zu is wrong", had, wanted,
                                 lies[lie], at);
                    }
                    memset(block, 'y', wanted);
                    alloc(ud, block, lies[lie], 0);
                }
            }
            hak_lua_close(L);
        }
    }
}

/* The same of a block from before: only its own allocator knows. */
static void nor_is_what_a_block_from_before_holds(void **unused)
{
    (void)unused;
    static const size_t lies[] = {0, 60, 9000, 100000000};
    for (size_t lie = 0; lie < sizeof lies / sizeof *lies; lie++) {
        lua_State *L = luaL_newstate();
        void *ud;
        lua_Alloc alloc = lua_getallocf(L, &ud);
        unsigned char *blocks[40];
        size_t size = 10;
        for (size_t i = 0; i < 40; i++, size = size * 4 / 3 + 1) {
            blocks[i] = alloc(ud, NULL, 0, size);
            memset(blocks[i], (int)i + 1, size);
        }
        assert_non_null(hak_lua_install(L, NULL));
        alloc = lua_getallocf(L, &ud);
        size = 10;
        for (size_t i = 0; i < 40; i++, size = size * 4 / 3 + 1) {
            size_t wanted = i % 2 ? size * 2 : size / 2;
            blocks[i] = alloc(ud, blocks[i], lies[lie], wanted);
            assert_non_null(blocks[i]);
            for (size_t at = 0; at < size && at < wanted; at++)
                assert_int_equal(blocks[i][at], i + 1);
            memset(blocks[i], 'z', wanted);
            alloc(ud, blocks[i], lies[lie], 0);
        }
        lua_close(L);
    }
}

/* ------------------------------------------------------------------ userdata */

#if SINCE_54
#define newuserdata(L, size) lua_newuserdatauv(L, size, 0)
#else
#define newuserdata(L, size) lua_newuserdata(L, size)
#endif

/* How many of 500 userdata of a size lie at a multiple of 16, among strings. */
static size_t aligned_userdata(lua_State *L, size_t size)
{
    size_t aligned = 0;
    for (size_t i = 0; i < 500; i++) {
        lua_pushfstring(L, "string %d", (int)i);
        aligned += (uintptr_t)newuserdata(L, size) % 16 == 0;
        lua_pop(L, i % 3 ? 2 : 1);
        lua_settop(L, lua_gettop(L) > 10 ? 0 : lua_gettop(L));
    }
    return aligned;
}

/* As the C library's malloc aligns them for Lua, since 5.4. LuaJIT's own allocator aligns to 8. */
static void userdata_are_aligned_to_16(void **unused)
{
    (void)unused;
    for (size_t make = 0; make < MAKERS; make++) {
        for (size_t size = 16; size <= 112; size += 8) {
            lua_State *stock = make_stock(), *ours = makers[make]();
            if (IS_LUAJIT && make == 0) luaL_openlibs(ours);
            size_t always = aligned_userdata(stock, size), got = aligned_userdata(ours, size);
            /* A block whose size is no multiple of 16 may lie anywhere. */
            bool due = IS_LUAJIT || (SINCE_54 && always == 500);
            if (due && size % 16 == 0 && got < 500)
                fail_msg("%zu bytes: %zu of 500 are aligned", size, got);
            lua_close(stock);
            lua_close(ours);
        }
    }
}

/* ------------------------------------------------------------------ scripts that install */

/* Where a module of this version lies, for scripts that load a copy of their own. */
static void set_cpath(lua_State *L)
{
    char path[512];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(length > 0);
    path[length] = 0;
    *strrchr(path, '/') = 0;
    char *version = strrchr(path, '/');
    *version++ = 0;
    if (strcmp(version, "jit-5.1") == 0) version = "5.1"; /* the module for Lua 5.1 in LuaJIT */
    lua_getglobal(L, "package");
    lua_pushfstring(L, "%s/../../lua/%s/?.so", path, version);
    lua_setfield(L, -2, "cpath");
    lua_pop(L, 1);
}

static const char script_installs[] =
    "local hakmem = ...\n"
    "local done, why = hakmem.install { limit = 2^24 }\n"
    "assert(done == nil and not hakmem.installed(), tostring(done))\n"
    "assert(why:find('allocator of this state is not Lua\\'s own', 1, true), why)\n"
    "assert(why:find('install{over = true}', 1, true) and not why:find('\\n'), why)\n"
    "assert(not pcall(hakmem.install, { over = 1 }))\n";

static void a_script_leaves_its_hosts_allocator_alone(void **unused)
{
    (void)unused;
    for (size_t over = 0; over < 2; over++) {
        counted count = {.refuse_after = -1};
        lua_State *L = new_state(counted_alloc, &count);
        if (!L) skip();
        luaL_openlibs(L);
        assert_int_equal(0, luaL_loadstring(L, script_installs));
        lua_pushcfunction(L, luaopen_hakmem);
        assert_int_equal(0, lua_pcall(L, 0, 1, 0));
        lua_pushvalue(L, -1);
        lua_setglobal(L, "hakmem");
        if (lua_pcall(L, 1, 0, 0) != 0) fail_msg("%s", lua_tostring(L, -1));
        assert_true(lua_getallocf(L, NULL) == counted_alloc);
        if (over) run(L, "assert(hakmem.install { over = true } == true and hakmem.installed())");
        run(L, "t = {} for i = 1, 1000 do t[i] = {i} end");
        lua_close(L);
        assert_int_equal(count.live, 0);
    }
}

/* The limit of a host that counts goes on to hold. */
static void the_hosts_limit_goes_on_to_hold(void **unused)
{
    (void)unused;
    counted count = {.refuse_after = -1};
    lua_State *L = new_state(counted_alloc, &count);
    if (!L) skip();
    luaL_openlibs(L);
    set_cpath(L);
    run(L, "require 'hakmem'.install()");
    count.refuse_after = 100;
    assert_int_equal(try_run(L, "t = {} for i = 1, 10000 do t[i] = {i} end"), LUA_ERRMEM);
    count.refuse_after = -1;
    lua_close(L);
    assert_int_equal(count.live, 0);
}

static void loading_auto_says_so_on_stderr(void **unused)
{
    (void)unused;
    counted count = {.refuse_after = -1};
    lua_State *L = new_state(counted_alloc, &count);
    if (!L) skip();
    luaL_openlibs(L);
    set_cpath(L);
    capture errors = capture_begin();
    int status = try_run(L, "require 'hakmem.auto'");
    char *said = capture_end(errors);
    assert_int_equal(status, 0);
    assert_true(lua_getallocf(L, NULL) == counted_alloc);
    assert_ptr_equal(strstr(said, "hakmem.auto: hakmem is not installed: "), said);
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    free(said);
    lua_close(L);
    assert_int_equal(count.live, 0);
}

/* Another copy of the library is another allocator, which takes over only when it is told to. */
static void two_copies_leave_nothing(void **unused)
{
    (void)unused;
    size_t before = heaps(), resident = 0;
    for (size_t round = 0; round < 200; round++) {
        if (round == 20) resident = rss();
        lua_State *L = make_hakmem();
        luaL_openlibs(L);
        set_cpath(L);
        if (round % 4 == 0) {
            run(L, "local done, why = require 'hakmem'.install() assert(done == nil and why)");
        } else {
            run(L, "assert(require 'hakmem'.install { over = true })");
        }
        run(L, "t = {} for i = 1, 3000 do t[i] = {i} end");
        enders[round % 2](L);
        assert_int_equal(heaps(), before);
    }
    if (rss() > resident + MIB) fail_msg("%zu KiB more", (rss() - resident) / KIB);
}

/* ------------------------------------------------------------------ ending the process */

/* os.exit(7, true) closes the state first, within whatever is going on. */
static const char *const exits[] = {
    "on_gc(function() os.exit(7, true) end)",
    "on_gc(function() coroutine.wrap(function() os.exit(7, true) end)() end)",
    "on_gc(function() pcall(function() string.gsub('a', 'a', function() os.exit(7, true) end) end) "
    "end) on_gc(function() end) on_gc(collectgarbage)",
    "on_gc(function() on_gc(function() os.exit(7, true) end) collectgarbage() os.exit(7, true) "
    "end)",
};

static void os_exit_while_a_state_is_closed_ends_the_process(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        for (size_t make = 0; make < MAKERS; make++) {
            pid_t pid = fork();
            if (pid == 0) {
                lua_State *L = makers[make]();
                luaL_openlibs(L);
                run(L, "keep = {} function on_gc(f) local o if newproxy then o = newproxy(true)\n"
                       "  getmetatable(o).__gc = f else o = setmetatable({}, {__gc = f}) end\n"
                       "  keep[#keep + 1] = o end");
                run(L, exits[i]);
                hak_lua_close(L);
                _exit(9);
            }
            int status;
            waitpid(pid, &status, 0);
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 7)
                fail_msg("%s: status %x", exits[i], (unsigned)status);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(os_exit_while_a_state_is_closed_ends_the_process),
        cmocka_unit_test(memory_that_libraries_hold_ends_at_its_owner),
        cmocka_unit_test(what_a_block_holds_is_not_what_its_caller_says),
        cmocka_unit_test(nor_is_what_a_block_from_before_holds),
        cmocka_unit_test(userdata_are_aligned_to_16),
        cmocka_unit_test(a_script_leaves_its_hosts_allocator_alone),
        cmocka_unit_test(the_hosts_limit_goes_on_to_hold),
        cmocka_unit_test(loading_auto_says_so_on_stderr),
        cmocka_unit_test(two_copies_leave_nothing),
    };
    return cmocka_run_group_tests_name("in company", tests, NULL, NULL);
}
