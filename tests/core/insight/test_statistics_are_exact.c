/* The statistics say what is: live blocks and bytes to the byte, by class and in all, the footprint
 * beside them; and the same in JSON, which any parser reads, and which is cut as snprintf cuts. */
#include "heap/blocks.h"
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sizes.h"

/* ------------------------------------------------------------------ accounts */

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

/* ------------------------------------------------------------------ JSON */

/* Has Python parse `json`, strictly, and evaluate `expression` with it as `d`. */
static size_t python(const char *json, const char *expression)
{
    char path[SUPPORT_PATH], command[1024 + SUPPORT_PATH];
    FILE *file = fdopen(support_temporary_file(path), "w");
    assert_non_null(file);
    assert_true(fputs(json, file) >= 0 && fclose(file) == 0);
    snprintf(command, sizeof command,
             "python3 -c \"import json; d = json.loads(open('%s', 'rb').read().decode('utf-8'), "
             "object_pairs_hook=lambda p: dict(p) if len(dict(p)) == len(p) else 1 / 0); "
             "print(int(%s))\"",
             path, expression);
    FILE *answer = popen(command, "r");
    assert_non_null(answer);
    size_t value = 0;
    int read = fscanf(answer, "%zu", &value);
    int status = pclose(answer);
    REQUIRE_THAT(read == 1 && status == 0, "python3 cannot read %s", json);
    remove(path);
    return value;
}

/* The whole text, in memory of its own. */
static char *json_of(const hak_heap *heap)
{
    size_t length = hak_heap_stats_json(heap, NULL, 0);
    char *text = malloc(length + 1);
    assert_non_null(text);
    assert_int_equal(hak_heap_stats_json(heap, text, length + 1), length);
    assert_int_equal(strlen(text), length);
    return text;
}

static void json_says_the_same(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.name = "scripts", .profile = "balanced", .limit = 200 * MIB});
    for (size_t i = 0; i < SIZES; i++) {
        assert_non_null(hak_heap_alloc(heap, sizes[i]));
        hak_heap_free(heap, hak_heap_alloc(heap, sizes[i]));
    }
    hak_stats stats = support_stats(heap);
    size_t count, expected = 0;
    const hak_stats_field *fields = hak_stats_fields(&count);
    char *json = json_of(heap), sum[1024] = "";
    for (size_t i = 0; i < count; i++) {
        size_t value;
        memcpy(&value, (const char *)&stats + fields[i].offset, sizeof value);
        expected += (i + 1) * value;
        size_t length = strlen(sum);
        snprintf(sum + length, sizeof sum - length, "%zu * d['%s'] + ", i + 1, fields[i].name);
    }
    strcat(sum, "0");
    assert_int_equal(python(json, sum), expected);
    assert_int_equal(python(json, "d['os_calls']['total'] + 3 * d['os_calls']['failed'] + "
                                  "5 * len(d['classes'])"),
                     stats.os.total + 3 * stats.os.failed + 5 * stats.classes);
    assert_int_equal(python(json,
                            "sum(d['os_calls'][k] for k in ('mmap', 'madvise', "
                            "'mremap', 'munmap')) == d['os_calls']['total'] "
                            "and sum(c['size'] * c['live'] for c in d['classes']) + "
                            "d['large_bytes'] == d['live_bytes'] "
                            "and all(c['footprint'] and c['slabs'] >= 0 for c in d['classes']) "
                            "and (d['name'], d['profile'], d['version']) == "
                            "('scripts', 'balanced', '" HAK_VERSION "')"),
                     1);
    free(json);
    hak_heap_destroy(heap);
}

static void json_is_json_whatever_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in_python;
    } names[] = {
        {"", "''"},
        {"quote \" backslash \\ slash /",
         "'quote ' + chr(34) + ' backslash ' + chr(92) + ' slash /'"},
        {"\n\t\r\b\f\x01\x1f\x7f", "bytes((10, 9, 13, 8, 12, 1, 31, 127)).decode()"},
        {"gr\xc3\xbc\xc3\x9f", "bytes((103, 114, 195, 188, 195, 159)).decode()"},
        /* The first and the last of each length, and what lies beside them. */
        {"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
         "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
         "''.join(map(chr, (0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, "
         "0x10ffff)))"},
        {"\xc1\xbf\xe0\x9f\xbf\xed\xa0\x80\xed\xbf\xbf\xf0\x8f\xbf\xbf\xf4\x90\x80\x80\xf8\x80",
         "chr(0xfffd) * 21"},
        /* Cut within a character after 31 bytes, and no UTF-8 to begin with: any text will do. */
        {"0123456789012345678901234567\xe2\x82\xac\xe2\x82\xac", NULL},
        {"012345678901234567890123456789\xc3\xbc", NULL},
        {"\xff\xfe latin 1: \xfc \xc0\x80 \xed\xa0\x80 \xf5\x80\x80\x80 \xe2\x82", NULL},
        {"\x80\x80", NULL},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.name = names[i].name});
        char *json = json_of(heap), expression[300];
        snprintf(expression, sizeof expression, "d['name'] == %s",
                 names[i].in_python ? names[i].in_python : "d['name'] or True");
        assert_int_equal(python(json, expression), 1);
        free(json);
        hak_heap_destroy(heap);
    }
}

static void json_is_cut_as_snprintf_cuts(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < SIZES; i++) assert_non_null(hak_heap_alloc(heap, sizes[i]));
    char *whole = json_of(heap);
    size_t length = strlen(whole);
    char *part = malloc(length + 16);
    for (size_t size = 0; size < length + 8; size += 1 + size / 50) {
        memset(part, '#', length + 16);
        assert_int_equal(hak_heap_stats_json(heap, part, size), length);
        if (size > 0) {
            size_t kept = size - 1 < length ? size - 1 : length;
            assert_memory_equal(part, whole, kept);
            assert_int_equal(part[kept], 0);
            assert_int_equal(part[kept + 1], '#');
        } else {
            assert_int_equal(part[0], '#');
        }
    }
    assert_int_equal(hak_heap_stats_json(heap, part, length + 1), length);
    assert_string_equal(part, whole);
    assert_int_equal(hak_heap_stats_json(heap, part, length), length);
    assert_int_equal(strlen(part), length - 1);
    free(part);
    free(whole);
    hak_heap_destroy(heap);
}

/* ------------------------------------------------------------------ of the process */

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

    /* On a caller's memory there is nothing else beside the units. */
    static char memory[MIB];
    heap = hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = sizeof memory});
    assert_non_null(heap);
    hak_stats stats = support_stats(heap);
    assert_true(stats.metadata > 4 * KIB && stats.metadata + stats.committed <= sizeof memory);
    assert_true(hak_heap_alloc(heap, 10) && support_stats(heap).metadata == stats.metadata);
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
        cmocka_unit_test(every_block_is_counted),
        cmocka_unit_test(classes_are_counted_at_every_step),
        cmocka_unit_test(footprint_is_what_is_touched),
        cmocka_unit_test(what_is_taken_over_counts),
        cmocka_unit_test(events_are_counted),
        cmocka_unit_test(heaps_are_counted_apart),
        cmocka_unit_test(json_says_the_same),
        cmocka_unit_test(json_is_json_whatever_the_name),
        cmocka_unit_test(json_is_cut_as_snprintf_cuts),
        cmocka_unit_test(no_file_stays_open),
        cmocka_unit_test(metadata_is_what_lies_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
