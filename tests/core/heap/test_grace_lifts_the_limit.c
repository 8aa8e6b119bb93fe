/* Grace lifts a heap's limit by so many bytes and no more, and tells how many were needed. */
#include "filled.h"

/* Grace is for what is asked for, not for what the pool has. */
static void grace_is_not_used_by_pages_from_the_pool(void **state)
{
    (void)state;
    hak_heap *first = hak_heap_new(NULL);
    for (size_t i = 0; i < 30; i++) assert_non_null(hak_heap_alloc(first, 100 * KIB));
    hak_heap_destroy(first);
    filled in = filled_new(&(hak_heap_options){.limit = MIB});
    hak_heap_grace(in.heap, SIZE_MAX);
    assert_non_null(in.blocks[in.count++] = hak_heap_alloc(in.heap, 20000));
    assert_int_equal(hak_heap_grace_used(in.heap), 0);
    assert_true(support_stats(in.heap).footprint <= MIB);
    hak_heap_grace(in.heap, 0);
    filled_end(&in);
}

static void grace_allows_so_much_more(void **state)
{
    (void)state;
    filled in = filled_new(&(hak_heap_options){.limit = MIB});
    fill(&in, 1000);
    size_t count = in.count;
    assert_int_equal(hak_heap_grace_used(in.heap), 0);

    hak_heap_grace(in.heap, 256 * KIB);
    assert_int_equal(hak_heap_grace_used(in.heap), 0);
    void *block = hak_heap_alloc(in.heap, 100000);
    assert_non_null(block);
    size_t used = hak_heap_grace_used(in.heap);
    assert_true(used > 90000 - MIB / 32 && used <= up_to_page(100000));
    fill(&in, 1000);
    hak_stats stats = support_stats(in.heap);
    assert_true(stats.footprint <= MIB + 256 * KIB);
    assert_true(stats.footprint + PAGE > MIB + 256 * KIB);
    assert_int_equal(hak_heap_grace_used(in.heap), stats.footprint - MIB);

    /* The most is what counts, not what is left at the end. */
    hak_heap_free(in.heap, block);
    while (in.count > count / 2) hak_heap_free(in.heap, in.blocks[--in.count]);
    hak_heap_trim(in.heap);
    assert_int_equal(hak_heap_grace_used(in.heap), stats.footprint - MIB);
    hak_heap_grace(in.heap, 0);
    assert_int_equal(hak_heap_grace_used(in.heap), stats.footprint - MIB);
    fill(&in, 1000);
    assert_true(support_stats(in.heap).footprint <= MIB);
    filled_end(&in);
}

static void grace_over_with_the_heap_above_its_limit(void **state)
{
    (void)state;
    filled in = filled_new(&(hak_heap_options){.limit = MIB});
    fill(&in, 1000);
    hak_heap_grace(in.heap, 512 * KIB);
    fill(&in, 1000);
    hak_heap_grace(in.heap, 0);
    size_t above = support_stats(in.heap).footprint - MIB;
    assert_true(above > 500 * KIB);
    assert_null(hak_heap_alloc(in.heap, 5000));

    /* A new reckoning begins with what is above the limit already. */
    hak_heap_grace(in.heap, 512 * KIB);
    assert_int_equal(hak_heap_grace_used(in.heap), above);
    hak_heap_grace(in.heap, 0);

    free_all(&in);
    hak_heap_trim(in.heap);
    hak_heap_grace(in.heap, 512 * KIB);
    assert_int_equal(hak_heap_grace_used(in.heap), 0);
    fill(&in, 1000);
    assert_true(support_stats(in.heap).footprint > MIB + 500 * KIB);
    filled_end(&in);
}

static void grace_beyond_all_bounds_is_no_limit(void **state)
{
    (void)state;
    filled in = filled_new(&(hak_heap_options){.limit = MIB});
    hak_heap_grace(in.heap, SIZE_MAX);
    assert_non_null(hak_heap_alloc(in.heap, 100 * MIB));
    assert_true(hak_heap_grace_used(in.heap) >= 99 * MIB);
    hak_heap_grace(in.heap, 0);
    assert_null(hak_heap_alloc(in.heap, MIB));
    filled_end(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grace_is_not_used_by_pages_from_the_pool),
        cmocka_unit_test(grace_allows_so_much_more),
        cmocka_unit_test(grace_over_with_the_heap_above_its_limit),
        cmocka_unit_test(grace_beyond_all_bounds_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
