/* Hosts that set a function of their own before ours, or have made the heap themselves: it ends
 * with its state or goes on, as they expect, and whatever needs our function says that it is not
 * there. */
#include "lives.h"

typedef struct wrapper {
    lua_Alloc alloc;
    void *ud;
} wrapper;

static void *pass_on(void *ud, void *block, size_t old_size, size_t new_size)
{
    const wrapper *w = ud;
    return w->alloc(w->ud, block, old_size, new_size);
}

static void wrap(lua_State *L, wrapper *w)
{
    w->alloc = lua_getallocf(L, &w->ud);
    lua_setallocf(L, pass_on, w);
}

static void a_heap_ends_although_its_function_was_wrapped(void **unused)
{
    (void)unused;
    size_t before = heaps(), resident = 0;
    wrapper w;
    for (size_t round = 0; round < 300; round++) {
        if (round == 30) resident = rss();
        for (size_t make = 0; make < MAKERS; make++) {
            lua_State *L = makers[make]();
            hak_heap *heap = hak_lua_heap(L);
            wrap(L, &w);
            luaL_openlibs(L);
            run(L, "t = {} for i = 1, 300 do t[i] = {i} end u = ('x'):rep(50000)");
            assert_ptr_equal(hak_lua_heap(L), heap);
            assert_ptr_equal(hak_lua_install(L, NULL), heap);
            assert_true(lua_getallocf(L, NULL) == pass_on);
            enders[round % 2](L);
            assert_int_equal(heaps(), before);
        }
    }
    assert_true(rss() <= resident + MIB);
}

/* What finalizers do until then works. */
static void finalizers_of_a_wrapped_state_may_allocate(void **unused)
{
    (void)unused;
    size_t before = heaps();
    for (size_t make = 0; make < MAKERS; make++) {
        wrapper w;
        lua_State *L = makers[make]();
        wrap(L, &w);
        luaL_openlibs(L);
        run(L,
            "local function f() local t = {} for i = 1, 20000 do t[i] = {i, tostring(i)} end\n"
            "  assert(t[20000][2] == '20000') end\n"
            "for i = 1, 5 do if newproxy then local p = newproxy(true) getmetatable(p).__gc = f\n"
            "  _G['k' .. i] = p else _G['k' .. i] = setmetatable({}, {__gc = f}) end end");
        hak_lua_close(L);
        assert_int_equal(heaps(), before);
    }
}

/* (Where blocks lie is random: in some states the first cycles do not give all back.) */
static size_t footprint_after_a_burst(bool wrapped)
{
    wrapper w;
    lua_State *L = hak_lua_newstate(&(hak_heap_options){.profile = "lean"});
    hak_heap *heap = hak_lua_heap(L);
    if (wrapped) wrap(L, &w);
    luaL_openlibs(L);
    run(L, "t = {} for i = 1, 60000 do t[i] = {i, {}, tostring(i)} end\n"
           "for i = 1, 60000 do if i % 100 ~= 0 then t[i] = false end end\n"
           "for i = 1, 10 do collectgarbage() for i = 1, 3000 do local s = {} end end");
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    lua_close(L);
    return stats.footprint;
}

static void cycles_are_noticed_in_a_wrapped_state(void **unused)
{
    (void)unused;
    size_t plain = footprint_after_a_burst(false), wrapped = footprint_after_a_burst(true);
    if (wrapped > plain + plain / 16) fail_msg("%zu bytes, wrapped %zu", plain, wrapped);
}

static void a_wrapped_state_is_not_observed(void **unused)
{
    (void)unused;
    wrapper w;
    lua_State *L = make_hakmem();
    luaL_openlibs(L);
    lua_pushcfunction(L, luaopen_hakmem);
    assert_int_equal(0, lua_pcall(L, 0, 1, 0));
    lua_setglobal(L, "hakmem");
    wrap(L, &w);
    assert_false(hak_lua_observe(L, true));
    assert_true(lua_getallocf(L, NULL) == pass_on);
    run(L, "local ok, message = pcall(hakmem.observe, true)\n"
           "assert(not ok and message:find('stands before'), message)\n"
           "assert(hakmem.installed() and hakmem.stats().live_blocks > 0)");
    hak_lua_close(L);
}

/* A heap of the host's goes on when its state is closed, with nothing in it. */
static void a_heap_of_the_hosts_outlives_its_state(void **unused)
{
    (void)unused;
    for (size_t wrapped = 0; wrapped < 2; wrapped++) {
        wrapper w;
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
        for (size_t round = 0; round < 20; round++) {
            lua_State *L = new_state(hak_lua_alloc, heap);
            if (!L) skip();
            assert_ptr_equal(hak_lua_install(L, NULL), heap);
            if (wrapped) wrap(L, &w);
            luaL_openlibs(L);
            run(L, "t = {} for i = 1, 20000 do t[i] = {i} end t = nil collectgarbage()");
            enders[round % 2](L);
            hak_stats stats;
            hak_heap_stats(heap, &stats);
            assert_int_equal(stats.live_blocks, 0);
            hak_heap_free(heap, hak_heap_alloc(heap, 100));
        }
        hak_heap_destroy(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_ends_although_its_function_was_wrapped),
        cmocka_unit_test(finalizers_of_a_wrapped_state_may_allocate),
        cmocka_unit_test(cycles_are_noticed_in_a_wrapped_state),
        cmocka_unit_test(a_wrapped_state_is_not_observed),
        cmocka_unit_test(a_heap_of_the_hosts_outlives_its_state),
    };
    return cmocka_run_group_tests_name("wrapped", tests, NULL, NULL);
}
