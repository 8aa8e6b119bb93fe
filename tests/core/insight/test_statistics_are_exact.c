/* The statistics say what is: live blocks and bytes to the byte, by class and in all, the footprint
 * beside them, what lies beside blocks, and what has happened. */
#include "heap/blocks.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "sizes.h"

static void every_block_is_counted(void **state)
{
    (void)state;
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        void *blocks[SIZES][2];
        size_t count = 0, bytes = 0, large = 0, large_bytes = 0;
        for (size_t i = 0; i < SIZES; i++) {
            for (size_t j = 0; j < 2; j++) {
                blocks[i][j] = hak_heap_alloc(heap, sizes[i]);
                size_t usable = hak_heap_usable_size(heap, blocks[i][j]);
                count++;
                bytes += usable;
                if (usable > 16384) {
                    large++;
                    large_bytes += usable;
                }
                hak_stats stats = support_stats(heap);
                assert_int_equal(stats.live_blocks, count);
                assert_int_equal(stats.live_bytes, bytes);
                assert_int_equal(stats.large_blocks, large);
                assert_int_equal(stats.large_bytes, large_bytes);
                support_check_stats(heap);
            }
        }
        for (size_t i = 0; i < SIZES; i++) {
            for (size_t j = 0; j < 2; j++) {
                bytes -= hak_heap_usable_size(heap, blocks[i][j]);
                count--;
                hak_heap_free(heap, blocks[i][j]);
                support_check_live(heap, count, bytes);
                support_check_stats(heap);
            }
        }
        hak_heap_destroy(heap);
    }
}

/* Blocks of one class in all states of its slabs: carved, full, opened again, empty. */
static void classes_are_counted_at_every_step(void **state)
{
    (void)state;
    support_random random = {support_seed()};
    for (size_t size = 8; size <= 16384; size = size * 5 / 2 + 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
        void *blocks[3000];
        size_t count = 0, most = 3000, usable = 0;
        for (size_t step = 0; step < 9000; step++) {
            bool filling = step < 3000 || (step >= 4500 && step < 6000);
            if (support_below(&random, 100) < (filling ? 90u : 20u) && count < most) {
                blocks[count++] = hak_heap_alloc(heap, size);
                usable = hak_heap_usable_size(heap, blocks[0]);
            } else if (count > 0) {
                size_t i = support_below(&random, count);
                hak_heap_free(heap, blocks[i]);
                blocks[i] = blocks[--count];
            }
            if (step % 37 && count) continue;
            hak_stats stats = support_stats(heap);
            assert_int_equal(stats.live_blocks, count);
            assert_int_equal(stats.live_bytes, count * usable);
            if (count) {
                assert_int_equal(stats.classes, 1);
                assert_int_equal(stats.class_stats[0].block_size, usable);
                assert_int_equal(stats.class_stats[0].live, count);
                assert_true(stats.class_stats[0].footprint >= count * usable);
                assert_true(stats.class_stats[0].footprint <= stats.footprint - stats.retained);
            }
        }
        hak_heap_destroy(heap);
    }
}

static void footprint_is_what_is_touched(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    hak_heap_trim(heap);
    assert_int_equal(support_stats(heap).footprint, 0);
    void *small = hak_heap_alloc(heap, 10);
    size_t begin = support_stats(heap).footprint;
    assert_true(begin == PAGE || begin == 2 * PAGE); /* one may hold records */
    assert_int_equal(support_stats(heap).committed, (size_t)1 << HAK_UNIT_SHIFT);
    void *span = hak_heap_alloc(heap, 100 * KIB + 1);
    assert_int_equal(support_stats(heap).footprint, begin + 104 * KIB);
    void *huge = hak_heap_alloc(heap, 10 * MIB);
    size_t all = begin + 104 * KIB + 10 * MIB;
    assert_int_equal(support_stats(heap).footprint, all);
    assert_int_equal(support_stats(heap).footprint_peak, all);
    hak_heap_free(heap, huge);
    hak_heap_free(heap, span);
    hak_stats stats = support_stats(heap);
    assert_int_equal(stats.footprint - stats.retained, begin);
    assert_int_equal(stats.footprint_peak, all);
    for (size_t i = 0; i < 100; i++) assert_non_null(hak_heap_alloc(heap, 1000));
    /* All but the first few, which share pages with other classes, live on what is retained. */
    assert_true(support_stats(heap).footprint_peak <= all + PAGE);
    hak_heap_free(heap, small);
    hak_heap_destroy(heap);
}

/* Pages that a destroyed heap has left, and the next one takes over, are that one's. */
static void what_is_taken_over_counts(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < 50; i++) memset(hak_heap_alloc(heap, 60000), 1, 60000);
    hak_heap_destroy(heap);
    heap = hak_heap_new(NULL);
    hak_stats stats = support_stats(heap);
    assert_int_equal(stats.footprint, stats.retained);
    assert_true(stats.footprint_peak >= stats.footprint);
    support_check_stats(heap);
    assert_true(hak_heap_trim(heap) >= stats.footprint);
    assert_int_equal(support_stats(heap).footprint, 0);
    hak_heap_destroy(heap);
}

static void events_are_counted(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    hak_heap_trim(heap);
    hak_stats before = support_stats(heap);
    void **blocks = calloc(200000, sizeof *blocks);
    for (size_t i = 0; i < 200000; i++) blocks[i] = hak_heap_alloc(heap, 64);
    hak_stats full = support_stats(heap);
    assert_true(full.refills >= before.refills + 200000 * 64 / (64 * KIB));
    assert_true(full.superslabs >= 200000 * 64 / (4 * MIB));
    assert_true(full.metadata > before.metadata);
    assert_true(full.metadata < full.footprint / 8);
    for (size_t i = 0; i < 200000; i++) hak_heap_free(heap, blocks[i]);
    hak_heap_trim(heap);
    hak_stats empty = support_stats(heap);
    assert_true(empty.retires >= full.retires + 200000 * 64 / (64 * KIB));
    assert_true(empty.purges > full.purges);
    assert_true(empty.os.madvise > full.os.madvise);
    assert_true(empty.superslabs <= 1);
    assert_true(empty.metadata < full.metadata);
    free(blocks);
    hak_heap_destroy(heap);
}

static void heaps_are_counted_apart(void **state)
{
    (void)state;
    hak_heap *one = hak_heap_new(NULL), *other = hak_heap_new(NULL);
    for (size_t i = 0; i < SIZES; i++) {
        assert_non_null(hak_heap_alloc(one, sizes[i]));
        if (i % 2) assert_non_null(hak_heap_alloc(other, sizes[i]));
    }
    assert_int_equal(support_stats(one).live_blocks, SIZES);
    assert_int_equal(support_stats(other).live_blocks, SIZES / 2);
    hak_heap_destroy(one);
    assert_int_equal(support_stats(other).live_blocks, SIZES / 2);
    support_check_stats(other);
    hak_heap_destroy(other);
}

/* The heap's own page counts until the first block is there, and its page with it; the records of
 * the nest and of each superslab always. */
static void metadata_is_what_lies_beside(void **state)
{
    (void)state;
    enum { RECORD = 64, SUPERSLAB = 64 * RECORD + 128 };
    hak_heap *heap = hak_heap_new(NULL);
    assert_int_equal(support_stats(heap).metadata, RECORD + PAGE);
    assert_non_null(hak_heap_alloc(heap, 10));
    assert_int_equal(support_stats(heap).metadata, RECORD);
    for (size_t i = 1; i < 4; i++) {
        while (support_stats(heap).superslabs < i) assert_non_null(hak_heap_alloc(heap, MIB / 2));
        assert_int_equal(support_stats(heap).metadata, RECORD + i * SUPERSLAB);
    }
    hak_heap_destroy(heap);

    /* On a caller's memory there is nothing else beside the units, wherever it begins. */
    static char memory[MIB + 128 * KIB];
    for (size_t offset = 0; offset < 128 * KIB; offset += 96) {
        hak_heap_options options = {.memory = memory + offset, .memory_size = MIB};
        heap = hak_heap_new(&options);
        assert_non_null(heap);
        hak_stats stats = support_stats(heap);
        assert_true(stats.metadata > 4 * KIB && stats.metadata + stats.committed <= MIB);
        assert_true(hak_heap_alloc(heap, 10) && support_stats(heap).metadata == stats.metadata);
        hak_heap_destroy(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_is_counted),
        cmocka_unit_test(classes_are_counted_at_every_step),
        cmocka_unit_test(footprint_is_what_is_touched),
        cmocka_unit_test(what_is_taken_over_counts),
        cmocka_unit_test(events_are_counted),
        cmocka_unit_test(heaps_are_counted_apart),
        cmocka_unit_test(metadata_is_what_lies_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
