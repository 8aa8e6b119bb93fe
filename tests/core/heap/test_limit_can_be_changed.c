/* A heap's limit can be read and set at any time, but not below what is in use: that is refused,
 * and changes nothing. What is merely retained does not count. */
#include "filled.h"

#include <errno.h>
#include <stdlib.h>

static void set_limit_is_answered_by_limit(void **state)
{
    (void)state;
    filled in = filled_new(&(hak_heap_options){.limit = 12345678});
    assert_int_equal(hak_heap_limit(in.heap), 12345678);
    assert_int_equal(support_stats(in.heap).limit, 12345678);
    assert_true(hak_heap_set_limit(in.heap, MIB));
    assert_int_equal(hak_heap_limit(in.heap), MIB);
    assert_int_equal(support_stats(in.heap).limit, MIB);
    fill(&in, 100);
    assert_true(hak_heap_set_limit(in.heap, 2 * MIB));
    assert_true(fill(&in, 100) > 0);
    check_full(&in, 100);
    assert_true(hak_heap_set_limit(in.heap, 0));
    assert_int_equal(hak_heap_limit(in.heap), 0);
    assert_int_equal(support_stats(in.heap).limit, 0);
    for (size_t i = 0; i < 100; i++) assert_non_null(hak_heap_alloc(in.heap, MIB));
    filled_end(&in);
}

static void a_limit_below_what_is_in_use_is_erange(void **state)
{
    (void)state;
    filled in = filled_new(&(hak_heap_options){.limit = 64 * MIB});
    for (size_t i = 0; i < 1000; i++) in.blocks[in.count++] = hak_heap_alloc(in.heap, 10000);
    hak_heap_trim(in.heap);
    hak_stats before = support_stats(in.heap);
    for (size_t bytes = 1; bytes < before.footprint; bytes = bytes * 3 + 4095) {
        errno = 0;
        assert_false(hak_heap_set_limit(in.heap, bytes));
        assert_int_equal(errno, ERANGE);
        assert_int_equal(hak_heap_limit(in.heap), 64 * MIB);
    }
    errno = 0;
    assert_false(hak_heap_set_limit(in.heap, before.footprint - 1));
    assert_int_equal(errno, ERANGE);
    assert_true(hak_heap_set_limit(in.heap, before.footprint));
    support_check_live(in.heap, before.live_blocks, before.live_bytes);
    free_all(&in);
    /* All of that is retained now, and does not count. */
    assert_true(hak_heap_set_limit(in.heap, 64 * KIB));
    fill(&in, 10000);
    check_full(&in, 10000);
    filled_end(&in);
}

/* Not even pages that are merely retained go, and a limit that a trim can keep to is not refused.
 */
static void a_refused_limit_changes_nothing(void **state)
{
    (void)state;
    static const size_t blocks_of[] = {64, 1000, 10000, 100 * KIB, 3 * MIB};
    for (size_t i = 0; i < COUNT(blocks_of); i++) {
        filled in = filled_new(&(hak_heap_options){.limit = 64 * MIB});
        while (in.count * blocks_of[i] < 16 * MIB)
            in.blocks[in.count++] = hak_heap_alloc(in.heap, blocks_of[i]);
        for (size_t j = 0; j < in.count; j++) {
            if (j % 16 == 0) continue;
            hak_heap_free(in.heap, in.blocks[j]);
            in.blocks[j] = NULL;
        }
        hak_stats before = support_stats(in.heap);
        errno = 0;
        assert_false(hak_heap_set_limit(in.heap, before.live_bytes / 2));
        assert_int_equal(errno, ERANGE);
        hak_stats after = support_stats(in.heap);
        assert_int_equal(after.limit, 64 * MIB);
        assert_int_equal(after.footprint, before.footprint);
        assert_int_equal(after.retained, before.retained);
        assert_int_equal(after.os.total, before.os.total);
        hak_heap_trim(in.heap);
        size_t least = support_stats(in.heap).footprint;
        hak_heap_free(in.heap, hak_heap_alloc(in.heap, 50 * KIB));
        assert_false(hak_heap_set_limit(in.heap, least - 1));
        assert_true(hak_heap_set_limit(in.heap, least));
        assert_int_equal(support_stats(in.heap).footprint, least);
        filled_end(&in);
    }
}

/* A slab with a single block is in use, also the slab that its class allocates from. */
static void single_blocks_are_in_use(void **state)
{
    (void)state;
    filled in = filled_new(&(hak_heap_options){.limit = 64 * MIB});
    for (size_t size = 2 * KIB; size <= 16 * KIB; size += size / 4)
        in.blocks[in.count++] = hak_heap_alloc(in.heap, size);
    hak_heap_trim(in.heap);
    size_t least = support_stats(in.heap).footprint;
    hak_heap_free(in.heap, hak_heap_alloc(in.heap, 100 * KIB));
    size_t retained = support_stats(in.heap).retained;
    assert_true(retained > 0);
    assert_false(hak_heap_set_limit(in.heap, least - 1));
    assert_int_equal(support_stats(in.heap).retained, retained);
    filled_end(&in);
}

static void a_limit_on_the_callers_memory_counts_what_is_in_use(void **state)
{
    (void)state;
    void *memory = malloc(4 * MIB);
    filled in = filled_new(&(hak_heap_options){.memory = memory, .memory_size = 4 * MIB});
    fill(&in, 100);
    errno = 0;
    assert_false(hak_heap_set_limit(in.heap, MIB));
    assert_int_equal(errno, ERANGE);
    free_all(&in);
    assert_true(hak_heap_set_limit(in.heap, MIB));
    fill(&in, 3000);
    check_full(&in, 3000);
    free_all(&in);
    void *most = hak_heap_alloc(in.heap, MIB - PAGE);
    assert_non_null(most);
    filled_end(&in);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_limit_is_answered_by_limit),
        cmocka_unit_test(a_limit_below_what_is_in_use_is_erange),
        cmocka_unit_test(a_refused_limit_changes_nothing),
        cmocka_unit_test(single_blocks_are_in_use),
        cmocka_unit_test(a_limit_on_the_callers_memory_counts_what_is_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
