/* A heap is cheap enough to have one for each VM: 10,000 at once, with a block or two in each, hold
 * a page of resident memory apiece, and records of 64 bytes, and give it back. Of a caller's memory
 * the records take little. */
#include "support.h"

#include <stdlib.h>

#include "heap/adapter.h"

#define HEAPS 10000

static hak_heap *heaps[HEAPS];

/* How many blocks heap number `i` has: `blocks`, or for 0 one or two by turns. */
static size_t blocks_of(size_t i, size_t blocks)
{
    return blocks ? blocks : 1 + i % 2;
}

static void make_them(const char *profile, size_t blocks)
{
    for (size_t i = 0; i < HEAPS; i++) {
        heaps[i] = hak_heap_new(&(hak_heap_options){.granularity = 8, .profile = profile});
        REQUIRE(heaps[i]);
        for (size_t j = 0; j < blocks_of(i, blocks); j++) {
            size_t size = 40 + (i * 3 + j * 200) % 500;
            void *block = hak_heap_alloc(heaps[i], size);
            REQUIRE(block);
            support_fill(block, size, i);
        }
    }
}

/* In a child: nothing has been resident before. */
static void hold_them(void *context)
{
    size_t blocks = *(size_t *)context;
    hak_heap_destroy(hak_heap_new(NULL));
    support_fill_pages(heaps, sizeof heaps, 0);
    size_t begin = support_resident();
    make_them("speed", blocks);
    size_t full = support_resident();
    size_t each = (full - begin) / HEAPS;
    print_message("%zu bytes a heap\n", each);
    REQUIRE_THAT(each <= PAGE + 128, "%zu bytes a heap", each);
    for (size_t i = 0; i < HEAPS; i++) {
        REQUIRE(support_stats(heaps[i]).live_blocks == blocks_of(i, blocks));
        REQUIRE(support_stats(heaps[i]).footprint == PAGE);
        REQUIRE(support_stats(heaps[i]).metadata <= 64);
    }

    /* In an order of their own; half of them are made again in between. */
    for (size_t i = 0; i < HEAPS; i++) {
        size_t at = i * 7919 % HEAPS; /* a prime: each once */
        hak_heap_destroy(heaps[at]);
        heaps[at] = at % 2 ? hak_heap_new(NULL) : NULL;
        REQUIRE(heaps[at] || at % 2 == 0);
    }
    for (size_t i = 1; i < HEAPS; i += 2) {
        REQUIRE(hak_heap_alloc(heaps[i], 100));
        hak_heap_destroy(heaps[i]);
    }
    hak_heap *heap = hak_heap_new(NULL);
    hak_heap_trim(heap);
    size_t end = support_resident();
    REQUIRE_THAT(end <= begin + MIB, "%zu, %zu, %zu bytes", begin, full, end);

    /* And no more the second time. */
    make_them("speed", blocks);
    REQUIRE(support_resident() <= full + MIB);
    for (size_t i = 0; i < HEAPS; i++) hak_heap_destroy(heaps[i]);
    hak_heap_trim(heap);
    REQUIRE(support_resident() <= end + MIB);
    hak_heap_destroy(heap);
}

static void ten_thousand_heaps_of_one_or_two_blocks_are_small(void **state)
{
    (void)state;
    support_in_child(hold_them, &(size_t){0}, 60);
}

static void ten_thousand_heaps_of_one_block_are_small(void **state)
{
    (void)state;
    support_in_child(hold_them, &(size_t){1}, 60);
}

static void ten_thousand_heaps_of_two_blocks_are_small(void **state)
{
    (void)state;
    support_in_child(hold_them, &(size_t){2}, 60);
}

/* A class stays where the heap begins as long as it is not busy within one cycle of the collector,
 * however many there are. */
static void small_blocks_by_the_cycle_stay_where_the_heap_begins(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    void *block = hak_heap_alloc(heap, 64);
    assert_true(block && hak_heap_alloc(heap, 64)); /* behind it */
    for (size_t cycle = 0; cycle < 20; cycle++) {
        for (size_t i = 0; i < 400; i++) {
            hak_heap_free(heap, block);
            assert_non_null(block = hak_heap_alloc(heap, 64));
        }
        hak_heap_settle(heap);
    }
    assert_int_equal(support_stats(heap).superslabs, 0);
    for (size_t i = 0; i < 2500; i++) {
        void *more = hak_heap_alloc(heap, 64);
        hak_heap_free(heap, block);
        assert_non_null(block = more);
    }
    assert_int_equal(support_stats(heap).superslabs, 1);
    hak_heap_destroy(heap);
}

/* Blocks of an odd number of eight bytes come in pairs, so that the next one of an even number is
 * aligned without a gap. */
static void sizes_by_turns_lie_side_by_side(void **state)
{
    (void)state;
    enum { PAIRS = 100 };
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    char *first = hak_heap_alloc(heap, 24), *last = first;
    for (size_t i = 0; i < PAIRS; i++) {
        char *even = hak_heap_alloc(heap, 32), *odd = hak_heap_alloc(heap, 24);
        assert_true(even && odd && (size_t)even % 16 == 0);
        if (last < even) last = even;
        if (last < odd) last = odd;
    }
    size_t bytes = (size_t)(last - first), each = bytes / PAIRS;
    REQUIRE_THAT(each <= 56, "%zu bytes for 24 and 32", each);
    hak_heap_destroy(heap);
}

/* The second of a pair counts as new when it is taken: a class that has reused one block stays. */
static void sizes_that_come_in_pairs_stay_where_the_heap_begins(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    hak_heap_free(heap, hak_heap_alloc(heap, 24));
    size_t fit =
        (((size_t)1 << HAK_UNIT_SHIFT) - 4 * KIB) / 24; /* the heap takes less than 4 KiB */
    for (size_t i = 0; i < fit; i++) assert_non_null(hak_heap_alloc(heap, 24));
    assert_int_equal(support_stats(heap).superslabs, 0);
    hak_heap_destroy(heap);
}

/* A block of the nest is resized where it is, within its class or as the last one. To other sizes
 * it is moved: of a small one the caller is told how many bytes it has. */
static void blocks_of_the_nest_are_resized_where_they_are(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    char *first = hak_heap_alloc(heap, 112), *last = hak_heap_alloc(heap, 112);
    size_t had = 0;
    assert_true(hak__heap_resize_in_nest(heap, first, 105, &had) && had == 112);
    assert_true(hak__heap_resize_in_nest(heap, last, 200, &had) && had == 112);
    assert_false(hak__heap_resize_in_nest(heap, first, 200, &had));
    assert_int_equal(had, 112);
    assert_false(hak__heap_resize_in_nest(heap, first, HAK_SMALL_MAX + 1, &had));
    assert_int_equal(had, 0);
    hak_heap_destroy(heap);
}

static void records_take_little_of_the_callers_memory(void **state)
{
    (void)state;
    for (size_t size = 512 * KIB; size <= 256 * MIB; size *= 2) {
        void *memory = malloc(size);
        assert_non_null(memory);
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = size});
        assert_non_null(heap);
        size_t metadata = support_stats(heap).metadata, most = 48 * KIB + size / 200;
        REQUIRE_THAT(metadata <= most, "%zu bytes of %zu", metadata, size);
        /* All the rest can be one block, but for the last unit. */
        assert_non_null(hak_heap_alloc(heap, size - most - 64 * KIB));
        hak_heap_destroy(heap);
        free(memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_heaps_of_one_or_two_blocks_are_small),
        cmocka_unit_test(ten_thousand_heaps_of_one_block_are_small),
        cmocka_unit_test(ten_thousand_heaps_of_two_blocks_are_small),
        cmocka_unit_test(small_blocks_by_the_cycle_stay_where_the_heap_begins),
        cmocka_unit_test(sizes_by_turns_lie_side_by_side),
        cmocka_unit_test(sizes_that_come_in_pairs_stay_where_the_heap_begins),
        cmocka_unit_test(blocks_of_the_nest_are_resized_where_they_are),
        cmocka_unit_test(records_take_little_of_the_callers_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
