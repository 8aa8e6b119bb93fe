/* When it is worth looking for memory that a heap can do without, and how much is given back then:
 * the decisions themselves, for heaps in all situations that tell them apart. */
#include "heap/reclaim.h"

#include "peak.h"

#define STEP_LEAST (32 * KIB) /* bytes worth giving back at a step of growth */
#define READ       128        /* bytes to be paid for a free block read */
#define READS      10
#define LEAST      (32 * KIB) /* bytes to be paid for a scan, at least */

static void below_the_peak_nothing_is_looked_for(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    heap->pages.footprint -= MIB;
    assert_int_equal(hak__scan_least_gain(heap, MIB), SIZE_MAX);
    assert_int_equal(hak__scan_least_gain(heap, 100 * KIB), SIZE_MAX);
    assert_true(hak__scan_least_gain(heap, MIB + 1) < SIZE_MAX);
    *heap = was;
}

static void work_pays_for_a_scan(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    size_t most = (64 * MIB + 4 * KIB) / 64 + 32 * KIB;
    assert_int_equal(hak__scan_least_gain(heap, 4 * KIB), most);
    heap->pace.next_scan++;
    assert_int_equal(hak__scan_least_gain(heap, 4 * KIB), SIZE_MAX);
    /* What was given back is paid for by as much, what was read by 128 bytes for each free block,
     * and a scan by a little at least. */
    hak__scan_charge(heap, 3 * MIB, 100);
    assert_int_equal(heap->pace.next_scan, hak__scan_paid(heap) + LEAST + 3 * MIB + READ * 100);
    hak__scan_charge(heap, 4 * KIB, 1);
    assert_int_equal(heap->pace.next_scan,
                     hak__scan_paid(heap) + LEAST + 3 * MIB + READ * 101 + 4 * KIB);
    heap->pace.next_scan = hak__scan_paid(heap) - 1;
    hak__scan_charge(heap, 0, 0);
    assert_int_equal(heap->pace.next_scan, hak__scan_paid(heap) + LEAST);
    *heap = was;
}

static size_t price_of_a_scan(size_t worth)
{
    heap->pace.next_scan = hak__scan_paid(heap);
    assert_int_equal(hak__scan_search(heap, worth, READS), worth <= heap->pages.retained);
    return heap->pace.next_scan - hak__scan_paid(heap);
}

/* By as much as the heap has. */
static void a_look_in_vain_is_paid_for(void **state)
{
    (void)state;
    hak_heap was = at_peak(300 * KIB);
    heap->pages.retained = MIB;
    assert_int_equal(price_of_a_scan(2 * MIB), LEAST + 300 * KIB);
    assert_int_equal(price_of_a_scan(2 * MIB), LEAST + 300 * KIB);
    assert_int_equal(price_of_a_scan(MIB), LEAST);
    *heap = was;
    /* Before all slabs have been passed it is not known yet. */
    void *span = hak_heap_alloc(heap, 100 * KIB);
    was = at_peak(300 * KIB);
    heap->pages.retained = MIB;
    heap->unsearched = 1;
    assert_int_equal(price_of_a_scan(2 * MIB), LEAST + READ * READS);
    heap->unsearched = 0;
    assert_int_equal(price_of_a_scan(2 * MIB), LEAST + READ + 300 * KIB);
    *heap = was;
    hak_heap_free(heap, span);
}

/* When a collector has freed much, it is no longer taken for granted that there is nothing. */
static void a_collection_gives_hope(void **state)
{
    (void)state;
    heap->pace.next_scan = hak__scan_paid(heap) + MIB;
    hak_heap_settle(heap);
    assert_int_equal(heap->pace.next_scan, hak__scan_paid(heap));
    heap->pace.next_scan = hak__scan_paid(heap) - 1; /* what is due stays so */
    hak_heap_settle(heap);
    assert_int_equal(heap->pace.next_scan, hak__scan_paid(heap) - 1);
}

static void a_large_block_is_worth_any_page(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    assert_true(hak__scan_least_gain(heap, 64 * KIB - 1) > MIB);
    assert_int_equal(hak__scan_least_gain(heap, 64 * KIB), PAGE);
    heap->pace.next_scan = hak__scan_paid(heap) + 1;
    assert_int_equal(hak__scan_least_gain(heap, 64 * KIB), PAGE); /* it pays for itself … */
    assert_int_equal(hak__scan_least_gain(heap, 64 * KIB - 1), SIZE_MAX);
    assert_true(hak__scan_pays_for_itself(heap, 64 * KIB));
    static const hak_hints blocks = {.clock_most = 64};
    heap->hints = &blocks;
    assert_int_equal(hak__scan_least_gain(heap, 64 * KIB),
                     SIZE_MAX); /* … not where a block counts less */
    heap->pace.next_scan--;
    assert_int_equal(hak__scan_least_gain(heap, 64 * KIB), PAGE);
    assert_false(hak__scan_pays_for_itself(heap, 64 * KIB));
    *heap = was;
}

/* A byte of growth pays for a byte, whatever it grows by; and what is refused is no growth. */
static void growth_pays(void **state)
{
    (void)state;
    size_t paid = hak__scan_paid(heap), peak = heap->pages.footprint_peak;
    void *span = hak_heap_alloc(heap, 100 * KIB);
    void *huge = hak_heap_alloc(heap, 50 * MIB);
    size_t growth = heap->pages.footprint_peak - peak;
    assert_true(growth >= 40 * MIB);
    assert_true(hak__scan_paid(heap) - paid >= growth);
    paid = hak__scan_paid(heap);
    assert_true(hak_heap_set_limit(heap, heap->pages.footprint + MIB));
    for (int i = 0; i < 100; i++) assert_null(hak_heap_alloc(heap, 500 * MIB));
    assert_true(hak_heap_set_limit(heap, 0));
    hak_heap_free(heap, huge);
    huge = hak_heap_alloc(heap, 30 * MIB);
    assert_int_equal(hak__scan_paid(heap), paid);
    hak_heap_free(heap, huge);
    hak_heap_free(heap, span);
}

/* Each step of the peak pays for one scan, whatever was looked for before. */
static void a_step_of_growth_pays_for_a_scan(void **state)
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
            size_t worth = hak__scan_least_gain(heap, PAGE);
            REQUIRE_THAT(worth == (more == 0 ? STEP_LEAST : SIZE_MAX), "case %zu, %zu: %zu", i,
                         more, worth);
            /* It was a step, worth it or not. */
            assert_int_equal(heap->pace.stepped_peak, cases[i].footprint + taken);
            heap->pages.retained = STEP_LEAST;
            assert_int_equal(hak__scan_least_gain(heap, PAGE), SIZE_MAX);
            *heap = was;
        }
        hak_heap was = at_peak(cases[i].footprint);
        heap->pace.next_scan = SIZE_MAX;
        heap->pages.retained = STEP_LEAST;
        heap->pages.footprint_peak = heap->pages.footprint =
            cases[i].footprint + cases[i].step - 2 * PAGE;
        assert_int_equal(hak__scan_least_gain(heap, PAGE), SIZE_MAX);
        assert_int_equal(heap->pace.stepped_peak, cases[i].footprint);
        *heap = was;
    }
}

/* A heap grows in earnest that comes to new peaks before it has paid for the last scan. */
static void growth_in_earnest_is_not_paid_for(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    assert_false(hak__scan_in_earnest(heap));
    hak__scan_charge(heap, 0, 0);
    heap->pace.clock += LEAST - PAGE;
    assert_true(hak__scan_in_earnest(heap));
    heap->pages.footprint_peak += PAGE;
    assert_false(hak__scan_in_earnest(heap));
    *heap = was;
}

static void what_is_kept_on_purpose_is_not_looked_for(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    heap->pages.demand.prewarmed = PAGE;
    assert_int_equal(hak__scan_least_gain(heap, MIB), SIZE_MAX);
    assert_int_equal(hak__scan_least_gain(heap, PAGE), SIZE_MAX);
    *heap = was;
    hak__pace_set_left(&heap->pace, 1);
    REQUIRE(hak_heap_configure(heap, "decommit=off", NULL, 0));
    assert_int_equal(hak__pace_left(&heap->pace), 0);
    hak__pace_set_left(&heap->pace, 1);
    REQUIRE(hak_heap_set_profile(heap, "balanced"));
    assert_int_equal(hak__pace_left(&heap->pace), 0);
    was = at_peak(64 * MIB);
    heap->policy.decommit = HAK_DECOMMIT_OFF;
    assert_int_equal(hak__scan_least_gain(heap, MIB), SIZE_MAX);
    assert_int_equal(hak__heap_bound(heap), SIZE_MAX);
    assert_int_equal(hak__heap_needed(heap), SIZE_MAX);
    *heap = was;
}

static void as_much_is_given_back_as_growth_asks_for(void **state)
{
    (void)state;
    hak_heap was = at_peak(64 * MIB);
    size_t least = (64 * MIB + PAGE) / 64 + 32 * KIB;
    assert_int_equal(hak__scan_target(heap, PAGE), least);
    assert_int_equal(hak__scan_target(heap, 64 * KIB), 64 * KIB);
    assert_int_equal(hak__scan_target(heap, 10 * MIB), 10 * MIB);
    heap->pages.footprint -= MIB;
    assert_int_equal(hak__scan_target(heap, 3 * MIB), 2 * MIB);
    *heap = was;
}

/* A large block counts for no more than the program is said to do with one. */
static void a_block_advances_the_clock_by_so_much_at_most(void **state)
{
    (void)state;
    static const hak_hints few = {.clock_most = 64};
    const hak_hints *hints = heap->hints;
    assert_int_equal(hak__pace_advance(heap->hints, 1000, 7), 7000);
    heap->hints = &few;
    assert_int_equal(hak__pace_advance(heap->hints, 48, 10), 480);
    assert_int_equal(hak__pace_advance(heap->hints, 64, 10), 640);
    assert_int_equal(hak__pace_advance(heap->hints, 1000, 10), 640);
    heap->hints = hints;
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
        cmocka_unit_test(work_pays_for_a_scan),
        cmocka_unit_test(a_look_in_vain_is_paid_for),
        cmocka_unit_test(a_collection_gives_hope),
        cmocka_unit_test(a_large_block_is_worth_any_page),
        cmocka_unit_test(growth_pays),
        cmocka_unit_test(a_step_of_growth_pays_for_a_scan),
        cmocka_unit_test(growth_in_earnest_is_not_paid_for),
        cmocka_unit_test(what_is_kept_on_purpose_is_not_looked_for),
        cmocka_unit_test(as_much_is_given_back_as_growth_asks_for),
        cmocka_unit_test(a_block_advances_the_clock_by_so_much_at_most),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
