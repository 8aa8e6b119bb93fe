/* Profiles bound what a heap retains without a trim: frees give back what passes the bound, and so
 * does another profile, at once. */
#include "held.h"

#include <sys/mman.h>

#include "heap/blocks.h"
#include "heap/excess.h"

/* A share of the recent peak and a few MiB: what the profile says, with room for change. */
static void profiles_bound_what_is_retained(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t retained; /* at most, in MiB, after 128 MiB were in use */
    } bounds[] = {{"speed", 100}, {"balanced", 20}, {"lean", 3}};
    for (size_t p = 0; p < COUNT(bounds); p++) {
        for (size_t i = 0; i<COUNT(loads); i += support_scale()> 1 ? 3 : 1) {
            hak_heap *heap = support_fresh_heap(bounds[p].name);
            held all = hold_bytes(heap, 128 * MIB, loads[i]);
            let_go(heap, &all);
            hak_stats stats = support_stats(heap);
            assert_true(stats.retained <= bounds[p].retained * MIB);
            assert_true(stats.footprint - stats.retained <= MIB);
            hak_heap_destroy(heap);
        }
    }
}

static void a_leaner_profile_takes_effect_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(loads); i++) {
        hak_heap *heap = support_fresh_heap("speed");
        size_t begin = support_resident();
        held all = hold_bytes(heap, 64 * MIB, loads[i]);
        let_go(heap, &all);
        hak_stats before = support_stats(heap);
        assert_true(hak_heap_set_profile(heap, "lean"));
        hak_stats after = support_stats(heap);
        assert_true(after.retained <= 4 * MIB);
        assert_true(after.retained <= before.retained);
        assert_true(support_resident() <= begin + 4 * MIB + NOISE);
        hak_heap_destroy(heap);
    }
}

/* What was in use before counts no more: the new profile retains its share of what is in use. */
static void another_profile_begins_with_what_is_in_use(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    held all = hold(heap, 1000, 64 * KIB), live = hold(heap, 100, 64 * KIB);
    let_go(heap, &all);
    assert_true(support_stats(heap).retained > 8 * MIB);
    assert_true(hak_heap_configure(heap, "retain_least=1m retain_part=10", NULL, 0));
    hak_stats after = support_stats(heap);
    size_t in_use = after.footprint - after.retained, bound = hak__heap_bound(heap);
    assert_int_equal(in_use, 100 * 64 * KIB);
    assert_int_equal(bound, MIB + in_use / 100 * 10);
    assert_true(after.retained <= bound && after.retained + HAK_SUPERSLAB_SIZE > bound);
    let_go(heap, &live);
    hak_heap_destroy(heap);
}

/* When more is retained than the bound it falls to half of that, so that a program which swings
 * around it does not call the OS each time. */
static void purging_goes_to_half_of_the_bound(void **state)
{
    (void)state;
    static const size_t of[] = {1000, 60 * KIB, 300 * KIB};
    for (size_t i = 0; i < COUNT(of); i++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){
            .profile = "balanced", .settings = "retain_least=8m retain_part=0"});
        hak_heap_trim(heap);
        held all = hold(heap, 32 * MIB / of[i], of[i]);
        size_t purges = support_stats(heap).purges, times = 0;
        for (size_t j = 0; j < all.count; j++) {
            hak_heap_free(heap, all.blocks[j]);
            hak_stats stats = support_stats(heap);
            assert_true(stats.retained <= 8 * MIB);
            if (stats.purges == purges) continue;
            REQUIRE_THAT(stats.retained <= 4 * MIB, "%zu", stats.retained);
            purges = stats.purges;
            times++;
        }
        REQUIRE_THAT(times > 2, "%zu times", times);
        munmap(all.blocks, all.count * sizeof(void *));
        hak_heap_destroy(heap);
    }
}

/* What the process has pooled is known, and goes where a heap's new profile would not keep it. */
static void a_leaner_profile_empties_the_pool(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        size_t pooled; /* at most */
    } cases[] = {{"balanced", 4 * MIB}, {"lean", 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = support_fresh_heap("speed");
        hak_heap *first = hak_heap_new(&(hak_heap_options){.profile = "speed"});
        size_t begin = support_resident();
        held all = hold(first, 12 * MIB / 1000, 1000);
        munmap(all.blocks, all.count * sizeof(void *));
        hak_heap_destroy(first);
        hak_process_stats process;
        hak_process_stats_read(&process);
        assert_true(process.pooled >= 12 * MIB && process.pooled <= 16 * MIB);
        assert_true(support_resident() >= begin + 11 * MIB);
        assert_true(hak_heap_set_profile(heap, cases[i].profile));
        hak_process_stats_read(&process);
        REQUIRE_THAT(process.pooled <= cases[i].pooled, "%s: %zu", cases[i].profile,
                     process.pooled);
        assert_true(support_resident() <= begin + cases[i].pooled + NOISE);
        hak_heap_destroy(heap);
    }
}

/* A burst of which a few blocks live on is given back by the frees themselves, up to what the
 * profile retains. */
static void a_burst_with_survivors_is_given_back(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        size_t left; /* at most, in MiB of 32, with 2 of survivors' pages */
    } cases[] = {{"balanced", 6}, {"lean", 4}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = support_fresh_heap(cases[i].profile);
        held all = hold(heap, 32 * MIB / 1000, 1000);
        thin_out(heap, &all, 64);
        hak_stats stats = support_stats(heap);
        REQUIRE_THAT(stats.footprint <= cases[i].left * MIB, "%s: %zu", cases[i].profile,
                     stats.footprint);
        REQUIRE_THAT(stats.purges < 4000, "%zu", stats.purges);
        support_check_stats(heap);
        held_end(heap, &all, 1000);
        hak_heap_destroy(heap);
    }
}

/* A heap that has slabs for whatever it needs has no use for the pages that it began with, once no
 * block is left there; they go back once, and blocks of the same sizes do not take them again. */
static void an_outgrown_beginning_is_given_back(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    held first = hold(heap, 500, 64), rest = hold(heap, 4000, 256);
    size_t before = support_stats(heap).footprint;
    let_go(heap, &first);
    for (size_t i = 0; i < 500; i++) {
        hak_heap_free(heap, rest.blocks[i]);
        rest.blocks[i] = NULL;
    }
    hak_stats after = support_stats(heap);
    assert_true(after.footprint + 8 * KIB <= before);
    for (size_t i = 0; i < 1000; i++) {
        held again = hold(heap, 100, 64);
        let_go(heap, &again);
    }
    assert_int_equal(support_stats(heap).os.total, after.os.total);
    for (size_t i = 500; i < rest.count; i++) hak_heap_free(heap, rest.blocks[i]);
    munmap(rest.blocks, rest.count * sizeof(void *));
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

/* A heap that has swung keeps what it needs for the next swing; at the end of a larger burst it
 * learns that there is none. */
static void a_burst_ends_a_busy_time(void **state)
{
    (void)state;
    static const char *const profiles[] = {"balanced", "lean"};
    for (size_t p = 0; p < COUNT(profiles); p++) {
        hak_heap *heap = support_fresh_heap(profiles[p]);
        for (size_t round = 0; round < 20; round++) {
            held all = hold(heap, 3 * MIB / 200, 200);
            let_go(heap, &all);
        }
        assert_true(support_stats(heap).retained > 2 * MIB);
        held all = hold(heap, 64 * MIB / 1000, 1000);
        let_go(heap, &all);
        hak_stats stats = support_stats(heap);
        REQUIRE_THAT(stats.footprint <= 3 * MIB / 2, "%s: %zu", profiles[p], stats.footprint);
        hak_heap_destroy(heap);
    }
}

/* Blocks of whole units, so many freed that with `idle` slabs of one page each the heap has this
 * much without a block. */
static hak_heap *heap_with_free(size_t bytes, size_t idle)
{
    static void *blocks[40];
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "retain_least=1m retain_part=0"});
    hak_heap_trim(heap); /* what destroyed heaps have left */
    size_t unit = 64 * KIB, count = (bytes - idle * PAGE) / unit;
    size_t rest = bytes - idle * PAGE - count * unit;
    for (size_t i = 0; i < count; i++) assert_non_null(blocks[i] = hak_heap_alloc(heap, unit));
    assert_non_null(hak_heap_alloc(heap, 4 * unit));
    void *last = hak_heap_alloc(heap, rest);
    for (size_t i = 0; i < idle; i++) {
        size_t size = (size_t)64 << i; /* aligned, it comes from a slab */
        hak_heap_free(heap, hak_heap_aligned_alloc(heap, size, size));
    }
    for (size_t i = 0; i < count; i++) hak_heap_free(heap, blocks[i]);
    hak_heap_free(heap, last);
    return heap;
}

/* The bound itself may be retained, and not a page more. */
static void the_bound_itself_stays(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        hak_heap *heap = heap_with_free(MIB + over * 64 * KIB, 0);
        hak_stats stats = support_stats(heap);
        if (!over) assert_int_equal(stats.retained, MIB);
        else if (HAK_SUPERSLAB_SIZE > MIB) assert_int_equal(stats.retained, MIB / 2);
        else assert_true(stats.retained <= MIB / 2); /* whole superslabs go first */
        hak_heap_destroy(heap);

        /* A cycle of the collector counts what it would find in slabs too. */
        heap = heap_with_free(MIB + over * PAGE, 2);
        stats = support_stats(heap);
        assert_int_equal(stats.retained, MIB + over * PAGE - 2 * PAGE);
        size_t given = hak_heap_settle(heap);
        REQUIRE_THAT((given > 0) == over, "%zu given", given);
        assert_int_equal(support_stats(heap).retires - stats.retires, 2 * over);
        hak_heap_destroy(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purging_goes_to_half_of_the_bound),
        cmocka_unit_test(a_leaner_profile_empties_the_pool),
        cmocka_unit_test(a_burst_with_survivors_is_given_back),
        cmocka_unit_test(an_outgrown_beginning_is_given_back),
        cmocka_unit_test(a_burst_ends_a_busy_time),
        cmocka_unit_test(profiles_bound_what_is_retained),
        cmocka_unit_test(a_leaner_profile_takes_effect_at_once),
        cmocka_unit_test(another_profile_begins_with_what_is_in_use),
        cmocka_unit_test(the_bound_itself_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
