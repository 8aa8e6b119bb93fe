/* The statistics of the process are the sums over its heaps, with what heaps have left and what the
 * OS was asked for; to read them leaves no file open. */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static hak_process_stats process(void)
{
    hak_process_stats stats;
    memset(&stats, 0xa5, sizeof stats);
    hak_process_stats_read(&stats);
    return stats;
}

static void the_process_is_the_sum_of_its_heaps(void **state)
{
    (void)state;
    hak_process_stats begin = process();
    hak_heap *heaps[5];
    void *huge[COUNT(heaps)];
    size_t footprint = 0, retained = 0;
    for (size_t i = 0; i < COUNT(heaps); i++) {
        heaps[i] = hak_heap_new(&(hak_heap_options){.profile = "balanced"});
        hak_heap_free(heaps[i], hak_heap_alloc(heaps[i], (i + 1) * 50000));
        for (size_t j = 0; j < 1000 * i; j++) assert_non_null(hak_heap_alloc(heaps[i], 100));
        huge[i] = hak_heap_alloc(heaps[i], (3 + i) * MIB);
        footprint += support_stats(heaps[i]).footprint;
        retained += support_stats(heaps[i]).retained;
    }
    hak_process_stats full = process();
    assert_int_equal(full.heaps - begin.heaps, COUNT(heaps));
    assert_int_equal(full.footprint - begin.footprint, footprint);
    assert_int_equal(full.retained - begin.retained, retained);
    assert_int_equal(full.huge_blocks_taken - begin.huge_blocks_taken, COUNT(heaps));
    assert_true(full.superslabs_taken >= begin.superslabs_taken + COUNT(heaps));
    assert_true(full.committed >= begin.committed + 25 * MIB);
    assert_true(full.committed <= full.reserved);
    assert_true(full.page_faults > begin.page_faults);
    assert_int_equal(full.madvise_disabled, 0);
    assert_int_equal(full.os.total, support_stats(heaps[0]).os.total);
    support_fill(huge[4], 7 * MIB, 1);
    hak_process_stats now = process();
    REQUIRE_THAT(now.resident >= full.resident + 6 * MIB, "%zu, then %zu", full.resident,
                 now.resident);

    for (size_t i = COUNT(heaps); i-- > 0;) hak_heap_destroy(heaps[i]);
    hak_process_stats end = process();
    assert_int_equal(end.heaps, begin.heaps);
    assert_int_equal(end.footprint, begin.footprint);
    assert_true(end.superslabs_given >= begin.superslabs_given + COUNT(heaps));
    assert_true(end.pooled <= 4 * MIB);
}

/* What a heap leaves counts as pooled until another takes it, or a trim gives it back. */
static void what_heaps_leave_is_pooled(void **state)
{
    (void)state;
    enum { BLOCKS = 5000, SIZE = 1000 };
    hak_heap *keeper = hak_heap_new(NULL);
    hak_heap_trim(keeper);
    assert_int_equal(process().pooled, 0);
    size_t left = 0;
    for (size_t round = 0; round < 4; round++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "speed"});
        for (size_t i = 0; i < BLOCKS; i++) memset(hak_heap_alloc(heap, SIZE), 1, SIZE);
        size_t footprint = support_stats(heap).footprint;
        if (round > 0) assert_true(process().pooled + BLOCKS * SIZE / 2 < left);
        hak_heap_destroy(heap);
        size_t pooled = process().pooled;
        REQUIRE_THAT(pooled >= BLOCKS * SIZE && pooled <= footprint + left, "%zu of %zu", pooled,
                     footprint);
        if (round > 0) REQUIRE_THAT(pooled == left, "%zu, then %zu", left, pooled);
        left = pooled;
    }
    assert_true(hak_heap_trim(keeper) >= left);
    assert_int_equal(process().pooled, 0);
    hak_heap_destroy(keeper);
}

/* One line at exit, where the environment asks for it. */
static void end_with_a_line(void *context)
{
    if (context) setenv("HAKMEM_SS_OS_STATS", context, 1);
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "speed"});
    hak_heap_free(heap, hak_heap_alloc(heap, 3 * MIB));
    hak_heap_new(NULL);
    exit(0);
}

static void the_os_calls_are_told_at_exit(void **state)
{
    (void)state;
    support_child child = support_fork(end_with_a_line, "1", 10);
    assert_int_equal(child.lines, 1);
    size_t numbers[10];
    int read = sscanf(child.text,
                      "[SS_OS_STATS] alloc=%zu free=%zu madvise=%zu madvise_enomem=%zu "
                      "madvise_other=%zu madvise_disabled=%zu mmap_total=%zu fallback_mmap=%zu "
                      "huge_alloc=%zu huge_fail=%zu\n",
                      &numbers[0], &numbers[1], &numbers[2], &numbers[3], &numbers[4], &numbers[5],
                      &numbers[6], &numbers[7], &numbers[8], &numbers[9]);
    REQUIRE_THAT(read == 10, "it says %s", child.text);
    assert_int_equal(numbers[0], 1);
    /* Two of records, a superslab for the nest, records of the huge block's, and that. */
    assert_int_equal(numbers[6], 5);
    assert_int_equal(numbers[8], 1);
    assert_int_equal(support_fork(end_with_a_line, "0", 10).lines, 0);
    assert_int_equal(support_fork(end_with_a_line, NULL, 10).lines, 0);
}

/* Files that are read or written are closed again, whatever their number is. */
static void read_without_stdin(void *context)
{
    (void)context;
    char path[SUPPORT_PATH];
    close(support_temporary_file(path));
    hak_heap *heap = hak_heap_new(NULL);
    close(STDIN_FILENO);
    for (size_t i = 0; i < 3; i++) {
        REQUIRE(process().resident > PAGE && process().resident <= support_status("VmHWM:"));
        REQUIRE(hak_heap_map(heap, path));
    }
    REQUIRE(open(path, O_RDONLY) == STDIN_FILENO);
    REQUIRE(lseek(STDIN_FILENO, 0, SEEK_END) > 1000);
    unlink(path);
}

static void no_file_stays_open(void **state)
{
    (void)state;
    support_in_child(read_without_stdin, NULL, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* In children, which must be the first to make a heap. */
        cmocka_unit_test(the_os_calls_are_told_at_exit),
        cmocka_unit_test(the_process_is_the_sum_of_its_heaps),
        cmocka_unit_test(what_heaps_leave_is_pooled),
        cmocka_unit_test(no_file_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
