/* When it is worth looking for memory that a heap can do without, how much is given back then, and
 * how much a heap retains: the decisions themselves, for heaps in all situations that tell them
 * apart. */
#include "heap/blocks.h"
#include "heap/excess.h"
#include "heap/look.h"
#include "heap/reclaim.h"
#include "support.h"

#include <unistd.h>

#define STEP_LEAST (32 * KIB) /* worth giving back at a step of growth */
#define READ       128        /* bytes to be paid for a free block read … */
#define READS      10
#define LEAST      (32 * KIB) /* … and for a look at least */

static hak_heap *heap;

static int setup(void **state)
{
    (void)state;
    heap = hak_heap_new(&(hak_heap_options){.profile = "balanced"});
    return heap ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    hak_heap_destroy(heap);
    return 0;
}

/* A heap of so many bytes at its peak, which has not grown since its last step. Put back before
 * anything else is done with it. */
static hak_heap at_peak(size_t footprint)
{
    hak_heap was = *heap;
    heap->pages.footprint = heap->pages.footprint_peak = heap->pace.stepped_peak = footprint;
    heap->pages.retained = heap->pages.demand.prewarmed = 0;
    heap->pace.clock = 1000000;
    heap->pace.next_scan = hak__look_paid(heap);
    return was;
}

static void below_the_peak_nothing_is_looked_for(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    heap->pages.footprint -= MIB;
    assert_int_equal(hak__look_least_gain(heap, MIB), SIZE_MAX);
    assert_int_equal(hak__look_least_gain(heap, 100 * KIB), SIZE_MAX);
    assert_true(hak__look_least_gain(heap, MIB + 1) < SIZE_MAX);
    *heap = was;
}

static void work_pays_for_a_look(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    size_t most = (64 * MIB + 4 * KIB) / 64 + 32 * KIB;
    assert_int_equal(hak__look_least_gain(heap, 4 * KIB), most);
    heap->pace.next_scan++;
    assert_int_equal(hak__look_least_gain(heap, 4 * KIB), SIZE_MAX);
    /* What was given back is paid for by as much, what was read by 128 bytes for each free block,
     * and a look by a little at least. */
    hak__look_charge(heap, 3 * MIB, 100);
    assert_int_equal(heap->pace.next_scan, hak__look_paid(heap) + LEAST + 3 * MIB + READ * 100);
    hak__look_charge(heap, 4 * KIB, 1);
    assert_int_equal(heap->pace.next_scan,
                     hak__look_paid(heap) + LEAST + 3 * MIB + READ * 101 + 4 * KIB);
    heap->pace.next_scan = hak__look_paid(heap) - 1;
    hak__look_charge(heap, 0, 0);
    assert_int_equal(heap->pace.next_scan, hak__look_paid(heap) + LEAST);
    *heap = was;
}

static size_t price_of_a_look(size_t worth)
{
    heap->pace.next_scan = hak__look_paid(heap);
    assert_int_equal(hak__look_search(heap, worth, READS), worth <= heap->pages.retained);
    return heap->pace.next_scan - hak__look_paid(heap);
}

/* By as much as the heap has. */
static void a_look_in_vain_is_paid_for(void **state)
{
    (void)state;
    hak_heap was = at_peak(300 * KIB);
    heap->pages.retained = MIB;
    assert_int_equal(price_of_a_look(2 * MIB), LEAST + 300 * KIB);
    assert_int_equal(price_of_a_look(2 * MIB), LEAST + 300 * KIB);
    assert_int_equal(price_of_a_look(MIB), LEAST);
    *heap = was;
    /* Before all slabs have been passed it is not known yet. */
    void *span = hak_heap_alloc(heap, 100 * KIB);
    was = at_peak(300 * KIB);
    heap->pages.retained = MIB;
    heap->unsearched = 1;
    assert_int_equal(price_of_a_look(2 * MIB), LEAST + READ * READS);
    heap->unsearched = 0;
    assert_int_equal(price_of_a_look(2 * MIB), LEAST + READ + 300 * KIB);
    *heap = was;
    hak_heap_free(heap, span);
}

/* When a collector has freed much, it is no longer taken for granted that there is nothing. */
static void a_collection_gives_hope(void **state)
{
    (void)state;
    heap->pace.next_scan = hak__look_paid(heap) + MIB;
    hak_heap_settle(heap);
    assert_int_equal(heap->pace.next_scan, hak__look_paid(heap));
    heap->pace.next_scan = hak__look_paid(heap) - 1; /* what is due stays so */
    hak_heap_settle(heap);
    assert_int_equal(heap->pace.next_scan, hak__look_paid(heap) - 1);
}

static void a_large_block_is_worth_any_page(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    assert_true(hak__look_least_gain(heap, 64 * KIB - 1) > MIB);
    assert_int_equal(hak__look_least_gain(heap, 64 * KIB), PAGE);
    heap->pace.next_scan = hak__look_paid(heap) + 1;
    assert_int_equal(hak__look_least_gain(heap, 64 * KIB), PAGE); /* it pays for itself … */
    assert_int_equal(hak__look_least_gain(heap, 64 * KIB - 1), SIZE_MAX);
    assert_true(hak__look_pays_for_itself(heap, 64 * KIB));
    static const hak_hints blocks = {.work_most = 64};
    heap->hints = &blocks;
    assert_int_equal(hak__look_least_gain(heap, 64 * KIB),
                     SIZE_MAX); /* … not where blocks are work */
    heap->pace.next_scan--;
    assert_int_equal(hak__look_least_gain(heap, 64 * KIB), PAGE);
    assert_false(hak__look_pays_for_itself(heap, 64 * KIB));
    *heap = was;
}

/* A byte of growth pays for a byte, whatever it grows by; and what is refused is no growth. */
static void growth_pays(void **state)
{
    (void)state;
    size_t paid = hak__look_paid(heap), peak = heap->pages.footprint_peak;
    void *span = hak_heap_alloc(heap, 100 * KIB);
    void *huge = hak_heap_alloc(heap, 50 * MIB);
    size_t growth = heap->pages.footprint_peak - peak;
    assert_true(growth >= 40 * MIB);
    assert_true(hak__look_paid(heap) - paid >= growth);
    paid = hak__look_paid(heap);
    assert_true(hak_heap_set_limit(heap, heap->pages.footprint + MIB));
    for (int i = 0; i < 100; i++) assert_null(hak_heap_alloc(heap, 500 * MIB));
    assert_true(hak_heap_set_limit(heap, 0));
    hak_heap_free(heap, huge);
    huge = hak_heap_alloc(heap, 30 * MIB);
    assert_int_equal(hak__look_paid(heap), paid);
    hak_heap_free(heap, huge);
    hak_heap_free(heap, span);
}

/* Each step of the peak pays for one look, whatever was looked for before. */
static void a_step_of_growth_pays_for_a_look(void **state)
{
    (void)state;
    static const struct {
        size_t footprint, step;
    } cases[] = {{64 * MIB, 32 * KIB + MIB}, {64 * KIB, 36 * KIB}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t more = 0; more < 2; more++) {
            hak_heap was = at_peak(cases[i].footprint);
            heap->pace.next_scan = SIZE_MAX;
            heap->pages.retained = STEP_LEAST;
            size_t taken = cases[i].step + cases[i].step / 32;
            heap->pages.footprint_peak = heap->pages.footprint = cases[i].footprint + taken - PAGE;
            if (more == 1) heap->pages.retained -= PAGE;
            size_t worth = hak__look_least_gain(heap, PAGE);
            REQUIRE_THAT(worth == (more == 0 ? STEP_LEAST : SIZE_MAX), "case %zu, %zu: %zu", i,
                         more, worth);
            /* It was a step, worth it or not. */
            assert_int_equal(heap->pace.stepped_peak, cases[i].footprint + taken);
            heap->pages.retained = STEP_LEAST;
            assert_int_equal(hak__look_least_gain(heap, PAGE), SIZE_MAX);
            *heap = was;
        }
        hak_heap was = at_peak(cases[i].footprint);
        heap->pace.next_scan = SIZE_MAX;
        heap->pages.retained = STEP_LEAST;
        heap->pages.footprint_peak = heap->pages.footprint =
            cases[i].footprint + cases[i].step - 2 * PAGE;
        assert_int_equal(hak__look_least_gain(heap, PAGE), SIZE_MAX);
        assert_int_equal(heap->pace.stepped_peak, cases[i].footprint);
        *heap = was;
    }
}

/* A heap grows in earnest that comes to new peaks before it has paid for the last look. */
static void growth_in_earnest_is_not_paid_for(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    assert_false(hak__look_in_earnest(heap));
    hak__look_charge(heap, 0, 0);
    heap->pace.clock += LEAST - PAGE;
    assert_true(hak__look_in_earnest(heap));
    heap->pages.footprint_peak += PAGE;
    assert_false(hak__look_in_earnest(heap));
    *heap = was;
}

static void what_is_kept_on_purpose_is_not_looked_for(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    heap->pages.demand.prewarmed = PAGE;
    assert_int_equal(hak__look_least_gain(heap, MIB), SIZE_MAX);
    assert_int_equal(hak__look_least_gain(heap, PAGE), SIZE_MAX);
    *heap = was;
    hak__pace_set_left(&heap->pace, 1);
    REQUIRE(hak_heap_configure(heap, "decommit=off", NULL, 0));
    assert_int_equal(hak__pace_left(&heap->pace), 0);
    hak__pace_set_left(&heap->pace, 1);
    REQUIRE(hak_heap_set_profile(heap, "balanced"));
    assert_int_equal(hak__pace_left(&heap->pace), 0);
    was = at_peak(64 * MIB);
    heap->policy.decommit = HAK_DECOMMIT_OFF;
    assert_int_equal(hak__look_least_gain(heap, MIB), SIZE_MAX);
    assert_int_equal(hak__heap_bound(heap), SIZE_MAX);
    assert_int_equal(hak__heap_needed(heap), SIZE_MAX);
    *heap = was;
}

static void as_much_is_given_back_as_growth_asks_for(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    size_t least = (64 * MIB + PAGE) / 64 + 32 * KIB;
    assert_int_equal(hak__look_target(heap, PAGE), least);
    assert_int_equal(hak__look_target(heap, 64 * KIB), 64 * KIB);
    assert_int_equal(hak__look_target(heap, 10 * MIB), 10 * MIB);
    heap->pages.footprint -= MIB;
    assert_int_equal(hak__look_target(heap, 3 * MIB), 2 * MIB);
    *heap = was;
}

/* A large block counts for no more than the program is said to do with one. */
static void work_is_counted_by_blocks(void **state)
{
    (void)state;
    static const hak_hints few = {.work_most = 64};
    const hak_hints *hints = heap->hints;
    assert_int_equal(hak__pace_work(heap->hints, 1000, 7), 7000);
    heap->hints = &few;
    assert_int_equal(hak__pace_work(heap->hints, 48, 10), 480);
    assert_int_equal(hak__pace_work(heap->hints, 64, 10), 640);
    assert_int_equal(hak__pace_work(heap->hints, 1000, 10), 640);
    heap->hints = hints;
}

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

/* What was taken again soon is kept from now on, up to a bound; each release that is not followed
 * by growth lowers that by an eighth. */
static void a_heap_learns_what_to_keep(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    heap->policy.retain_least = MIB;
    heap->policy.retain_busy = 8 * MIB;
    heap->pages.demand.released = (hak_release){0};
    hak__heap_learn(heap);
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
    hak_heap was = at_peak(64 * MIB);
    heap->policy.retain_least = MIB;
    heap->policy.retain_busy = 1024 * MIB;
    heap->pages.demand.released = (hak_release){0};
    hak__heap_learn(heap);
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
    hak_heap was = at_peak(64 * MIB);
    heap->policy.retain_least = MIB;
    heap->policy.retain_busy = 8 * MIB;
    heap->pages.demand.released = (hak_release){.keep = 800 * KIB};
    hak__heap_learn(heap);
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
    heap->pages.demand.settled_at = hak__look_paid(heap);
    heap->pace.clock += 4 * 10 * MIB;
    assert_int_equal(hak__heap_needed(heap), 6 * MIB);
    assert_int_equal(heap->pages.demand.recent_peak, 57 * MIB);
    assert_int_equal(heap->pages.demand.settled_at, hak__look_paid(heap));
    heap->pace.clock += 4 * 10 * MIB - 1;
    assert_int_equal(hak__heap_needed(heap), SIZE_MAX);
    heap->pace.clock += 4 * 10 * MIB;
    assert_int_equal(hak__heap_needed(heap), 3 * MIB);
    heap->pages.demand.prewarmed = PAGE;
    heap->pace.clock += 4 * 10 * MIB;
    assert_int_equal(hak__heap_needed(heap), SIZE_MAX);
    *heap = was;
}

/* A heap at its limit that has nothing it can do without, asked so again and again. */
static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    hak_heap *full = hak_heap_new(&(hak_heap_options){.limit = 4 * MIB});
    while (hak_heap_alloc(full, 100)) continue;
    while (hak_heap_alloc(full, 20000)) continue;
    for (int i = 0; i < 3; i++) {
        unsigned step = 0;
        assert_true(full->pages.short_of > 0);
        assert_false(hak__reclaim(full, &step));
    }
    hak_heap_destroy(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_the_peak_nothing_is_looked_for),
        cmocka_unit_test(work_pays_for_a_look),
        cmocka_unit_test(a_look_in_vain_is_paid_for),
        cmocka_unit_test(a_collection_gives_hope),
        cmocka_unit_test(a_large_block_is_worth_any_page),
        cmocka_unit_test(growth_pays),
        cmocka_unit_test(a_step_of_growth_pays_for_a_look),
        cmocka_unit_test(growth_in_earnest_is_not_paid_for),
        cmocka_unit_test(what_is_kept_on_purpose_is_not_looked_for),
        cmocka_unit_test(as_much_is_given_back_as_growth_asks_for),
        cmocka_unit_test(work_is_counted_by_blocks),
        cmocka_unit_test(the_bound_has_four_parts),
        cmocka_unit_test(a_heap_learns_what_to_keep),
        cmocka_unit_test(a_release_in_parts_is_one),
        cmocka_unit_test(a_heap_forgets_what_comes_back_late),
        cmocka_unit_test(what_is_needed_is_what_was_used_lately),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
