/* How much a heap retains: what its policy says, what it has learned from pages that were soon
 * taken again, and what it has needed lately. */
#include "peak.h"

#include <unistd.h>

static void the_bound_has_four_parts(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    heap->policy.retain_least = 3 * MIB;
    heap->policy.retain_part = 12;
    heap->pages.demand.recent_peak = 50 * MIB;
    heap->pages.demand.released.keep = MIB;
    heap->pages.demand.prewarmed = 5 * MIB;
    assert_int_equal(hak__heap_bound(heap), 9 * MIB + 50 * MIB / 100 * 12);
    *heap = was;
}

/* A heap at its peak which retains a megabyte, has learned to keep `keep` bytes beside that, of at
 * most `most`, and has released nothing yet. Put back as at_peak says. */
static hak_heap about_to_learn(size_t keep, size_t most)
{
    hak_heap was = at_peak(64 * MIB);
    heap->policy.retain_least = MIB;
    heap->policy.retain_busy = MIB + most;
    heap->pages.demand.released = (hak_release){.keep = keep};
    hak__heap_learn(heap);
    return was;
}

/* What was taken again soon is kept from now on, up to a bound; each release that is not followed
 * by growth lowers that by an eighth. */
static void a_heap_learns_what_to_keep(void **state)
{
    (void)state;
    hak_heap was = about_to_learn(0, 7 * MIB);
    assert_int_equal(heap->pages.demand.released.keep, 0);
    heap->pages.footprint = 60 * MIB;
    hak__heap_released(heap, 64 * MIB);
    assert_int_equal(heap->pages.demand.released.given, 4 * MIB);
    assert_int_equal(heap->pages.demand.released.footprint, 60 * MIB);
    heap->pages.footprint = 63 * MIB; /* three of the four again */
    hak__heap_learn(heap);
    assert_int_equal(heap->pages.demand.released.keep, 3 * MIB);
    assert_int_equal(heap->pages.demand.released.given, 0);

    heap->pages.footprint = 59 * MIB;
    hak__heap_released(heap, 63 * MIB);
    heap->pages.footprint = 60 * MIB; /* one of the four: not yet */
    hak__heap_learn(heap);
    assert_int_equal(heap->pages.demand.released.keep, 3 * MIB - 3 * MIB / 8);
    heap->pages.footprint = 40 * MIB;
    hak__heap_released(heap, 60 * MIB);
    heap->pages.footprint = 60 * MIB; /* more than may be kept */
    hak__heap_learn(heap);
    assert_int_equal(heap->pages.demand.released.keep, 7 * MIB);

    heap->pages.footprint = 58 * MIB;
    hak__heap_released(heap, 60 * MIB);
    heap->pages.demand.released.began -= 4 * MIB / PAGE; /* a quarter of a millisecond a page */
    hak__heap_learn(heap);                               /* nothing came back in time */
    assert_int_equal(heap->pages.demand.released.keep, 7 * MIB - 7 * MIB / 8);
    assert_int_equal(heap->pages.demand.released.given, 0);

    heap->policy.retain_busy = MIB / 2; /* less than is always kept */
    hak__heap_learn(heap);
    assert_int_equal(heap->pages.demand.released.keep, 0);
    *heap = was;
}

/* What comes back between the parts of a release counts, and not what has come back at its end. */
static void a_release_in_parts_is_one(void **state)
{
    enum { PARTS = 100 };
    (void)state;
    hak_heap was = about_to_learn(0, 1023 * MIB);
    for (int part = 0; part < PARTS; part++) {
        heap->pages.footprint -= MIB;
        hak__heap_released(heap, heap->pages.footprint + MIB);
        heap->pages.footprint += MIB;
    }
    hak__heap_learn(heap);
    assert_int_equal(heap->pages.demand.released.keep, PARTS * MIB);
    *heap = was;
}

/* Pages that are taken again after long were worth giving back. */
static void a_heap_forgets_what_comes_back_late(void **state)
{
    (void)state;
    hak_heap was = about_to_learn(800 * KIB, 7 * MIB);
    heap->pages.footprint -= 4 * PAGE;
    hak__heap_released(heap, 64 * MIB);
    usleep(50000); /* a quarter of a millisecond for each page would have been soon */
    heap->pages.footprint += 4 * PAGE;
    size_t keep = heap->pages.demand.released.keep;
    hak__heap_learn(heap);
    assert_int_equal(heap->pages.demand.released.keep, keep - keep / 8);
    *heap = was;
}

/* After so much work that it can tell: what was in use at most lately, above what is; of which half
 * is forgotten each time. */
static void what_is_needed_is_what_was_used_lately(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    heap->pages.retained = 10 * MIB;
    heap->pages.demand.recent_peak = 60 * MIB;
    heap->pages.demand.settled_at = hak__scan_paid(heap);
    heap->pace.clock += 4 * 10 * MIB;
    assert_int_equal(hak__heap_needed(heap), 6 * MIB);
    assert_int_equal(heap->pages.demand.recent_peak, 57 * MIB);
    assert_int_equal(heap->pages.demand.settled_at, hak__scan_paid(heap));
    heap->pace.clock += 4 * 10 * MIB - 1;
    assert_int_equal(hak__heap_needed(heap), SIZE_MAX);
    heap->pace.clock += 4 * 10 * MIB;
    assert_int_equal(hak__heap_needed(heap), 3 * MIB);
    heap->pages.demand.prewarmed = PAGE;
    heap->pace.clock += 4 * 10 * MIB;
    assert_int_equal(hak__heap_needed(heap), SIZE_MAX);
    *heap = was;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_has_four_parts),
        cmocka_unit_test(a_heap_learns_what_to_keep),
        cmocka_unit_test(a_release_in_parts_is_one),
        cmocka_unit_test(a_heap_forgets_what_comes_back_late),
        cmocka_unit_test(what_is_needed_is_what_was_used_lately),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
