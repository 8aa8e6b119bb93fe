/* A host's states in heaps that keep kinds apart: exact counts from the state's own block on, with
 * a state from hak_lua_newstate or on a heap of the host's, until it is closed; and a heap without
 * them under the same function. */
#include "support.h"

#define TELLS (LUA_VERSION_NUM >= 502) /* what a block is for */

static hak_stats stats_of(const hak_heap *heap)
{
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    size_t blocks = 0, bytes = 0;
    for (size_t i = 0; i < stats.kinds; i++) {
        blocks += stats.kind_stats[i].live_blocks;
        bytes += stats.kind_stats[i].live_bytes;
    }
    if (stats.kinds) {
        assert_int_equal(blocks, stats.live_blocks);
        assert_int_equal(bytes, stats.live_bytes);
    }
    return stats;
}

static hak_kind_stats kind(lua_State *L, const char *name)
{
    hak_stats stats = stats_of(hak_lua_heap(L));
    for (size_t i = 0; i < stats.kinds; i++) {
        if (strcmp(stats.kind_stats[i].name, name) == 0) return stats.kind_stats[i];
    }
    fail_msg("no kind %s", name);
    return stats.kind_stats[0];
}

static void collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
}

static void make_userdata(lua_State *L)
{
    lua_newuserdata(L, 100);
}

static void make_thread(lua_State *L)
{
    lua_newthread(L);
}

static void make_table(lua_State *L)
{
    lua_createtable(L, 0, 0);
}

static void make_string(lua_State *L)
{
    char text[16];
    static int number;
    snprintf(text, sizeof text, "%08x", number++);
    lua_pushlstring(L, text, 8);
}

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

static void make_closure(lua_State *L)
{
    lua_pushinteger(L, 1);
    lua_pushcclosure(L, nothing, 1);
}

/* A thousand of each, and nothing else of the kind. */
static void count_thousands(lua_State *L)
{
    static const struct {
        const char *name;
        void (*make)(lua_State *L);
        size_t least;
    } makers[] = {
        {"userdata", make_userdata, 100}, {"thread", make_thread, 100},   {"table", make_table, 40},
        {"string", make_string, 8},       {"function", make_closure, 40},
    };
    for (size_t m = 0; m < sizeof makers / sizeof *makers; m++) {
        lua_createtable(L, 1000, 0);
        collect(L);
        hak_kind_stats before = kind(L, makers[m].name);
        for (int i = 1; i <= 1000; i++) {
            makers[m].make(L);
            lua_rawseti(L, -2, i);
        }
        collect(L);
        hak_kind_stats more = kind(L, makers[m].name);
        assert_int_equal(more.live_blocks - before.live_blocks, TELLS ? 1000 : 0);
        if (TELLS) assert_true(more.live_bytes - before.live_bytes >= 1000 * makers[m].least);
        lua_pop(L, 1);
        collect(L);
        hak_kind_stats left = kind(L, makers[m].name);
        /* That table was one of them. */
        size_t was_there = TELLS && makers[m].make == make_table;
        assert_int_equal(left.live_blocks, before.live_blocks - was_there);
    }
}

/* All blocks of a state are its kinds': its own, its registry, and what its libraries made. */
static void a_state_is_counted_from_its_own_block_on(void **unused)
{
    (void)unused;
    lua_State *L = hak_lua_newstate(&(hak_heap_options){.settings = "kinds=1"});
    assert_non_null(L);
    assert_int_equal(kind(L, "thread").live_blocks, TELLS ? 1 : 0);
    luaL_openlibs(L);
    if (TELLS) {
        assert_true(kind(L, "string").live_blocks >= 100);
        assert_true(kind(L, "table").live_blocks >= 8);
    }
    assert_true(kind(L, "other").live_blocks > 0);
    count_thousands(L);
    run(L, "local t = {} for i = 1, 20000 do t[i] = {tostring(i)} end");
    kind(L, "other");
    hak_lua_close(L);
}

static void a_state_is_counted_on_the_callers_memory(void **unused)
{
    (void)unused;
    static char memory[2 << 20];
    lua_State *L = hak_lua_newstate(
        &(hak_heap_options){.settings = "kinds=1", .memory = memory, .memory_size = sizeof memory});
    assert_non_null(L);
    luaL_openlibs(L);
    count_thousands(L);
    hak_lua_close(L);
}

static void a_host_may_pass_the_function_itself(void **unused)
{
    (void)unused;
    static const char *const settings[] = {"kinds=1", "kinds=0"};
    for (size_t i = 0; i < 2; i++) {
        hak_heap *heap =
            hak_heap_new(&(hak_heap_options){.granularity = 8, .settings = settings[i]});
        assert_non_null(heap);
        lua_State *L = new_state(hak_lua_alloc_kinds, heap);
        if (!L) skip(); /* LuaJIT's lua_newstate may refuse an allocator */
        assert_ptr_equal(hak_lua_heap(L), heap);
        assert_ptr_equal(hak_lua_install(L, NULL), heap);
        luaL_openlibs(L);
        if (i == 0) count_thousands(L);
        else assert_int_equal(stats_of(heap).kinds, 0);
        run(L, "local t = {} for i = 1, 5000 do t[i] = {tostring(i)} end");
        hak_lua_close(L);
        hak_stats stats = stats_of(heap);
        assert_int_equal(stats.live_blocks, 0);
        hak_heap_destroy(heap);
    }
}

/* The function without kinds on a heap that keeps them apart: small blocks that it resizes where
 * the heap begins stay as large as such a heap has them, and those of a kind beside them are
 * counted. */
static void functions_may_be_mixed(void **unused)
{
    (void)unused;
    enum { ROUNDS = 100 };
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8, .settings = "kinds=1"});
    assert_non_null(heap);
    hak_heap_trim(heap);
    for (size_t i = 0; i < ROUNDS; i++) {
        void *block = hak_lua_alloc(heap, NULL, 0, 8);
        assert_non_null(hak_lua_alloc(heap, block, 8, 16));
        assert_non_null(hak_lua_alloc_kinds(heap, NULL, LUA_TTABLE, 40));
    }
    hak_stats stats = stats_of(heap);
    for (size_t i = 0; i < stats.kinds; i++) {
        const hak_kind_stats *each = &stats.kind_stats[i];
        bool has = strcmp(each->name, "other") == 0 || (TELLS && strcmp(each->name, "table") == 0);
        assert_int_equal(each->live_blocks, has ? (TELLS ? ROUNDS : 2 * ROUNDS) : 0);
    }
    hak_heap_destroy(heap);
}

static void a_running_state_is_counted_from_then_on(void **unused)
{
    (void)unused;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    run(L, "before = {} for i = 1, 3000 do before[i] = {tostring(i)} end");
    hak_heap *heap = hak_lua_install(L, &(hak_heap_options){.settings = "kinds=1"});
    if (!heap) skip(); /* LuaJIT without GC64 */
    lua_Alloc function = lua_getallocf(L, (void **)&heap);
    assert_true(function == hak_lua_alloc_kinds);
    assert_true(stats_of(heap).live_blocks < 100);
    count_thousands(L);
    run(L, "before = nil");
    count_thousands(L);
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_counted_from_its_own_block_on),
        cmocka_unit_test(a_state_is_counted_on_the_callers_memory),
        cmocka_unit_test(a_host_may_pass_the_function_itself),
        cmocka_unit_test(functions_may_be_mixed),
        cmocka_unit_test(a_running_state_is_counted_from_then_on),
    };
    return cmocka_run_group_tests_name("kinds", tests, NULL, NULL);
}
