/* What a heap has is used again, by blocks of whatever size, before its footprint passes its last
 * peak: pages of free units, of retained huge blocks, of empty slabs, and holes. */
#include "heap/blocks.h"
#include "support.h"

static size_t peak_of(hak_heap *heap)
{
    return support_stats(heap).footprint_peak;
}

static void fill(hak_heap *heap, void **blocks, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = hak_heap_alloc(heap, size);
        assert_non_null(blocks[i]);
        support_fill(blocks[i], size, i);
    }
}

static void check_and_free(hak_heap *heap, void **blocks, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (!blocks[i]) continue;
        REQUIRE(support_intact(blocks[i], size, i) == size);
        hak_heap_free(heap, blocks[i]);
    }
}

#define BLOCKS 40000

static void *small[BLOCKS];

/* A buffer that grows through all the classes of medium blocks leaves no slab to each. */
static void a_growing_block_leaves_no_slabs(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    void *block = hak_heap_alloc(heap, 1100);
    for (size_t size = 1200; size <= 16 * KIB; size += 100) {
        support_fill(block, size - 100, size);
        block = hak_heap_realloc(heap, block, size);
        assert_non_null(block);
        REQUIRE(support_intact(block, size - 100, size) == size - 100);
    }
    REQUIRE_THAT(peak_of(heap) <= 96 * KIB, "%zu", peak_of(heap));
    support_check_live(heap, 1, hak_heap_usable_size(heap, block));
    hak_heap_free(heap, block);
    hak_heap_destroy(heap);
}

/* A class whose only block comes and goes keeps its slab in the end. */
static void a_busy_class_keeps_its_slab(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    for (size_t i = 0; i < 1000; i++) {
        void *block = hak_heap_alloc(heap, 5000);
        assert_non_null(block);
        hak_heap_free(heap, block);
    }
    size_t retires = support_stats(heap).retires;
    REQUIRE_THAT(retires > 0 && retires < 100, "%zu", retires);
    support_check_live(heap, 0, 0);
    hak_heap_destroy(heap);
}

/* The pages that a heap begins with are full of free blocks of one size, none of which can be cut:
 * they serve another size. */
static void the_beginning_serves_other_sizes(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    size_t count = 0;
    while (support_stats(heap).superslabs == 0) fill(heap, &small[count++], 1, 48);
    size_t peak = peak_of(heap);
    for (size_t i = 0; i < count; i++) hak_heap_free(heap, small[i]);
    support_check_live(heap, 0, 0);
    size_t others = count * 48 / 112 / 2;
    fill(heap, small, others, 112);
    REQUIRE_THAT(peak_of(heap) == peak, "%zu, %zu", peak_of(heap), peak);
    check_and_free(heap, small, others, 112);
    hak_heap_destroy(heap);
}

/* And larger free blocks there are cut for smaller ones, though a block lives on among them. */
static void blocks_at_the_beginning_are_cut(void **state)
{
    (void)state;
    static const struct {
        size_t size, part;
    } cases[] = {{1000, 48}, {64, 32}, {112, 16}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = support_fresh_heap("speed");
        size_t size = cases[i].size, part = cases[i].part, count = 0;
        while (support_stats(heap).superslabs == 0) fill(heap, &small[count++], 1, size);
        size_t peak = peak_of(heap);
        for (size_t j = 1; j < count; j++) hak_heap_free(heap, small[j]);
        size_t parts = count * size / part / 2;
        fill(heap, small + 1, parts, part);
        REQUIRE_THAT(peak_of(heap) == peak, "%zu bytes: %zu, %zu", size, peak_of(heap), peak);
        support_check_stats(heap);
        check_and_free(heap, small + 1, parts, part);
        check_and_free(heap, small, 1, size);
        support_check_live(heap, 0, 0);
        hak_heap_destroy(heap);
    }
}

/* A heap that has refused a size, and then has room for it, gives it at the first request. */
static void the_rest_of_a_cut_block_is_not_forgotten(void **state)
{
    (void)state;
    static char memory[HAK_MEMORY_MIN];
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.granularity = 8, .memory = memory, .memory_size = sizeof memory});
    void *first = hak_heap_alloc(heap, 128);
    assert_non_null(first);
    while (hak_heap_alloc(heap, 128)) continue;
    while (hak_heap_alloc(heap, 16)) continue;
    size_t refusals = support_stats(heap).refusals;
    hak_heap_free(heap, first);
    assert_non_null(hak_heap_alloc(heap, 32));
    for (size_t i = 0; i < (128 - 32) / 16; i++) assert_non_null(hak_heap_alloc(heap, 16));
    assert_int_equal(support_stats(heap).refusals, refusals);
    assert_null(hak_heap_alloc(heap, 16));
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

static void large_blocks_come_from_what_small_ones_left(void **state)
{
    (void)state;
    static const size_t sizes[] = {100000, 400 * KIB, 2 * MIB};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        hak_heap *heap = support_fresh_heap("speed");
        fill(heap, small, BLOCKS, 64);
        check_and_free(heap, small, BLOCKS, 64);
        size_t peak = peak_of(heap);
        char *block = hak_heap_alloc(heap, sizes[i]);
        assert_non_null(block);
        support_fill(block, sizes[i], i);
        REQUIRE_THAT(peak_of(heap) == peak, "%zu, %zu", peak_of(heap), peak);
        REQUIRE(support_intact(block, sizes[i], i) == sizes[i]);
        support_check_stats(heap);
        hak_heap_free(heap, block);
        hak_heap_destroy(heap);
    }
}

/* Behind a superslab whose free units do not lie together, or are too few, another one has room. */
static void a_superslab_further_on_has_room(void **state)
{
    (void)state;
    const size_t part = HAK_SUPERSLAB_SIZE / 4;
    hak_heap *heap = support_fresh_heap("speed");
    void *first[4], *second[3], *halves[2];
    for (size_t i = 0; i < COUNT(first); i++)
        assert_non_null(first[i] = hak_heap_alloc(heap, part));
    for (size_t i = 0; i < COUNT(second); i++) {
        assert_non_null(second[i] = hak_heap_alloc(heap, part));
    }
    for (size_t i = 0; i < COUNT(halves); i++) {
        assert_non_null(halves[i] = hak_heap_alloc(heap, part / 2));
    }
    assert_int_equal(support_stats(heap).superslabs, 2);
    hak_heap_free(heap, first[1]);
    hak_heap_free(heap, halves[1]); /* that superslab is looked at first */
    hak_heap_trim(heap);
    assert_ptr_equal(hak_heap_alloc(heap, part), first[1]);
    assert_int_equal(support_stats(heap).superslabs, 2);
    hak_heap_destroy(heap);
}

static void small_blocks_come_from_what_a_huge_one_left(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    hak_heap_free(heap, hak_heap_alloc(heap, 4 * MIB));
    size_t peak = peak_of(heap);
    fill(heap, small, BLOCKS, 64);
    size_t grown = peak_of(heap) - peak;
    REQUIRE_THAT(grown < BLOCKS * 64 / 2, "%zu of %d", grown, BLOCKS * 64);
    support_check_stats(heap);
    check_and_free(heap, small, BLOCKS, 64);
    hak_heap_destroy(heap);
}

/* Whether zeroed or not, a smaller huge block is cut from a retained one. */
static void a_huge_block_is_cut_from_a_larger_one(void **state)
{
    (void)state;
    for (int zeroed = 0; zeroed < 2; zeroed++) {
        hak_heap *heap = support_fresh_heap("speed");
        char *large = hak_heap_alloc(heap, 8 * MIB);
        assert_non_null(large);
        support_fill(large, 8 * MIB, 1);
        hak_heap_free(heap, large);
        size_t size = 3 * MIB;
        char *block = zeroed ? hak_heap_zalloc(heap, 1, size) : hak_heap_alloc(heap, size);
        assert_ptr_equal(block, large);
        assert_true(hak_heap_usable_size(heap, block) <= size + size / 4);
        REQUIRE(!zeroed || support_zeros(block, size) == size);
        REQUIRE_THAT(support_stats(heap).footprint <= size + size / 4, "%zu",
                     support_stats(heap).footprint);
        support_check_stats(heap);
        hak_heap_free(heap, block);
        hak_heap_destroy(heap);
    }
}

/* Full slabs sleep until a part of them is free. A growing heap wakes them earlier. */
static void holes_are_filled_at_a_peak(void **state)
{
    (void)state;
    static const hak_hints in_order = {.in_order = true, .clock_most = SIZE_MAX};
    static const struct {
        const hak_hints *hints; /* NULL: the usual ones */
        size_t one_in;          /* so many is freed */
    } cases[] = {{&in_order, 6}, {&in_order, 30}, {NULL, 30}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = support_fresh_heap("speed");
        if (cases[i].hints) heap->hints = cases[i].hints;
        fill(heap, small, BLOCKS, 64);
        size_t peak = peak_of(heap), freed = 0;
        for (size_t j = 0; j < BLOCKS; j += cases[i].one_in) {
            hak_heap_free(heap, small[j]);
            small[j] = NULL;
            freed++;
        }
        static void *again[BLOCKS];
        fill(heap, again, freed, 64);
        size_t grown = peak_of(heap) - peak;
        REQUIRE_THAT(grown < freed * 64 / 4, "%zu: %zu of %zu", i, grown, freed * 64);
        support_check_stats(heap);
        check_and_free(heap, small, BLOCKS, 64);
        check_and_free(heap, again, freed, 64);
        hak_heap_destroy(heap);
    }
}

/* A large block that is new, or grows where it is, takes the place of pages that nothing fits into.
 */
static void large_blocks_keep_to_the_peak(void **state)
{
    (void)state;
    static const struct {
        size_t had, size; /* had 0: a new block */
    } cases[] = {{0, 300 * KIB}, {300 * KIB, 900 * KIB}, {0, 3 * MIB}, {3 * MIB, 6 * MIB}};
    if (HAK_UNIT_SHIFT != 16) skip(); /* the sizes are those of the released build */
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = support_fresh_heap("speed");
        for (size_t j = 0; j < 200; j++) assert_non_null(small[j] = hak_heap_alloc(heap, 60 * KIB));
        void *block = cases[i].had ? hak_heap_alloc(heap, cases[i].had) : NULL;
        for (size_t j = 1; j < 200; j += 2) hak_heap_free(heap, small[j]);
        size_t peak = peak_of(heap), retained = support_stats(heap).retained;
        void *now = hak_heap_realloc(heap, block, cases[i].size);
        assert_true(now && (!block || now == block));
        REQUIRE_THAT(peak_of(heap) == peak, "case %zu: %zu, then %zu", i, peak, peak_of(heap));
        /* As much as it needs goes, to the unit. */
        hak_stats stats = support_stats(heap);
        assert_true(stats.footprint <= peak && stats.footprint + 64 * KIB > peak);
        assert_true(stats.retained + 64 * KIB > retained - cases[i].size + cases[i].had);
        hak_heap_destroy(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_growing_block_leaves_no_slabs),
        cmocka_unit_test(a_busy_class_keeps_its_slab),
        cmocka_unit_test(the_beginning_serves_other_sizes),
        cmocka_unit_test(blocks_at_the_beginning_are_cut),
        cmocka_unit_test(the_rest_of_a_cut_block_is_not_forgotten),
        cmocka_unit_test(large_blocks_come_from_what_small_ones_left),
        cmocka_unit_test(a_superslab_further_on_has_room),
        cmocka_unit_test(small_blocks_come_from_what_a_huge_one_left),
        cmocka_unit_test(a_huge_block_is_cut_from_a_larger_one),
        cmocka_unit_test(holes_are_filled_at_a_peak),
        cmocka_unit_test(large_blocks_keep_to_the_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
