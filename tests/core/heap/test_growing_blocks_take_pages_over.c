/* A block that grows takes over the pages of one that was freed before it, and what of them lies
 * behind it is not lost. */
#include "support.h"

static size_t peak_of(hak_heap *heap)
{
    return support_stats(heap).footprint_peak;
}

/* A block that grows to `size` bytes by steps, written as it goes. */
static char *grown(hak_heap *heap, size_t size, uint64_t stamp)
{
    char *block = hak_heap_alloc(heap, 20 * KIB);
    assert_non_null(block);
    for (size_t at = 24 * KIB; at <= size; at += at / 16 / PAGE * PAGE + PAGE) {
        char *larger = hak_heap_realloc(heap, block, at);
        assert_non_null(larger);
        block = larger;
        support_fill(block, at < 40 * KIB ? at : 40 * KIB, stamp);
        block[at - 1] = 1;
    }
    block = hak_heap_realloc(heap, block, size);
    assert_non_null(block);
    block[size - 1] = 1;
    REQUIRE(support_intact(block, 40 * KIB, stamp) == 40 * KIB);
    return block;
}

/* It takes the pages of one that was freed, and all of them: nothing goes back and is asked for
 * again. What it has not come to stays retained, and is there for a trim. */
static void a_growing_block_takes_the_pages_of_one_before(void **state)
{
    (void)state;
    const size_t size = 12 * MIB;
    hak_heap *heap = support_fresh_heap("speed");
    char *first = grown(heap, size, 1);
    hak_heap_free(heap, first);
    hak_heap_free(heap, grown(heap, size, 2));
    hak_stats before = support_stats(heap);
    REQUIRE_THAT(before.retained >= size, "%zu", before.retained);
    for (uint64_t round = 3; round < 20; round++) {
        size_t less = size - (round % 4) * MIB;
        char *block = grown(heap, less, round);
        hak_stats during = support_stats(heap);
        support_check_stats(heap);
        REQUIRE_THAT(during.footprint <= before.footprint_peak + MIB, "%zu", during.footprint);
        REQUIRE_THAT(during.retained >= size - less, "%zu", during.retained);
        REQUIRE_THAT(during.huge_bytes == less, "%zu", during.huge_bytes);
        hak_heap_free(heap, block);
    }
    hak_stats after = support_stats(heap);
    REQUIRE_THAT(after.os.total <= before.os.total + 30, "%zu calls",
                 (size_t)(after.os.total - before.os.total));
    REQUIRE_THAT(after.footprint_peak <= before.footprint_peak + MIB, "%zu, %zu",
                 after.footprint_peak, before.footprint_peak);

    char *block = grown(heap, 4 * MIB, 1);
    size_t spare = support_stats(heap).retained;
    REQUIRE_THAT(spare >= size - 4 * MIB - 64 * KIB, "%zu", spare);
    size_t given = hak_heap_trim(heap);
    REQUIRE_THAT(given >= spare, "%zu", given);
    support_check_live(heap, 1, hak_heap_usable_size(heap, block));
    REQUIRE_THAT(support_stats(heap).footprint <= 5 * MIB, "%zu", support_stats(heap).footprint);
    REQUIRE(support_intact(block, 40 * KIB, 1) == 40 * KIB);
    hak_heap_destroy(heap);
}

/* What lies behind one that grows serves others at a peak, goes with a cut, and is the block's
 * again when it cannot grow on. */
static void what_is_behind_a_growing_block_is_not_lost(void **state)
{
    (void)state;
    const size_t size = 12 * MIB;
    hak_heap *heap = support_fresh_heap("speed");
    hak_heap_free(heap, grown(heap, size, 1));
    char *block = grown(heap, 2 * MIB, 2);
    size_t peak = peak_of(heap);
    void *other = hak_heap_alloc(heap, 9 * MIB); /* no block that is kept is so large */
    assert_non_null(other);
    REQUIRE_THAT(peak_of(heap) <= peak + 64 * KIB, "%zu, %zu", peak_of(heap), peak);
    support_check_stats(heap);
    hak_heap_free(heap, other);
    hak_heap_free(heap, block);

    hak_heap_trim(heap);
    hak_heap_free(heap, grown(heap, size, 3));
    block = grown(heap, 4 * MIB, 4);
    REQUIRE(support_stats(heap).retained >= 7 * MIB);
    assert_ptr_equal(hak_heap_realloc(heap, block, MIB), block);
    support_check_stats(heap);
    REQUIRE_THAT(support_stats(heap).footprint <= 4 * MIB, "%zu", support_stats(heap).footprint);
    hak_heap_free(heap, block);

    hak_heap_trim(heap);
    hak_heap_free(heap, grown(heap, size, 5));
    block = grown(heap, 4 * MIB, 6);
    assert_true(hak_heap_set_limit(heap, size + MIB));
    hak_stats before = support_stats(heap);
    assert_null(hak_heap_realloc(heap, block, 3 * size));
    hak_stats after = support_stats(heap);
    assert_int_equal(after.live_bytes, before.live_bytes);
    support_check_stats(heap);
    REQUIRE(support_intact(block, 40 * KIB, 6) == 40 * KIB);
    block = hak_heap_realloc(heap, block, size);
    assert_non_null(block);
    REQUIRE(support_intact(block, 40 * KIB, 6) == 40 * KIB);
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_growing_block_takes_the_pages_of_one_before),
        cmocka_unit_test(what_is_behind_a_growing_block_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
