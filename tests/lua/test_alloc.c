/* hak_lua_alloc against a model: random sequences of what Lua may ask of a lua_Alloc, with every
 * block's contents checked. Written against the contract of lua_Alloc in the Lua manual, so that it
 * holds for every kind of heap, also for one that took over another allocator's blocks. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "support.h"

/* ------------------------------------------------------------------ random numbers */

static uint64_t random_state;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t below(size_t n)
{
    return (size_t)(random_bits() % n);
}

/* ------------------------------------------------------------------ blocks and their contents */

typedef struct block {
    unsigned char *p;
    size_t size;
    uint32_t seed;
} block;

/* Large blocks are written and checked in pages far apart, and at both ends. */
static size_t next_offset(size_t offset, size_t size)
{
    if (size <= 8 * KIB) return offset + 1;
    if (offset % 4096 < 8) return offset + 1;
    size_t pages = size > MIB ? 16 : 1;
    size_t step = offset / 4096 * 4096 + pages * 4096;
    return step >= size - 16 && offset < size - 16 ? size - 16 : step;
}

static unsigned char expected_byte(uint32_t seed, size_t offset)
{
    return (unsigned char)((seed + offset) * 2654435761u >> 24);
}

static void fill(const block *b)
{
    for (size_t i = 0; i < b->size; i = next_offset(i, b->size)) {
        b->p[i] = expected_byte(b->seed, i);
    }
}

/* Whether the first `size` bytes are as fill() left them in a block of `filled` bytes. */
static void check(const block *b, size_t size, size_t filled)
{
    for (size_t i = 0; i < size; i = next_offset(i, filled)) {
        if (b->p[i] != expected_byte(b->seed, i)) {
            fail_msg("block of %zu bytes at %p: byte %zu is wrong", filled, (void *)b->p, i);
        }
    }
}

/* ------------------------------------------------------------------ the model */

typedef struct trial {
    hak_heap *heap;
    size_t slots, operations, largest;
    bool may_fail;   /* there is a limit to be reached */
    counted *before; /* the allocator before the heap, whose blocks are given too; or NULL */
} trial;

static size_t random_size(const trial *t)
{
    size_t r = below(1000);
    size_t most = r < 700   ? 512
                  : r < 900 ? 4 * KIB
                  : r < 980 ? 40 * KIB
                  : r < 997 ? 400 * KIB
                            : 7 * MIB;
    if (most > t->largest) most = t->largest;
    return 1 + below(most);
}

static void must_not_fail(const trial *t, const void *p, size_t size)
{
    if (!p && !t->may_fail) fail_msg("no memory for %zu bytes", size);
}

static void check_new(const trial *t, const block *b)
{
    if ((uintptr_t)b->p % 8) fail_msg("%zu bytes at %p are not aligned", b->size, (void *)b->p);
    if (!hak_heap_owns(t->heap, b->p) && !t->before) fail_msg("a block outside the heap");
}

/* The function that the trials are for. */
static lua_Alloc alloc = hak_lua_alloc;

static void allocate(const trial *t, block *b)
{
    b->size = random_size(t);
    b->seed = (uint32_t)random_bits();
    bool foreign = t->before && below(3) == 0;
    /* For a new block, Lua passes the kind of object as the old size. */
    b->p = foreign ? counted_alloc(t->before, NULL, 0, b->size)
                   : alloc(t->heap, NULL, below(12), b->size);
    must_not_fail(t, b->p, b->size);
    if (!b->p) return;
    check_new(t, b);
    fill(b);
}

static void release(const trial *t, block *b)
{
    check(b, b->size, b->size);
    if (alloc(t->heap, b->p, b->size, 0) != NULL) fail_msg("freeing returned a block");
    b->p = NULL;
}

static size_t another_size(const trial *t, size_t size)
{
    switch (below(4)) {
    case 0: return size * 2 <= t->largest ? size * 2 : size; /* as vectors grow */
    case 1: return size / 2 + 1;
    case 2: return 1 + below(size); /* as buffers end */
    default: return random_size(t);
    }
}

static void resize(const trial *t, block *b)
{
    size_t size = another_size(t, b->size);
    check(b, b->size, b->size);
    unsigned char *p = alloc(t->heap, b->p, b->size, size);
    if (!p) {
        if (size <= b->size) fail_msg("shrinking %zu to %zu bytes failed", b->size, size);
        must_not_fail(t, p, size);
        check(b, b->size, b->size);
        return;
    }
    b->p = p;
    check(b, size < b->size ? size : b->size, b->size);
    b->size = size;
    check_new(t, b);
    fill(b);
}

static void run_trial(const trial *t)
{
    block *blocks = calloc(t->slots, sizeof *blocks);
    assert_non_null(blocks);
    size_t refused = 0, busy = 0;
    size_t operations = t->operations / scale();
    for (size_t i = 0; i < operations; i++) {
        /* Now and then most of it goes, so that slabs empty and are taken again. */
        if (i % (operations / 7) == 0) busy = 1 + below(t->slots);
        block *b = &blocks[below(t->slots)];
        if (!b->p) {
            if ((size_t)(b - blocks) < busy) allocate(t, b);
            refused += !b->p;
        } else if ((size_t)(b - blocks) >= busy || below(3) == 0) {
            release(t, b);
        } else {
            resize(t, b);
        }
        if (t->may_fail && i % 64 == 0) {
            hak_stats stats;
            hak_heap_stats(t->heap, &stats);
            if (stats.limit) assert_true(stats.footprint <= stats.limit);
        }
    }
    if (t->may_fail) assert_true(refused > 0);
    for (size_t i = 0; i < t->slots; i++) {
        if (blocks[i].p) release(t, &blocks[i]);
    }
    free(blocks);
}

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

/* ------------------------------------------------------------------ over another allocator */

static void blocks_of_the_allocator_before_are_freed_by_it(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        counted before = {.refuse_after = -1};
        lua_State *L = lua_newstate(counted_alloc, &before);
        if (!L) skip(); /* LuaJIT without GC64 */
        hak_heap_options options = {.limit = seed == 3 ? 2 * MIB : 0};
        hak_heap *heap = hak_lua_install(L, &options);
        assert_non_null(heap);
        size_t live = before.live, bytes = before.bytes;
        random_state = seed * 31337;
        run_trial(&(trial){.heap = heap,
                           .slots = 1000,
                           .operations = 60000,
                           .largest = 4 * MIB,
                           .may_fail = options.limit != 0,
                           .before = &before});
        assert_int_equal(before.live, live);
        assert_int_equal(before.bytes, bytes);
        lua_close(L);
        assert_int_equal(before.live, 0);
    }
}

static void growing_a_block_from_before_moves_it_into_the_heap(void **unused)
{
    (void)unused;
    counted before = {.refuse_after = -1};
    lua_State *L = lua_newstate(counted_alloc, &before);
    if (!L) skip();
    hak_heap *heap = hak_lua_install(L, NULL);
    for (size_t size = 1; size <= 512 * KIB; size = size * 2 + 3) {
        block b = {counted_alloc(&before, NULL, 0, size), size, (uint32_t)size};
        fill(&b);
        size_t live = before.live;
        b.p = hak_lua_alloc(heap, b.p, size, size * 2);
        assert_non_null(b.p);
        check(&b, size, size);
        assert_true(hak_heap_owns(heap, b.p));
        assert_int_equal(before.live, live - 1);
        hak_lua_alloc(heap, b.p, size * 2, 0);
    }
    lua_close(L);
}

static void a_block_from_before_grows_within_the_limit_and_shrinks_at_it(void **unused)
{
    (void)unused;
    counted before = {.refuse_after = -1};
    lua_State *L = lua_newstate(counted_alloc, &before);
    if (!L) skip();
    hak_heap *heap = hak_lua_install(L, &(hak_heap_options){.limit = MIB});
    assert_non_null(heap);
    while (hak_lua_alloc(heap, NULL, 0, 1000)) continue;
    block b = {counted_alloc(&before, NULL, 0, 64 * KIB), 64 * KIB, 7};
    fill(&b);
    size_t bytes = before.bytes;
    assert_null(hak_lua_alloc(heap, b.p, b.size, 512 * KIB));
    check(&b, b.size, b.size);
    assert_int_equal(before.bytes, bytes);
    b.p = hak_lua_alloc(heap, b.p, b.size, 5 * KIB);
    assert_non_null(b.p);
    check(&b, 5 * KIB, 64 * KIB);
    hak_lua_alloc(heap, b.p, 5 * KIB, 0);
    /* However large. */
    for (size_t size = MIB; size <= MIB + KIB; size += KIB) {
        b = (block){counted_alloc(&before, NULL, 0, size), size, 8};
        fill(&b);
        assert_null(hak_lua_alloc(heap, b.p, size, 2 * size));
        check(&b, size, size);
        assert_false(hak_heap_owns(heap, b.p));
        hak_lua_alloc(heap, b.p, b.size, 0);
    }
    lua_close(L);
    assert_int_equal(before.live, 0);
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
    lua_State *L = lua_newstate(hak_lua_alloc, heap);
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
        cmocka_unit_test(blocks_of_the_allocator_before_are_freed_by_it),
        cmocka_unit_test(growing_a_block_from_before_moves_it_into_the_heap),
        cmocka_unit_test(a_block_from_before_grows_within_the_limit_and_shrinks_at_it),
        cmocka_unit_test(the_last_block_grows_in_place),
        cmocka_unit_test(freeing_nothing_is_allowed),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(a_state_on_a_heap_of_the_hosts_works_as_documented),
    };
    return cmocka_run_group_tests_name("hak_lua_alloc", tests, NULL, NULL);
}
