/* What a limit leaves, and what is charged to it, number by number: the reserve, the grace, and the
 * peaks. */
#include "numbers.h"

#include "pages/accounts.h"

static void a_limit_leaves_so_much(void **state)
{
    (void)state;
    hak_heap heap = heap_with(0, 0, 0);
    assert_int_equal(hak__class_reserve(&heap.pages), 0);
    assert_int_equal(hak__short_of(&heap.pages, 100 * GIB), 0);
    heap.pages.limit = MIB;
    assert_int_equal(hak__class_reserve(&heap.pages), 32 * KIB);
    heap.pages.limit = MIB + 130 * KIB;
    assert_int_equal(hak__class_reserve(&heap.pages), 36 * KIB);
    heap.pages.limit = 100 * MIB;
    assert_int_equal(hak__class_reserve(&heap.pages), 64 * KIB);

    heap.pages.footprint = 90 * MIB;
    assert_int_equal(hak__short_of(&heap.pages, 10 * MIB), 0);
    assert_int_equal(hak__short_of(&heap.pages, 10 * MIB + 5), 5);
    heap.pages.leaves_reserve = true;
    assert_int_equal(hak__short_of(&heap.pages, 10 * MIB), 64 * KIB);
    heap.pages.footprint = 101 * MIB;
    assert_int_equal(hak__short_of(&heap.pages, 3), MIB + 64 * KIB + 3);
    assert_int_equal(hak__short_of(&heap.pages, 0), 0);
    heap.pages.grace = 2 * MIB;
    assert_int_equal(hak__short_of(&heap.pages, MIB), 0);
    assert_int_equal(hak__short_of(&heap.pages, MIB + 1), 1);
    heap.pages.grace = SIZE_MAX;
    assert_int_equal(hak__short_of(&heap.pages, 100 * GIB), 0);
}

static void charging_keeps_the_peaks(void **state)
{
    (void)state;
    hak_heap heap = heap_with(0, 0, 0);
    heap.pages.limit = 10 * MIB;
    heap.pages.retained = MIB;
    heap.pages.footprint = heap.pages.footprint_peak = 3 * MIB;
    assert_true(hak__charge(&heap.pages, MIB));
    assert_true(heap.pages.footprint == 4 * MIB && heap.pages.footprint_peak == 4 * MIB);
    assert_int_equal(heap.pages.demand.recent_peak, 3 * MIB);
    hak__discharge(&heap.pages, 2 * MIB);
    assert_true(heap.pages.footprint == 2 * MIB && heap.pages.footprint_peak == 4 * MIB);
    assert_true(hak__charge(&heap.pages, PAGE) && heap.pages.demand.recent_peak == 3 * MIB);
    assert_int_equal(heap.pages.footprint_peak, 4 * MIB);
    assert_false(hak__charge(&heap.pages, 9 * MIB));
    assert_true(heap.pages.short_of == MIB + PAGE && heap.pages.footprint == 2 * MIB + PAGE);
    assert_true(hak__charge(&heap.pages, 8 * MIB - PAGE) && heap.pages.short_of == 0);
    assert_true(heap.pages.footprint == 10 * MIB && heap.pages.grace_used == 0);
    hak__charge_always(&heap.pages, MIB);
    assert_int_equal(heap.pages.grace_used, MIB);
    hak__discharge(&heap.pages, MIB / 2);
    hak__charge_always(&heap.pages, 0);
    assert_int_equal(heap.pages.grace_used, MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_leaves_so_much),
        cmocka_unit_test(charging_keeps_the_peaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
