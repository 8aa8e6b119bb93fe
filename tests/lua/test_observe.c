/* A state is observed by another function in place of its own, at any time, and every call of Lua's
 * is counted once. While it is not observed the plain function is in place. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "support.h"

static lua_Alloc function_of(lua_State *L)
{
    void *ud;
    return lua_getallocf(L, &ud);
}

static const hak_observations *told(lua_State *L)
{
    return hak_heap_observations(hak_lua_heap(L));
}

/* Makes tables, strings, closures and coroutines, and drops most of them. */
static const char churn[] = "kept = kept or {}\n"
                            "for i = 1, 300 do\n"
                            "  local t = {i, tostring(i), {name = 'n' .. i}}\n"
                            "  for k = 1, i % 40 do t[#t + 1] = k end\n"
                            "  kept[i % 50 + 1] = {t, coroutine.create(function() return t end)}\n"
                            "end\n"
                            "assert(#('x'):rep(100000) == 100000)\n";

/* ------------------------------------------------------------------ exchanging */

static void the_plain_function_is_in_place_while_a_state_is_not_observed(void **unused)
{
    (void)unused;
    lua_State *L = hak_lua_newstate(NULL);
    assert_true(function_of(L) == hak_lua_alloc);
    assert_false(hak_lua_observing(L));
    assert_null(told(L));
    for (int i = 0; i < 3; i++) {
        assert_true(hak_lua_observe(L, true));
        assert_true(hak_lua_observe(L, true));
        assert_true(function_of(L) != hak_lua_alloc);
        assert_true(hak_lua_observing(L) && hak_heap_observing(hak_lua_heap(L)));
        assert_true(hak_lua_observe(L, false));
        assert_true(hak_lua_observe(L, false));
        assert_true(function_of(L) == hak_lua_alloc);
        assert_false(hak_lua_observing(L) || hak_heap_observing(hak_lua_heap(L)));
    }
    hak_lua_close(L);
}

static void a_state_of_another_allocator_cannot_be_observed(void **unused)
{
    (void)unused;
    lua_State *L = luaL_newstate();
    void *ud, *ud_before;
    lua_Alloc before = lua_getallocf(L, &ud_before);
    errno = 0;
    assert_false(hak_lua_observe(L, true));
    assert_int_equal(errno, EINVAL);
    assert_false(hak_lua_observe(L, false));
    assert_true(lua_getallocf(L, &ud) == before && ud == ud_before);
    lua_close(L);
}

/* A library that is no OBSERVE build does not observe its own functions, and says so. */
static void a_heap_of_the_standard_build_is_observed_by_its_adapter_only(void **unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    errno = 0;
    assert_false(hak_heap_observe(heap, true));
    assert_int_equal(errno, ENOTSUP);
    assert_true(hak_heap_observe(heap, false));
    assert_false(hak_heap_observing(heap));
    assert_null(hak_heap_observations(heap));
    hak_heap_destroy(heap);
}

static void a_state_that_the_host_made_on_a_heap_can_be_observed(void **unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    lua_State *L = new_state(hak_lua_alloc, heap);
    assert_non_null(L);
    luaL_openlibs(L);
    assert_true(hak_lua_observe(L, true));
    run(L, churn);
    assert_true(told(L)->allocations > 1000);
    assert_true(hak_lua_observe(L, false));
    assert_true(function_of(L) == hak_lua_alloc);
    lua_close(L);
    hak_heap_destroy(heap);
}

/* Observes a state where the OS gives no address space any more, and ends the process with the
 * number of what was wrong. */
static void observe_without_memory(void)
{
    lua_State *L = hak_lua_newstate(NULL);
    luaL_openlibs(L);
    run(L, churn);
    lua_Alloc before = function_of(L);
    struct rlimit limit = {address_space(), RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &limit);
    errno = 0;
    if (hak_lua_observe(L, true)) _exit(1);
    if (errno != ENOMEM) _exit(2);
    if (function_of(L) != before || hak_lua_observing(L) || told(L)) _exit(3);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_AS, &limit);
    if (try_run(L, churn) != 0) _exit(4);
    if (!hak_lua_observe(L, true) || try_run(L, churn) != 0) _exit(5);
    if (told(L)->allocations < 1000) _exit(6);
    _exit(0);
}

static void without_memory_a_state_is_not_observed(void **unused)
{
    (void)unused;
    pid_t pid = fork();
    if (pid == 0) observe_without_memory();
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

/* ------------------------------------------------------------------ counting */

/* Counts the calls on their way to the state's own function. */
static struct {
    lua_Alloc function;
    size_t allocations, frees, in_place, moved, refusals, requested, small[129];
} calls;

static void *count_call(void *ud, void *block, size_t old_size, size_t new_size)
{
    void *result = calls.function(ud, block, old_size, new_size);
    if (new_size == 0) {
        calls.frees += block != NULL;
        return result;
    }
    if (new_size <= 1024) calls.small[(new_size + 7) / 8]++;
    if (!result) calls.refusals++;
    else if (!block) calls.allocations++;
    else if (result == block) calls.in_place++;
    else calls.moved++;
    if (result && result != block) calls.requested += new_size;
    return result;
}

static void check_calls(const hak_observations *seen)
{
    assert_int_equal(seen->allocations, calls.allocations);
    assert_int_equal(seen->frees, calls.frees);
    assert_int_equal(seen->resizes_in_place, calls.in_place);
    assert_int_equal(seen->resizes_moved, calls.moved);
    assert_int_equal(seen->refusals, calls.refusals);
    assert_int_equal(seen->bytes_requested, calls.requested);
    assert_int_equal(seen->foreign, 0);
    assert_int_equal(seen->freed_unseen, 0);
    assert_int_equal(seen->unnoted, 0);
    size_t lifetimes = 0, live = 0;
    for (size_t i = 0; i < HAK_POWERS; i++) lifetimes += seen->lifetimes[i];
    assert_int_equal(lifetimes + seen->freed_unknown, seen->frees);
    assert_int_equal(seen->live_blocks, seen->allocations - lifetimes);
    for (size_t i = 0; i < seen->classes; i++) live += seen->class_observations[i].live;
    assert_int_equal(live, seen->live_blocks);
    for (size_t i = 0; i < seen->size_ranges && seen->sizes[i].to <= 1024; i++) {
        assert_int_equal(seen->sizes[i].count, calls.small[seen->sizes[i].to / 8]);
        calls.small[seen->sizes[i].to / 8] = 0;
    }
    for (size_t i = 0; i < 129; i++) assert_int_equal(calls.small[i], 0);
}

static void check_counts(size_t limit)
{
    lua_State *L = hak_lua_newstate(&(hak_heap_options){.limit = limit});
    assert_non_null(L);
    luaL_openlibs(L);
    void *ud;
    hak_heap *heap = hak_lua_heap(L);
    assert_true(hak_lua_observe(L, true));
    memset(&calls, 0, sizeof calls);
    calls.function = lua_getallocf(L, &ud);
    lua_setallocf(L, count_call, ud);
    run(L, churn);
    lua_gc(L, LUA_GCCOLLECT, 0);
    run(L, churn);
    /* From 5.5 on, arrays are copied as they grow, but buffers are resized. */
    run(L, "for i = 1, 60 do local s = (('x'):rep(5000):gsub('x', 'xy')) end");
    if (limit) {
        int status = try_run(L, "local t = {} for i = 1, 1e7 do t[i] = {i} end");
        assert_int_equal(status, LUA_ERRMEM);
        lua_settop(L, 0);
    }
    lua_setallocf(L, calls.function, ud);
    const hak_observations *seen = told(L);
    check_calls(seen);
    assert_true(seen->allocations > 2000);
    assert_true(seen->frees > 1000 && seen->resizes_moved > 50);
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    assert_int_equal(seen->refusals, stats.refusals);
    assert_int_equal(seen->refusals > 0, limit > 0);
    /* What lives is what lived before and still does, what was noted, and the adapter's own. */
    assert_int_equal(stats.live_blocks,
                     seen->born_before - seen->freed_unknown + seen->live_blocks);
    hak_lua_close(L);
}

static void every_call_is_counted_once(void **unused)
{
    (void)unused;
    check_counts(0);
    check_counts(8 * MIB);
}

static void blocks_of_the_allocator_before_are_no_operations(void **unused)
{
    (void)unused;
    counted before = {.refuse_after = -1};
    lua_State *L = IS_LUAJIT ? luaL_newstate() : new_state(counted_alloc, &before);
    luaL_openlibs(L);
    run(L, "old = {} for i = 1, 1000 do old[i] = {i} end");
    assert_non_null(hak_lua_install(L, NULL));
    assert_true(hak_lua_observe(L, true));
    lua_gc(L, LUA_GCCOLLECT, 0);
    size_t foreign = told(L)->foreign, frees = told(L)->frees;
    run(L, "old = nil");
    lua_gc(L, LUA_GCCOLLECT, 0);
    assert_true(told(L)->foreign >= foreign + 1000);
    assert_true(told(L)->frees < frees + 500);
    assert_true(told(L)->freed_unknown <= told(L)->born_before);
    /* A block that moves to the heap is born there. */
    size_t born = told(L)->allocations;
    run(L, "for i = 1, 5 do _G['new' .. i] = i end for i = 1, 200 do _G['n' .. i] = i end");
    assert_true(told(L)->allocations > born);
    lua_close(L);
    if (!IS_LUAJIT) assert_int_equal(before.live, 0);
}

static void blocks_freed_unseen_are_found_out(void **unused)
{
    (void)unused;
    lua_State *L = hak_lua_newstate(NULL);
    hak_heap *heap = hak_lua_heap(L);
    assert_true(hak_lua_observe(L, true));
    lua_Alloc function = function_of(L);
    void *block = function(heap, NULL, 0, 3000);
    assert_non_null(block);
    size_t live = told(L)->live_blocks;
    hak_heap_free(heap, block);
    assert_int_equal(told(L)->live_blocks, live);
    assert_ptr_equal(function(heap, NULL, 0, 3000), block);
    assert_int_equal(told(L)->freed_unseen, 1);
    assert_int_equal(told(L)->live_blocks, live);
    function(heap, block, 3000, 0);
    assert_int_equal(told(L)->live_blocks, live - 1);
    hak_lua_close(L);
}

/* ------------------------------------------------------------------ at any time */

static void it_is_begun_and_ended_a_thousand_times_under_load(void **unused)
{
    (void)unused;
    lua_State *L = hak_lua_newstate(NULL);
    luaL_openlibs(L);
    size_t space = 0;
    for (int i = 0; i < (scale() > 1 ? 300 : 1000); i++) {
        assert_true(hak_lua_observe(L, i % 2 == 0));
        run(L, "kept = kept or {} for i = 1, 100 do kept[math.random(500)] = {i, 'a' .. i} end");
        if (i % 2) assert_false(told(L)->observing);
        else assert_true(told(L)->allocations >= 100);
        if (i == 200) space = address_space();
    }
    run(L, "for _, t in pairs(kept) do assert(t[2] == 'a' .. t[1]) end");
    assert_true(address_space() <= space + 4 * MIB);
    hak_lua_close(L);
}

static lua_State *make_installed_with_libraries(void)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    assert_non_null(hak_lua_install(L, NULL));
    return L;
}

/* Whatever way a state comes and goes, the observer goes with it. */
static void an_observed_state_ends_as_any_other(void **unused)
{
    (void)unused;
    static const life lives[] = {
        {"newstate, hak_lua_close", make_hakmem, hak_lua_close},
        {"newstate, lua_close", make_hakmem, lua_close},
        {"install, hak_lua_close", make_installed_with_libraries, hak_lua_close},
        {"install, lua_close", make_installed_with_libraries, lua_close},
    };
    for (size_t l = 0; l < sizeof lives / sizeof *lives; l++) {
        size_t space = 0;
        for (int i = 0; i < (scale() > 1 ? 30 : 60); i++) {
            lua_State *L = lives[l].make();
            luaL_openlibs(L);
            assert_true(hak_lua_observe(L, true));
            run(L, churn);
            if (i % 3 == 1) assert_true(hak_lua_observe(L, false));
            lives[l].end(L);
            if (i == 20) space = address_space();
        }
        if (address_space() > space + 4 * MIB) fail_msg("%s grows", lives[l].name);
    }
}

static int observed_at_close; /* bits: ended, not begun */

static int at_close(lua_State *L)
{
    observed_at_close |= hak_lua_observe(L, false) ? 1 : 0;
    errno = 0;
    observed_at_close |= !hak_lua_observe(L, true) && errno == EBUSY ? 2 : 0;
    return 0;
}

/* An object that lives as long as the state. */
static void place_finalizer(lua_State *L)
{
    lua_newuserdata(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, at_close);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    luaL_ref(L, LUA_REGISTRYINDEX);
}

/* The object from before the installation is finalized last, when the end has begun. */
static void a_state_that_closes_is_not_observed_any_more(void **unused)
{
    (void)unused;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    place_finalizer(L);
    assert_non_null(hak_lua_install(L, NULL));
    assert_true(hak_lua_observe(L, true));
    run(L, churn);
    place_finalizer(L);
    observed_at_close = 0;
    lua_close(L);
    assert_int_equal(observed_at_close, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_function_is_in_place_while_a_state_is_not_observed),
        cmocka_unit_test(a_state_of_another_allocator_cannot_be_observed),
        cmocka_unit_test(a_heap_of_the_standard_build_is_observed_by_its_adapter_only),
        cmocka_unit_test(a_state_that_the_host_made_on_a_heap_can_be_observed),
        cmocka_unit_test(without_memory_a_state_is_not_observed),
        cmocka_unit_test(every_call_is_counted_once),
        cmocka_unit_test(blocks_of_the_allocator_before_are_no_operations),
        cmocka_unit_test(blocks_freed_unseen_are_found_out),
        cmocka_unit_test(it_is_begun_and_ended_a_thousand_times_under_load),
        cmocka_unit_test(an_observed_state_ends_as_any_other),
        cmocka_unit_test(a_state_that_closes_is_not_observed_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
