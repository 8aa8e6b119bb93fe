/* hak_heap_trim returns how many bytes it gave back, and gives them back: the footprint falls by as
 * much and so does the resident memory. Nothing live is touched. */
#include "held.h"

#include <string.h>
#include <sys/mman.h>

#include "heap/adapter.h"

static void all_that_is_free_is_given_back(void **state)
{
    (void)state;
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    for (size_t p = 0; p < COUNT(profiles); p++) {
        for (size_t i = 0; i < COUNT(loads); i++) {
            hak_heap *heap = support_fresh_heap(profiles[p]);
            size_t begin = support_resident();
            held all = hold_bytes(heap, 20 * MIB, loads[i]);
            size_t full = support_stats(heap).footprint;
            assert_true(full >= all.count * loads[i]);
            assert_true(support_resident() + NOISE >= begin + full);
            let_go(heap, &all);
            trim(heap);
            assert_int_equal(support_stats(heap).footprint, 0);
            assert_true(support_resident() < begin + NOISE);
            assert_int_equal(hak_heap_trim(heap), 0);
            hak_heap_destroy(heap);
        }
    }
}

static void a_trim_leaves_live_blocks_alone(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    held some[COUNT(loads)], rest[COUNT(loads)];
    for (size_t i = 0; i < COUNT(loads); i++) {
        some[i] = hold_bytes(heap, 2 * MIB, loads[i]);
        rest[i] = hold_bytes(heap, 6 * MIB, loads[i]);
    }
    for (size_t i = 0; i < COUNT(loads); i++) let_go(heap, &rest[i]);
    hak_stats before = support_stats(heap);
    assert_true(trim(heap) > 0);
    support_check_live(heap, before.live_blocks, before.live_bytes);
    for (size_t i = 0; i < COUNT(loads); i++) {
        for (size_t j = 0; j < some[i].count; j++) {
            size_t intact = support_intact(some[i].blocks[j], loads[i], j);
            REQUIRE_THAT(intact == loads[i], "byte %zu of %zu", intact, loads[i]);
        }
        let_go(heap, &some[i]);
    }
    trim(heap);
    assert_int_equal(support_stats(heap).footprint, 0);
    hak_heap_destroy(heap);
}

static void a_trimmed_heap_goes_on(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    size_t first = 0;
    for (size_t round = 0; round < 10; round++) {
        held all = hold(heap, 20000, 100);
        held spans = hold(heap, 50, 70000);
        size_t footprint = support_stats(heap).footprint;
        if (round == 0) first = footprint;
        assert_true(footprint <= first + 4 * PAGE && footprint + 4 * PAGE >= first);
        let_go(heap, &all);
        let_go(heap, &spans);
        trim(heap);
    }
    hak_heap_destroy(heap);
}

/* What a destroyed heap has left for the next one goes with any heap's trim. */
static void a_trim_empties_what_destroyed_heaps_left(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    size_t begin = support_resident();
    hak_heap *other = hak_heap_new(NULL);
    for (size_t i = 0; i < 100000; i++) memset(hak_heap_alloc(other, 100), 1, 100);
    hak_heap_destroy(other);
    size_t with_pool = support_resident();
    size_t given = hak_heap_trim(heap);
    size_t end = support_resident();
    assert_true(with_pool + NOISE >= end + given);
    assert_true(end + given + NOISE >= with_pool);
    assert_true(end < begin + NOISE);
    hak_heap_destroy(heap);
}

/* A block takes over pages that a larger one has touched: those behind it are retained, whether its
 * slab or span shrinks, goes or stays. */
static void pages_behind_a_block_are_given_back(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    held large = hold(heap, 10, 60 * KIB);
    let_go(heap, &large);
    size_t touched = support_stats(heap).footprint;
    assert_int_equal(support_stats(heap).retained, touched);

    held small = hold(heap, 10, 20 * KIB);
    hak_stats stats = support_stats(heap);
    assert_int_equal(stats.footprint, touched);
    assert_int_equal(stats.retained, touched - stats.large_bytes);
    assert_int_equal(trim(heap), touched - stats.large_bytes);
    for (size_t i = 0; i < small.count; i++)
        assert_int_equal(support_intact(small.blocks[i], 20 * KIB, i), 20 * KIB);

    void *block = hak_heap_alloc(heap, 60 * KIB);
    assert_non_null(block);
    support_fill(block, 60 * KIB, 99);
    block = hak_heap_realloc(heap, block, 28 * KIB);
    assert_int_equal(support_stats(heap).retained, 60 * KIB - hak_heap_usable_size(heap, block));
    trim(heap);
    assert_int_equal(support_intact(block, 28 * KIB, 99), 28 * KIB);
    hak_heap_free(heap, block);
    let_go(heap, &small);
    trim(heap);
    assert_int_equal(support_stats(heap).footprint, 0);
    hak_heap_destroy(heap);
}

/* What no new blocks come from any more, as after a CPython's uninstall: some slabs have only
 * absent pages left. */
static void slabs_that_are_left_alone_are_given_back(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    held of = hold(heap, 8 * MIB / PAGE, PAGE);
    for (size_t i = 0; i < of.count; i++) {
        if (i % 16 == 0) continue;
        hak_heap_free(heap, of.blocks[i]);
        of.blocks[i] = NULL;
    }
    trim(heap);
    hak__heap_detach(heap);
    support_check_stats(heap);
    let_go(heap, &of);
    trim(heap);
    assert_int_equal(support_stats(heap).footprint, 0);
    hak_heap_destroy(heap);
}

/* Of a caller's memory nothing goes back to the OS, but it counts no more. */
static void pages_of_the_callers_memory_count_no_more(void **state)
{
    (void)state;
    static char memory[4 * MIB];
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = sizeof memory});
    held all = hold(heap, 2000, 1000), spans = hold(heap, 10, 40000);
    size_t full = support_stats(heap).footprint;
    for (size_t i = 1; i < all.count; i++) hak_heap_free(heap, all.blocks[i]);
    let_go(heap, &spans);
    size_t before = support_stats(heap).footprint, given = hak_heap_trim(heap);
    size_t after = support_stats(heap).footprint;
    assert_true(full > 2 * MIB && after < 100 * KIB);
    assert_int_equal(given, before - after);
    assert_int_equal(hak_heap_trim(heap), 0);
    assert_int_equal(support_intact(all.blocks[0], 1000, 0), 1000);
    munmap(all.blocks, all.count * sizeof(void *));
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_free_is_given_back),
        cmocka_unit_test(a_trim_leaves_live_blocks_alone),
        cmocka_unit_test(pages_behind_a_block_are_given_back),
        cmocka_unit_test(slabs_that_are_left_alone_are_given_back),
        cmocka_unit_test(a_trimmed_heap_goes_on),
        cmocka_unit_test(a_trim_empties_what_destroyed_heaps_left),
        cmocka_unit_test(pages_of_the_callers_memory_count_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
