/* hak_lua_alloc against a model, on heaps of all kinds: random sequences of what Lua may ask of it,
 * with every block's contents checked; and what is seldom asked. */
#include <sys/resource.h>
#include <sys/wait.h>

#include "trial.h"

static void run_trial_on(const hak_heap_options *options, trial t)
{
    t.heap = hak_heap_new(options);
    assert_non_null(t.heap);
    run_trial(&t);
    hak_stats stats;
    hak_heap_stats(t.heap, &stats);
    assert_int_equal(stats.live_blocks, 0);
    assert_int_equal(stats.live_bytes, 0);
    hak_heap_destroy(t.heap);
}

static void every_block_keeps_its_contents(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        random_state = seed * 0x9e3779b97f4a7c15u;
        run_trial_on(&(hak_heap_options){.granularity = seed % 2 ? 8 : 16},
                     (trial){.slots = 2000, .operations = 120000, .largest = 8 * MIB});
    }
}

static void every_profile_keeps_contents(void **unused)
{
    (void)unused;
    const char *profiles[] = {"balanced", "lean"};
    for (size_t i = 0; i < 2; i++) {
        random_state = 77 + i;
        run_trial_on(&(hak_heap_options){.granularity = 8, .profile = profiles[i]},
                     (trial){.slots = 1000, .operations = 60000, .largest = 8 * MIB});
    }
}

static void under_a_limit_shrinking_works_and_failing_changes_nothing(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        random_state = seed * 1000003;
        run_trial_on(&(hak_heap_options){.granularity = 8, .limit = seed * MIB},
                     (trial){.slots = 1500, .operations = 80000, .largest = MIB, .may_fail = true});
    }
}

static void on_the_callers_memory_every_block_keeps_its_contents(void **unused)
{
    (void)unused;
    static char memory[3 << 20];
    const size_t sizes[] = {HAK_MEMORY_MIN, 200 * KIB + 13, 1000 * KIB, sizeof memory - 16};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        random_state = 99991 + i;
        run_trial_on(
            &(hak_heap_options){.granularity = 8, .memory = memory + i, .memory_size = sizes[i]},
            (trial){.slots = 3000, .operations = 50000, .largest = 300 * KIB, .may_fail = true});
    }
}

/* The same for the function that keeps kinds apart, on a heap that does, and on one that does not.
 */
static void blocks_of_all_kinds_keep_their_contents(void **unused)
{
    (void)unused;
    static char memory[1 << 20];
    const hak_heap_options options[] = {
        {.granularity = 8, .settings = "kinds=1"},
        {.granularity = 8},
        {.granularity = 16, .settings = "kinds=1", .profile = "lean"},
        {.granularity = 8, .settings = "kinds=1", .limit = 2 * MIB},
        {.settings = "kinds=1", .memory = memory, .memory_size = sizeof memory},
    };
    alloc = hak_lua_alloc_kinds;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        bool little = options[i].limit || options[i].memory;
        random_state = 4242 + i;
        run_trial_on(&options[i], (trial){.slots = 1500,
                                          .operations = 60000,
                                          .largest = little ? MIB : 8 * MIB,
                                          .may_fail = little});
    }
    alloc = hak_lua_alloc;
}

/* ------------------------------------------------------------------ corners */

/* The last block where a heap begins grows in place, and so does any within its class. */
static void the_last_block_grows_in_place(void **unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    void *first = hak_lua_alloc(heap, NULL, 0, 20), *last = hak_lua_alloc(heap, NULL, 0, 16);
    memset(last, 7, 16);
    for (size_t size = 16; size < 1000; size += 48) {
        assert_ptr_equal(hak_lua_alloc(heap, last, size, size + 48), last);
    }
    assert_ptr_equal(hak_lua_alloc(heap, first, 20, 24), first);
    assert_ptr_not_equal(first = hak_lua_alloc(heap, first, 24, 25), last);
    assert_int_equal(((char *)last)[7], 7);
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    assert_int_equal(stats.live_blocks, 2);
    hak_heap_destroy(heap);
}

static void freeing_nothing_is_allowed(void **unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    assert_null(hak_lua_alloc(heap, NULL, 0, 0));
    assert_null(hak_lua_alloc(heap, NULL, 5, 0));
    hak_heap_destroy(heap);
}

static void impossible_sizes_are_refused(void **unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    static const size_t sizes[] = {
        SIZE_MAX,    SIZE_MAX - 7,    SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1,
        PTRDIFF_MAX, (size_t)1 << 60, (size_t)1 << 47};
    block small = {hak_lua_alloc(heap, NULL, 0, 100), 100, 1};
    block large = {hak_lua_alloc(heap, NULL, 0, 3 * MIB), 3 * MIB, 2};
    fill(&small);
    fill(&large);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_null(hak_lua_alloc(heap, NULL, 0, sizes[i]));
        assert_null(hak_lua_alloc(heap, small.p, small.size, sizes[i]));
        assert_null(hak_lua_alloc(heap, large.p, large.size, sizes[i]));
        check(&small, small.size, small.size);
        check(&large, large.size, large.size);
    }
    hak_heap_destroy(heap);
}

static void a_state_on_a_heap_of_the_hosts_works_as_documented(void **unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    lua_State *L = new_state(hak_lua_alloc, heap);
    if (!L) skip();
    luaL_openlibs(L);
    assert_ptr_equal(hak_lua_heap(L), heap);
    assert_ptr_equal(hak_lua_install(L, NULL), heap);
    run(L, "local t = {} for i = 1, 5000 do t[i] = {tostring(i)} end");
    hak_lua_close(L);
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    assert_int_equal(stats.live_blocks, 0);
    hak_heap_destroy(heap);
}

/* ------------------------------------------------------------------ little address space */

/* Runs in a child that has touched no heap yet, with `bytes` of address space. */
static void in_little_address_space(size_t bytes, void (*act)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {bytes, bytes};
        setrlimit(RLIMIT_AS, &limit);
        act();
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static void act_model(void)
{
    random_state = 5;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    if (!heap) _exit(2);
    run_trial(&(trial){
        .heap = heap, .slots = 500, .operations = 40000, .largest = 4 * MIB, .may_fail = false});
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    _exit(stats.live_blocks == 0 ? 0 : 3);
}

static void without_the_large_reservation_blocks_keep_their_contents(void **unused)
{
    (void)unused;
    in_little_address_space((size_t)1 << 30, act_model);
}

/* The heap's slabs come to lie on both sides of its huge block. */
static void act_free_huge_amid_slabs(void)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    if (!heap) _exit(2);
    void *huge = hak_lua_alloc(heap, NULL, 0, 3 * MIB);
    for (int i = 0; i < 200; i++) {
        if (!hak_heap_new(NULL)) _exit(3);
    }
    for (int i = 0; i < 8; i++) {
        if (!hak_lua_alloc(heap, NULL, 0, 2 * MIB)) _exit(4);
    }
    hak_stats before, after;
    hak_heap_stats(heap, &before);
    hak_lua_alloc(heap, huge, 3 * MIB, 0);
    hak_heap_stats(heap, &after);
    _exit(after.large_blocks == before.large_blocks - 1 ? 0 : 5);
}

static void in_little_address_space_huge_blocks_are_freed(void **unused)
{
    (void)unused;
    in_little_address_space((size_t)6 << 30, act_free_huge_amid_slabs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First, before this process has a heap. */
        cmocka_unit_test(without_the_large_reservation_blocks_keep_their_contents),
        cmocka_unit_test(in_little_address_space_huge_blocks_are_freed),
        cmocka_unit_test(every_block_keeps_its_contents),
        cmocka_unit_test(every_profile_keeps_contents),
        cmocka_unit_test(under_a_limit_shrinking_works_and_failing_changes_nothing),
        cmocka_unit_test(on_the_callers_memory_every_block_keeps_its_contents),
        cmocka_unit_test(blocks_of_all_kinds_keep_their_contents),
        cmocka_unit_test(the_last_block_grows_in_place),
        cmocka_unit_test(freeing_nothing_is_allowed),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(a_state_on_a_heap_of_the_hosts_works_as_documented),
    };
    return cmocka_run_group_tests_name("hak_lua_alloc", tests, NULL, NULL);
}
