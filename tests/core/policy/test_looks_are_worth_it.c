/* What a look for pages before a new peak has to be worth, number by number, as docs/design.md
 * tells it: what it may take, and when the next one is due. */
#include "numbers.h"

#include "heap/look.h"

static hak_heap heap_at_its_peak(size_t footprint)
{
    hak_heap heap = heap_with(0, 0, 0);
    heap.pages.footprint = heap.pages.footprint_peak = footprint;
    heap.pace.stepped_peak = footprint;
    return heap;
}

static void a_look_has_to_be_worth_it(void **state)
{
    (void)state;
    hak_heap heap = heap_at_its_peak(64 * MIB);
    assert_int_equal(hak__look_worth(&heap, 0), SIZE_MAX); /* no new peak */
    assert_int_equal(hak__look_worth(&heap, PAGE), (64 * MIB + PAGE) / 32 + 32 * KIB);
    assert_int_equal(hak__look_worth(&heap, 64 * KIB - 1),
                     (64 * MIB + 64 * KIB - 1) / 32 + 32 * KIB);
    assert_int_equal(hak__look_worth(&heap, 64 * KIB), PAGE); /* large: pays for itself */
    heap.pace.look_at = 64 * MIB + 1;
    assert_int_equal(hak__look_worth(&heap, PAGE), SIZE_MAX);
    assert_int_equal(hak__look_worth(&heap, 64 * KIB), PAGE);
    heap.pace.work = 1;
    assert_int_equal(hak__look_worth(&heap, PAGE), (64 * MIB + PAGE) / 32 + 32 * KIB);
    heap.pages.demand.prewarmed = 1;
    assert_int_equal(hak__look_worth(&heap, 64 * KIB), SIZE_MAX);
    heap.pages.demand.prewarmed = 0;
    heap.policy.decommit = HAK_DECOMMIT_OFF;
    assert_int_equal(hak__look_worth(&heap, 64 * KIB), SIZE_MAX);
    heap.policy.decommit = HAK_DECOMMIT_FREE;
    heap.pages.footprint -= PAGE;
    assert_int_equal(hak__look_worth(&heap, PAGE), SIZE_MAX);
}

/* A heap whose peak is so far above the last step, after so many refills, with pages retained. */
static bool is_step(size_t last, size_t above, size_t refills, size_t retained)
{
    hak_heap heap = heap_at_its_peak(last + above - PAGE);
    heap.pace.stepped_peak = last;
    heap.pace.stepped_refills = 1000;
    heap.refills = 1000 + refills;
    heap.pages.retained = retained;
    heap.pace.look_at = SIZE_MAX;
    bool is = hak__look_worth(&heap, PAGE) == 16 * KIB;
    if (is)
        assert_true(heap.pace.stepped_peak == last + above &&
                    heap.pace.stepped_refills == heap.refills);
    return is;
}

/* A sixty-fourth above the last, and 32 KiB, with new pages in one refill of 64. */
static void growth_in_earnest_is_a_step(void **state)
{
    (void)state;
    size_t step = 64 * MIB / 63 + 33 * KIB; /* of the new peak */
    step = step / PAGE * PAGE + PAGE;
    assert_true(is_step(64 * MIB, step, 0, MIB));
    assert_false(is_step(64 * MIB, step - 2 * PAGE, 0, MIB));
    assert_true(is_step(64 * MIB, step, 64 * step / PAGE, MIB));
    assert_false(is_step(64 * MIB, step, 64 * step / PAGE + 1, MIB));
    assert_true(is_step(64 * MIB, step, 0, 16 * KIB));
    assert_false(is_step(64 * MIB, step, 0, 16 * KIB - 1));
    /* A small heap takes steps of a quarter of itself. */
    assert_true(is_step(32 * KIB, 12 * KIB, 0, MIB));
    assert_false(is_step(32 * KIB, 8 * KIB, 0, MIB));
}

static void a_look_takes_its_share(void **state)
{
    (void)state;
    hak_heap heap = heap_at_its_peak(64 * MIB);
    assert_int_equal(hak__look_share(&heap, PAGE), (64 * MIB + PAGE) / 32 + 32 * KIB);
    assert_int_equal(hak__look_share(&heap, 64 * KIB - 1),
                     (64 * MIB + 64 * KIB - 1) / 32 + 32 * KIB);
    assert_int_equal(hak__look_share(&heap, 64 * KIB), 64 * KIB);
    assert_int_equal(hak__look_share(&heap, 10 * MIB), 10 * MIB);
    heap.pages.footprint -= 5 * MIB;
    assert_int_equal(hak__look_share(&heap, 10 * MIB), 5 * MIB);
    heap.pages.footprint += 10 * MIB;
    assert_int_equal(hak__look_share(&heap, PAGE), 5 * MIB + PAGE);
}

static void work_pays_for_the_next_look(void **state)
{
    (void)state;
    hak_heap heap = heap_at_its_peak(10 * MIB);
    static const hak_hints hints = {.work_most = 64};
    assert_int_equal(hak__pace_work(heap.hints, 100, 7), 700);
    heap.hints = &hints;
    assert_int_equal(hak__pace_work(heap.hints, 100, 7), 448);
    assert_int_equal(hak__pace_work(heap.hints, 10, 7), 70);
    heap.pace.work = 3000;
    heap.pages.footprint_peak = 0; /* growth pays too: test_purging_is_paid_for.c */
    hak__look_pay(&heap, 0, 0);
    assert_int_equal(heap.pace.look_at, 3000 + 32 * KIB);
    hak__look_pay(&heap, PAGE, 7); /* in the same look */
    assert_int_equal(heap.pace.look_at, 3000 + 32 * KIB + PAGE + 7 * 64);
    heap.pace.work = 3000 + 32 * KIB;
    hak__look_pay(&heap, MIB, 1000);
    assert_int_equal(heap.pace.look_at, 3000 + 64 * KIB + MIB + 1000 * 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_has_to_be_worth_it),
        cmocka_unit_test(growth_in_earnest_is_a_step),
        cmocka_unit_test(a_look_takes_its_share),
        cmocka_unit_test(work_pays_for_the_next_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
