/* After a collection, hak_heap_settle gives back what the profile does not retain, what is no
 * longer needed, and more yet where the program is at rest; and it returns how much that was. */
#include "held.h"

#include "heap/blocks.h"
#include "heap/excess.h"

/* After a collection that left a few blocks everywhere, settling gives back what the profile would
 * not retain; a second time what it does not keep at rest, and then nothing. */
static void settling_gives_back_what_a_profile_does_not_retain(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        size_t given; /* at least, in MiB, of 32 of which nearly all are free */
    } cases[] = {{"speed", 0}, {"balanced", 24}, {"lean", 28}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = support_fresh_heap(cases[i].profile);
        held all = hold(heap, 32 * MIB / 1000, 1000);
        size_t full = support_stats(heap).footprint;
        thin_out(heap, &all, 64);
        size_t before = support_stats(heap).footprint;
        size_t given = hak_heap_settle(heap);
        size_t after = support_stats(heap).footprint;
        assert_int_equal(before - after, given);
        assert_true(full - after >= cases[i].given * MIB);
        if (cases[i].given == 0) assert_int_equal(given, 0);
        hak_heap_settle(heap);
        assert_int_equal(hak_heap_settle(heap), 0);
        support_check_stats(heap);
        held_end(heap, &all, 1000);
        hak_heap_destroy(heap);
    }
}

/* What a cycle has freed counts, though nearly all of it went back with the frees. */
static void settling_gives_back_what_frees_have_left(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.profile = "speed", .settings = "retain_least=0 retain_part=0"});
    held all[100];
    for (size_t i = 0; i < COUNT(all); i++) all[i] = hold(heap, 200, 20 * (i + 1));
    hak_heap_settle(heap);
    for (size_t i = 0; i < COUNT(all); i++) let_go(heap, &all[i]);
    hak_stats stats = support_stats(heap);
    REQUIRE_THAT(stats.retained < stats.footprint / 8, "%zu", stats.retained);
    size_t left = stats.footprint;                        /* slabs in use */
    heap->pages.demand.settled_at = hak__scan_paid(heap); /* a cycle has ended just before */
    heap->rests_until = 0;
    hak_heap_settle(heap);
    stats = support_stats(heap);
    REQUIRE_THAT(stats.footprint < left / 2, "%zu of %zu", stats.footprint, left);
    hak_heap_destroy(heap);
}

/* What a program has come not to use for some time goes with the next collections, though the
 * profile would retain it. */
static void settling_gives_back_what_is_no_longer_needed(void **state)
{
    (void)state;
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.profile = "balanced", .settings = "retain_part=1000"});
    hak_heap_trim(heap);
    held all = hold(heap, 40 * MIB / 20000, 20000);
    let_go(heap, &all);
    size_t retained = support_stats(heap).retained;
    assert_true(retained > 2 * MIB);
    size_t least = MIB / 4;
    for (size_t settled = 0; settled < 6; settled++) {
        for (size_t round = 0; round < 200; round++) {
            held some = hold(heap, 1000, 1000);
            let_go(heap, &some);
        }
        /* What was in use until the last time is needed yet, and half as much each time. */
        size_t before = support_stats(heap).footprint, given = hak_heap_settle(heap);
        size_t most = (retained >> settled) + least + MIB / 8;
        hak_stats after = support_stats(heap);
        if (settled == 0) assert_int_equal(given, 0);
        else assert_int_equal(given, before - after.footprint);
        REQUIRE_THAT(after.retained <= most, "%zu: %zu retained", settled, after.retained);
    }
    assert_true(support_stats(heap).retained < 2 * MIB);
    hak_heap_destroy(heap);
}

/* A collection that follows another with hardly any work in between finds the program at rest: half
 * of the least that its profile retains stays, whatever it was thought to need. */
static void a_program_at_rest_keeps_little(void **state)
{
    (void)state;
    static const struct {
        const char *settings;
        size_t work; /* bytes allocated between the collections */
        bool rests;
    } cases[] = {{"retain_least=1m retain_part=50", 0, true},
                 {"retain_least=1m retain_part=50", 30 * KIB, true},
                 {"retain_least=1m retain_part=50", 33 * KIB, false},
                 {"retain_least=1m retain_part=50 decommit=OFF", 0, false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = cases[i].settings});
        held all = hold(heap, 32 * MIB / 1000, 1000);
        let_go(heap, &all);
        hak_heap_settle(heap);
        size_t retained = support_stats(heap).retained;
        assert_true(retained > 2 * MIB);
        heap->pace.clock += cases[i].work;
        size_t before = support_stats(heap).footprint, given = hak_heap_settle(heap);
        hak_stats after = support_stats(heap);
        assert_int_equal(given, before - after.footprint);
        bool has_gone = after.retained <= MIB / 2, all_there = after.retained == retained;
        REQUIRE_THAT(cases[i].rests ? has_gone : all_there, "%zu: %zu of %zu", i, after.retained,
                     retained);
        support_check_stats(heap);
        hak_heap_destroy(heap);
    }
    /* Twice at once, though the first time there is not enough for it to be worth much; and what is
     * kept on purpose stays. */
    hak_heap *young = hak_heap_new(&(hak_heap_options){.settings = "retain_least=2m"});
    held few = hold(young, 30, 64 * KIB); /* of one superslab */
    for (size_t i = 1; i < few.count; i++) hak_heap_free(young, few.blocks[i]);
    assert_true(support_stats(young).retained > MIB);
    assert_int_equal(hak_heap_prewarm(young, MIB), MIB);
    assert_int_equal(hak_heap_settle(young), 0);
    hak_heap_settle(young);
    size_t kept = support_stats(young).retained;
    REQUIRE_THAT(kept <= 2 * MIB && kept > 2 * MIB - 64 * KIB, "%zu", kept);
    hak_heap_destroy(young);
}

/* Then half of the least that the profile retains stays, beside what is needed. */
static void half_of_the_least_stays_beside_what_is_needed(void **state)
{
    (void)state;
    enum { UNITS = 40 };
    void *blocks[UNITS];
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.settings = "retain_least=1m retain_part=1000"});
    hak_heap_trim(heap);
    for (size_t i = 0; i < UNITS; i++) assert_non_null(blocks[i] = hak_heap_alloc(heap, 64 * KIB));
    assert_non_null(hak_heap_alloc(heap, 64 * KIB)); /* which keeps the superslab */
    for (size_t i = 0; i < UNITS; i++) hak_heap_free(heap, blocks[i]);
    assert_int_equal(support_stats(heap).retained, UNITS * 64 * KIB);
    for (size_t round = 0; round < 2; round++) {
        heap->pace.clock += 4 * UNITS * 64 * KIB;
        hak_heap copy = *heap;
        size_t needed = hak__heap_needed(&copy), before = support_stats(heap).footprint;
        assert_int_equal(needed, round ? UNITS * 32 * KIB : UNITS * 64 * KIB);
        size_t given = hak_heap_settle(heap);
        assert_int_equal(given, before - support_stats(heap).footprint);
        size_t retained = support_stats(heap).retained, most = needed + MIB / 2;
        if (!round) assert_int_equal(retained, UNITS * 64 * KIB);
        else if (HAK_SUPERSLAB_SIZE > MIB) assert_int_equal(retained, most);
        else assert_true(retained <= most && retained > most - MIB); /* whole superslabs go first */
    }
    hak_heap_destroy(heap);
}

/* A cycle of the collector is worth settling after when as much was paid as the footprint; where an
 * eighth of it is free, an eighth. */
static void a_cycle_that_was_paid_for_settles(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "speed"});
    hak_heap_trim(heap);
    held all = hold(heap, 8 * MIB / 20000, 20000);
    for (size_t is_free = 0; is_free < 2; is_free++) {
        for (size_t i = 0; is_free && i < all.count / 4; i++) hak_heap_free(heap, all.blocks[i]);
        size_t footprint = heap->pages.footprint, free = heap->pages.retained + heap->partial_bytes;
        assert_true(is_free ? free > footprint / 8 : free < footprint / 8);
        size_t price = is_free ? footprint / 8 : footprint;
        size_t last = hak__scan_paid(heap) - price + 1;
        heap->pages.demand.settled_at = last;
        heap->rests_until = 0;
        hak_heap_settle(heap);
        assert_int_equal(heap->pages.demand.settled_at, last);
        heap->pages.demand.settled_at--;
        heap->rests_until = 0;
        hak_heap_settle(heap);
        assert_int_equal(heap->pages.demand.settled_at, hak__scan_paid(heap));
    }
    hak_heap_destroy(heap);
}

/* A program that takes or resizes a large block is not at rest. */
static void large_blocks_are_no_rest(void **state)
{
    (void)state;
    static const size_t sizes[] = {100 * KIB, 5 * MIB};
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        heap->rests_until = SIZE_MAX;
        void *block = hak_heap_alloc(heap, sizes[i]);
        assert_true(block && heap->rests_until == 0);
        heap->rests_until = SIZE_MAX;
        assert_non_null(block = hak_heap_realloc(heap, block, sizes[i] + 64 * KIB));
        assert_int_equal(heap->rests_until, 0);
        heap->rests_until = SIZE_MAX;
        hak_heap_free(heap, block);
        assert_int_equal(heap->rests_until, SIZE_MAX);
    }
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settling_gives_back_what_a_profile_does_not_retain),
        cmocka_unit_test(settling_gives_back_what_frees_have_left),
        cmocka_unit_test(settling_gives_back_what_is_no_longer_needed),
        cmocka_unit_test(a_program_at_rest_keeps_little),
        cmocka_unit_test(half_of_the_least_stays_beside_what_is_needed),
        cmocka_unit_test(a_cycle_that_was_paid_for_settles),
        cmocka_unit_test(large_blocks_are_no_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
