/* What the heap's policy comes to, number by number, as docs/design.md tells it: how much may be
 * retained, what is learned from what was given back, and what goes while a heap is freed from. */
#include "numbers.h"

#include "heap/excess.h"
#include "os/calls.h"
#include "pages/unit_purge.h"

/* ------------------------------------------------------------------ what is retained */

static void the_bound_is_a_sum(void **state)
{
    (void)state;
    hak_heap heap = heap_with(1000000, 1000000, 12);
    assert_int_equal(hak__heap_bound(&heap), 1000000);
    heap.pages.demand.recent_peak = 5000099;
    assert_int_equal(hak__heap_bound(&heap), 1600000);
    heap.pages.demand.released.keep = 5000;
    heap.pages.demand.prewarmed = 77;
    assert_int_equal(hak__heap_bound(&heap), 1605077);
    heap.policy.decommit = HAK_DECOMMIT_FREE;
    assert_int_equal(hak__heap_bound(&heap), 1605077);
    heap.policy.decommit = HAK_DECOMMIT_OFF;
    assert_int_equal(hak__heap_bound(&heap), SIZE_MAX);
}

#define SOME (1000 * PAGE) /* worth a quarter of a second */

/* A heap that gave 100 times that back so many milliseconds ago, and has taken some since. */
static hak_heap heap_that_gave(size_t busy, uint64_t ago, size_t again)
{
    hak_heap heap = heap_with(100 * PAGE, 100 * PAGE + busy, 0);
    heap.pages.demand.released = (hak_release){.given = 100 * SOME,
                                               .footprint = MIB,
                                               .began = (uint32_t)(hak__os_clock() - ago),
                                               .keep = 80 * SOME};
    heap.pages.footprint = MIB + again;
    return heap;
}

static size_t learned(size_t busy, uint64_t ago, size_t again)
{
    hak_heap heap = heap_that_gave(busy, ago, again);
    hak__heap_learn(&heap);
    return heap.pages.demand.released.keep;
}

/* Half of it or more within a quarter of a millisecond a page: kept from then on. */
static void what_is_soon_needed_again_is_kept(void **state)
{
    (void)state;
    enum { LATE = 100000 };
    assert_int_equal(learned(GIB, 0, 400 * SOME), GIB);
    assert_int_equal(learned(4 * GIB, 0, 100 * SOME), 180 * SOME);
    assert_int_equal(learned(4 * GIB, 0, 50 * SOME), 130 * SOME);
    assert_int_equal(learned(4 * GIB, 0, 50 * SOME - 1), 70 * SOME);
    assert_int_equal(learned(4 * GIB, 0, 0), 70 * SOME);
    assert_int_equal(learned(4 * GIB, LATE, 50 * SOME - 1), 70 * SOME);
    assert_int_equal(learned(4 * GIB, LATE, 0), 70 * SOME);
    assert_int_equal(learned(4 * GIB, LATE, 100 * SOME), 70 * SOME);
    assert_int_equal(learned(9 * GIB, LATE, 600 * SOME), 680 * SOME); /* 150 seconds' worth */
    assert_int_equal(learned(90 * SOME, 0, 100 * SOME), 90 * SOME);
    assert_int_equal(learned(90 * SOME, LATE, 600 * SOME), 70 * SOME);
    assert_int_equal(learned(60 * SOME, 0, 0), 60 * SOME);
    assert_int_equal(learned(0, 0, 100 * SOME), 0);

    hak_heap heap = heap_that_gave(MIB, 0, 100 * SOME);
    heap.policy.retain_busy = 0; /* below the least */
    hak__heap_learn(&heap);
    assert_int_equal(heap.pages.demand.released.keep, 0);
}

/* A release goes on until there is growth, or has been none for long. */
static void releases_are_reckoned_together(void **state)
{
    (void)state;
    hak_heap heap = heap_that_gave(MIB, 5000, 10 * PAGE);
    uint32_t began = heap.pages.demand.released.began;
    hak__heap_learn(&heap);
    assert_true(heap.pages.demand.released.began == began &&
                heap.pages.demand.released.given == 100 * SOME);
    size_t before = heap.pages.footprint;
    heap.pages.footprint -= 7 * PAGE;
    hak__heap_released(&heap, before);
    assert_int_equal(heap.pages.demand.released.given, 100 * SOME + 7 * PAGE);
    assert_int_equal(heap.pages.demand.released.footprint, MIB - 7 * PAGE); /* ten came before */

    heap.pages.footprint = GIB;
    hak__heap_learn(&heap);
    assert_true(heap.pages.demand.released.given == 0 && heap.pages.demand.released.footprint == 0);
    assert_true(heap.pages.demand.released.began >= began + 5000);
    /* The first release ever begins now. */
    heap = heap_with(0, MIB, 0);
    hak__heap_learn(&heap);
    assert_true(heap.pages.demand.released.began > 0 && heap.pages.demand.released.keep == 0);
}

/* As long as its pages would come back too soon. */
static void a_release_goes_on_for_a_while(void **state)
{
    (void)state;
    uint32_t now = (uint32_t)hak__os_clock(), hour = 3600000;
    hak_demand demand = {.released = {.given = 4 * hour * PAGE, .began = now - hour / 2}};
    assert_true(hak__retain_releases(&demand, 4 * hour * PAGE));
    assert_false(hak__retain_releases(&demand, 4 * hour * PAGE + 1));
    demand.released.began = now - hour;
    assert_false(hak__retain_releases(&demand, PAGE));
    demand = (hak_demand){.released.began = now};
    assert_false(hak__retain_releases(&demand, 0));
}

static void what_was_not_needed_lately_is_told(void **state)
{
    (void)state;
    hak_heap heap = heap_with(0, 0, 0);
    heap.pages.footprint = 10 * MIB;
    heap.pages.retained = 4 * MIB;
    heap.pace.clock = 26 * MIB - 1;
    heap.pages.demand.settled_at = 10 * MIB;
    heap.pages.demand.recent_peak = 8 * MIB;
    hak_heap early = heap;
    assert_int_equal(hak__heap_needed(&early), SIZE_MAX); /* too little work to tell … */
    assert_int_equal(early.pages.demand.recent_peak, 8 * MIB);
    assert_int_equal(early.pages.demand.settled_at, heap.pace.clock); /* … but it has settled */
    heap.pace.clock++;
    hak_heap kept = heap;
    kept.pages.demand.prewarmed = 1;
    assert_int_equal(hak__heap_needed(&kept), SIZE_MAX);
    kept = heap;
    kept.policy.decommit = HAK_DECOMMIT_OFF;
    assert_int_equal(hak__heap_needed(&kept), SIZE_MAX);
    assert_int_equal(kept.pages.demand.recent_peak, 8 * MIB);
    assert_int_equal(hak__heap_needed(&heap), 2 * MIB);
    assert_int_equal(heap.pages.demand.recent_peak, 7 * MIB);
    assert_int_equal(heap.pages.demand.settled_at, heap.pace.clock);
    heap.pace.clock += 16 * MIB;
    heap.pages.demand.recent_peak = 3 * MIB; /* below what is in use */
    assert_int_equal(hak__heap_needed(&heap), 0);
    assert_int_equal(heap.pages.demand.recent_peak, 6 * MIB);
}

/* ------------------------------------------------------------------ while it is freed from */

/* What partial slabs have, beyond the bound, is looked at; then again when there is a quarter more,
 * and as much more as the bound. */
static void partial_slabs_are_scanned_by_and_by(void **state)
{
    (void)state;
    static const struct {
        size_t bytes, next; /* of partial slabs, in thousands; where the next scan is due */
    } steps[] = {{1000, 0},     {1001, 2001},  {2000, 2001}, {2001, 3001},
                 {8000, 10000}, {9999, 10000}, {4000, 5000}, {10000, 12500},
                 {100, 1100},   {1001, 1100},  {1100, 2100}};
    static hak_region callers; /* where there is nothing to be found */
    hak_heap heap = heap_with(1000000, 1000000, 0);
    heap.pages.region = &callers;
    for (size_t i = 0; i < COUNT(steps); i++) {
        heap.partial_bytes = steps[i].bytes * 1000;
        hak__excess_punch(&heap);
        REQUIRE_THAT((size_t)heap.pace.partial_scan_at == steps[i].next * 1000, "step %zu: %zu", i,
                     heap.pace.partial_scan_at);
    }
    hak__pace_set_left(&heap.pace, 7); /* one that goes on waits within the bound … */
    heap.partial_bytes = 1000000;
    hak__excess_punch(&heap);
    assert_int_equal(hak__pace_left(&heap.pace), 7);
    heap.partial_bytes = 1000001; /* … and has to end before the next is put off */
    hak__excess_punch(&heap);
    assert_int_equal(heap.pace.partial_scan_at, 2000001);
    heap.pages.refusals_in_a_row = 1; /* then the OS is not asked */
    heap.partial_bytes = 20000000;
    hak__excess_punch(&heap);
    assert_true(heap.pace.partial_scan_at == 2000001 && heap.pages.purges_skipped == 1);
}

/* A heap that is nothing but numbers, with no pages that could be given back. */
static hak_heap heap_without_pages(void)
{
    static hak_region callers;
    hak_heap heap = heap_with(MIB, MIB, 0);
    heap.pages.region = &callers;
    heap.pages.supers = (hak_superslab_lists *)&hak__no_superslabs;
    return heap;
}

static void of_nothing_nothing_is_given_back(void **state)
{
    (void)state;
    hak_heap heap = heap_without_pages();
    assert_int_equal(hak__purge_some(&heap.pages, MIB), 0);
    heap.pages.retained = MIB; /* of what cannot be given back */
    assert_int_equal(hak__purge_some(&heap.pages, MIB), 0);
}

/* Up to a superslab beyond the bound may stay for as long after a release as superslabs wait; a
 * purge makes the recent peak matter less, by an eighth of it. */
static void a_little_beyond_the_bound_may_stay_for_a_moment(void **state)
{
    (void)state;
    static const struct {
        size_t decay, beyond;
        uint32_t since; /* when the last release began, in milliseconds before now */
        bool stays;
    } cases[] = {{10000, 4 * MIB, 0, true},  {10000, 4 * MIB + 1, 0, false},
                 {0, 1, 0, false},           {10000, 1, 100, true},
                 {10000, 1, 20000, false},   {60000, MIB, 20000, true},
                 {60000, 5 * MIB, 1, false}, {100, 0, 1000, true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap heap = heap_without_pages();
        heap.policy.decay = cases[i].decay;
        heap.pages.retained = MIB + cases[i].beyond;
        heap.pages.footprint = 7 * MIB + heap.pages.retained;
        heap.pages.demand.recent_peak = 16 * MIB;
        heap.pages.demand.released.began = (uint32_t)hak__os_clock() - cases[i].since;
        hak__excess_purge(&heap);
        REQUIRE_THAT((heap.pages.demand.recent_peak == 16 * MIB) == cases[i].stays, "case %zu", i);
        if (!cases[i].stays) assert_int_equal(heap.pages.demand.recent_peak, 14 * MIB);
    }
    hak_heap heap = heap_without_pages();
    heap.pages.retained = 2 * MIB;
    heap.pages.footprint = 10 * MIB;
    heap.pages.demand.recent_peak = 9 * MIB;
    hak__excess_purge(&heap);
    assert_int_equal(heap.pages.demand.recent_peak, 8 * MIB); /* what is in use, at least */
}

/* After a refusal the OS is asked again when one purge was left out, then two, four, and so on. */
static void pauses_double(void **state)
{
    (void)state;
    hak_heap heap = heap_without_pages();
    for (size_t i = 0; i < 3; i++) assert_true(hak__purge_may_begin(&heap.pages));
    for (size_t i = 0; i < 18; i++) {
        heap.pages.refusals_in_a_row = 4;
        assert_true(hak__purge_gave_up(&heap.pages));
        size_t left_out = 0, expected = (size_t)1 << (i < 15 ? i : 15);
        while (!hak__purge_may_begin(&heap.pages)) left_out++;
        REQUIRE_THAT(left_out == expected, "%zu after %zu pauses", left_out, i);
        assert_true(hak__purge_may_begin(&heap.pages) && !hak__purge_gave_up(&heap.pages));
    }
    heap.pages.refusals_in_a_row = 3;
    assert_false(hak__purge_gave_up(&heap.pages));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_is_a_sum),
        cmocka_unit_test(what_is_soon_needed_again_is_kept),
        cmocka_unit_test(releases_are_reckoned_together),
        cmocka_unit_test(a_release_goes_on_for_a_while),
        cmocka_unit_test(what_was_not_needed_lately_is_told),
        cmocka_unit_test(partial_slabs_are_scanned_by_and_by),
        cmocka_unit_test(of_nothing_nothing_is_given_back),
        cmocka_unit_test(a_little_beyond_the_bound_may_stay_for_a_moment),
        cmocka_unit_test(pauses_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
