/* What a heap has is used again, by blocks of whatever size, before its footprint passes its last
 * peak: pages of free units, of retained huge blocks, of empty slabs, and holes. */
#include "heap/blocks.h"
#include "support.h"

static hak_heap *fresh_heap(void)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "speed"});
    assert_non_null(heap);
    hak_heap_trim(heap); /* what destroyed heaps have left */
    return heap;
}

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
    hak_heap *heap = fresh_heap();
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
    hak_heap *heap = fresh_heap();
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
    hak_heap *heap = fresh_heap();
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
        hak_heap *heap = fresh_heap();
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
        hak_heap *heap = fresh_heap();
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
    hak_heap *heap = fresh_heap();
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
    hak_heap *heap = fresh_heap();
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
        hak_heap *heap = fresh_heap();
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
    hak_heap *heap = fresh_heap();
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
    hak_heap *heap = fresh_heap();
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

/* Full slabs sleep until a part of them is free. A growing heap wakes them earlier. */
static void holes_are_filled_at_a_peak(void **state)
{
    (void)state;
    static const hak_hints in_order = {.in_order = true, .work_most = SIZE_MAX};
    static const struct {
        const hak_hints *hints; /* NULL: the usual ones */
        size_t one_in;          /* so many is freed */
    } cases[] = {{&in_order, 6}, {&in_order, 30}, {NULL, 30}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = fresh_heap();
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

/* How many blocks of a full slab are freed until it is used again; `*capacity`: how many it has. */
static size_t frees_until_it_wakes(const hak_hints *hints, const char *settings, size_t *capacity)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = settings});
    assert_non_null(heap);
    if (hints) heap->hints = hints;
    fill(heap, small, BLOCKS, 64);
    size_t i = BLOCKS / 2, count = 0;
    hak_slab *slab = &heap->slabs[((uintptr_t)small[i] - heap->base) >> HAK_UNIT_SHIFT];
    *capacity = slab->capacity;
    for (; slab->state == HAK_SLAB_FULL; i++) {
        REQUIRE(i < BLOCKS);
        hak_slab *of = &heap->slabs[((uintptr_t)small[i] - heap->base) >> HAK_UNIT_SHIFT];
        if (of != slab) continue;
        hak_heap_free(heap, small[i]);
        count++;
    }
    hak_heap_destroy(heap);
    return count;
}

/* Whatever the heap's hints are, `wake` says which part of it that is. */
static void a_full_slab_wakes_when_enough_of_it_is_free(void **state)
{
    (void)state;
    static const hak_hints in_order = {.in_order = true, .work_most = SIZE_MAX};
    static const struct {
        const char *settings;
        unsigned wake;
    } cases[] = {{"wake=2", 2}, {"wake=3", 3}, {"wake=4", 4}, {"wake=6", 6}};
    if (!hak_settings_valid("wake=3", NULL, 0)) skip(); /* the build has it fixed */
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int sorted = 0; sorted < 2; sorted++) {
            size_t capacity, frees = frees_until_it_wakes(sorted ? &in_order : NULL,
                                                          cases[i].settings, &capacity);
            REQUIRE_THAT(frees == 1 + (capacity >> cases[i].wake), "%s: %zu of %zu",
                         cases[i].settings, frees, capacity);
        }
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
        hak_heap *heap = fresh_heap();
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

#define SLABS 17

static hak_slab *slab_of(const hak_heap *heap, const void *block)
{
    return &heap->slabs[((uintptr_t)block - heap->base) >> HAK_UNIT_SHIFT];
}

/* Which of some slabs, opened in this order, a class uses next: each has so many blocks left. */
static size_t used_next(const uint32_t *live, size_t count)
{
    hak_heap *heap = hak_heap_new(NULL);
    hak_slab *slabs[SLABS];
    size_t found = 0;
    for (size_t i = 0; i < BLOCKS; i++) assert_non_null(small[i] = hak_heap_alloc(heap, 64));
    for (size_t i = 0; i < BLOCKS && found < count; i++) {
        hak_slab *slab = slab_of(heap, small[i]);
        if (slab->state != HAK_SLAB_FULL) continue;
        for (uint32_t n = live[found]; n < slab->capacity; n++) {
            hak_heap_free(heap, slab->start + n * slab->block_size);
        }
        slabs[found++] = slab;
    }
    assert_int_equal(found, count);
    hak_slab *current = slab_of(heap, small[BLOCKS - 1]), *next = current;
    while (next == current) next = slab_of(heap, hak_heap_alloc(heap, 64));
    size_t index = 0;
    while (index < count && slabs[index] != next) index++;
    hak_heap_destroy(heap);
    return index;
}

/* The first that is more than half live, so that emptier ones can run empty; if there is none, the
 * fullest, among the first sixteen. */
static void slabs_are_used_as_far_as_they_are_full(void **state)
{
    (void)state;
    static const struct {
        size_t count, next;
        uint32_t live[SLABS];
    } cases[] = {
        {1, 0, {100}},
        {3, 1, {300, 600, 900}},
        {3, 0, {513, 300, 900}},
        {3, 2, {512, 300, 513}},
        {4, 1, {300, 400, 350, 400}},
        {16, 15, {[0 ... 14] = 300, 301}},
        {17, 0, {[0 ... 15] = 300, 301}},
    };
    if (HAK_UNIT_SHIFT != 16) skip();
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t next = used_next(cases[i].live, cases[i].count);
        REQUIRE_THAT(next == cases[i].next, "case %zu: %zu, not %zu", i, next, cases[i].next);
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
        cmocka_unit_test(a_growing_block_takes_the_pages_of_one_before),
        cmocka_unit_test(what_is_behind_a_growing_block_is_not_lost),
        cmocka_unit_test(holes_are_filled_at_a_peak),
        cmocka_unit_test(a_full_slab_wakes_when_enough_of_it_is_free),
        cmocka_unit_test(large_blocks_keep_to_the_peak),
        cmocka_unit_test(slabs_are_used_as_far_as_they_are_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
