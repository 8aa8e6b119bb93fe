/* What a scan for pages before a new peak has to be worth, number by number, as docs/design.md
 * tells it: what it may take, and when the next one is due. */
#include "numbers.h"

#include "heap/scan.h"

static hak_heap heap_at_its_peak(size_t footprint)
{
    hak_heap heap = heap_with(0, 0, 0);
    heap.pages.footprint = heap.pages.footprint_peak = footprint;
    heap.pace.stepped_peak = footprint;
    return heap;
}

/* A step: a sixty-fourth of a peak, and 32 KiB. */
static size_t step_of(size_t peak)
{
    return peak / 64 + 32 * KIB;
}

static void a_look_has_to_be_worth_it(void **state)
{
    (void)state;
    hak_heap heap = heap_at_its_peak(64 * MIB);
    assert_int_equal(hak__scan_least_gain(&heap, 0), SIZE_MAX); /* no new peak */
    assert_int_equal(hak__scan_least_gain(&heap, PAGE), step_of(64 * MIB + PAGE));
    assert_int_equal(hak__scan_least_gain(&heap, 64 * KIB - 1), step_of(64 * MIB + 64 * KIB - 1));
    assert_int_equal(hak__scan_least_gain(&heap, 64 * KIB), PAGE); /* large: pays for itself */
    heap.pace.next_scan = 64 * MIB + 1;
    assert_int_equal(hak__scan_least_gain(&heap, PAGE), SIZE_MAX);
    assert_int_equal(hak__scan_least_gain(&heap, 64 * KIB), PAGE);
    heap.pace.clock = 1;
    assert_int_equal(hak__scan_least_gain(&heap, PAGE), step_of(64 * MIB + PAGE));
    heap.pages.demand.prewarmed = 1;
    assert_int_equal(hak__scan_least_gain(&heap, 64 * KIB), SIZE_MAX);
    heap.pages.demand.prewarmed = 0;
    heap.policy.decommit = HAK_DECOMMIT_OFF;
    assert_int_equal(hak__scan_least_gain(&heap, 64 * KIB), SIZE_MAX);
    heap.policy.decommit = HAK_DECOMMIT_FREE;
    heap.pages.footprint -= PAGE;
    assert_int_equal(hak__scan_least_gain(&heap, PAGE), SIZE_MAX);
}

/* Whether a heap whose peak is so far above the last step scans, with pages retained. */
static bool is_step(size_t last, size_t above, size_t retained)
{
    hak_heap heap = heap_at_its_peak(last + above - PAGE);
    heap.pace.stepped_peak = last;
    heap.pages.retained = retained;
    heap.pace.next_scan = SIZE_MAX;
    bool is = hak__scan_least_gain(&heap, PAGE) == 32 * KIB;
    if (is) assert_int_equal(heap.pace.stepped_peak, last + above);
    return is;
}

/* A sixty-fourth above the last, and 32 KiB. */
static void each_step_is_scanned_at(void **state)
{
    (void)state;
    size_t step = 64 * MIB / 63 + 33 * KIB; /* of the new peak */
    step = step / PAGE * PAGE + PAGE;
    assert_true(is_step(64 * MIB, step, MIB));
    assert_false(is_step(64 * MIB, step - 2 * PAGE, MIB));
    assert_true(is_step(64 * MIB, step, 32 * KIB));
    assert_false(is_step(64 * MIB, step, 32 * KIB - 1));
    assert_true(is_step(32 * KIB, 36 * KIB, MIB));
    assert_false(is_step(32 * KIB, 32 * KIB, MIB));
}

static void a_look_takes_its_share(void **state)
{
    (void)state;
    hak_heap heap = heap_at_its_peak(64 * MIB);
    assert_int_equal(hak__scan_target(&heap, PAGE), step_of(64 * MIB + PAGE));
    assert_int_equal(hak__scan_target(&heap, 64 * KIB - 1), step_of(64 * MIB + 64 * KIB - 1));
    assert_int_equal(hak__scan_target(&heap, 64 * KIB), 64 * KIB);
    assert_int_equal(hak__scan_target(&heap, 10 * MIB), 10 * MIB);
    heap.pages.footprint -= 5 * MIB;
    assert_int_equal(hak__scan_target(&heap, 10 * MIB), 5 * MIB);
    heap.pages.footprint += 10 * MIB;
    assert_int_equal(hak__scan_target(&heap, PAGE), 5 * MIB + PAGE);
}

static void blocks_pay_for_the_next_scan(void **state)
{
    (void)state;
    hak_heap heap = heap_at_its_peak(10 * MIB);
    static const hak_hints hints = {.clock_most = 64};
    assert_int_equal(hak__pace_advance(heap.hints, 100, 7), 700);
    heap.hints = &hints;
    assert_int_equal(hak__pace_advance(heap.hints, 100, 7), 448);
    assert_int_equal(hak__pace_advance(heap.hints, 10, 7), 70);
    heap.pace.clock = 3000;
    heap.pages.footprint_peak = 0; /* growth pays too: test_purging_is_paid_for.c */
    hak__scan_charge(&heap, 0, 0);
    assert_int_equal(heap.pace.next_scan, 3000 + 32 * KIB);
    hak__scan_charge(&heap, PAGE, 7); /* in the same look */
    assert_int_equal(heap.pace.next_scan, 3000 + 32 * KIB + PAGE + 7 * 128);
    heap.pace.clock = 3000 + 32 * KIB;
    hak__scan_charge(&heap, MIB, 1000);
    assert_int_equal(heap.pace.next_scan, 3000 + 64 * KIB + MIB + 1000 * 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_has_to_be_worth_it),
        cmocka_unit_test(each_step_is_scanned_at),
        cmocka_unit_test(a_look_takes_its_share),
        cmocka_unit_test(blocks_pay_for_the_next_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
