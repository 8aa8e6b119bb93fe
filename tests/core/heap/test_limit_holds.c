/* A heap's footprint never passes its limit, and a heap refuses nothing that would fit: the limit
 * is exact to one carving step (a page, or the block's own pages). What the heap retains, or holds
 * free elsewhere, is used before anything is refused. */
#include "heap/slab.h"

#include "filled.h"

#include <errno.h>
#include <stdlib.h>

static const char *const profiles[] = {"speed", "balanced", "lean"};
static const size_t limits[] = {64 * KIB, 100 * KIB + 1,  256 * KIB,
                                MIB,      3 * MIB + 4097, 20 * MIB - 1};
static const size_t asked[] = {1,     8,     24,    40,     56,      64,          200,
                               1024,  1025,  3000,  4096,   5000,    9000,        16384,
                               16385, 60000, 65536, 200000, 2 * MIB, 2 * MIB + 1, 5 * MIB};

static void a_full_heap_is_full_to_one_step(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(limits); l++) {
        for (size_t i = 0; i < COUNT(asked); i++) {
            if (limits[l] / asked[i] > support_scaled(400000)) continue;
            filled in = filled_new(&(hak_heap_options){.limit = limits[l], .granularity = 8});
            size_t count = fill(&in, asked[i]);
            check_full(&in, asked[i]);
            assert_true(support_stats(in.heap).footprint_peak <= limits[l]);
            if (asked[i] + PAGE < limits[l]) assert_true(count > 0);
            /* The blocks themselves make up the footprint, but for what classes and slabs waste. */
            if (limits[l] >= 8 * asked[i]) assert_true(count * asked[i] * 10 > limits[l] / 2);
            filled_end(&in);
        }
    }
}

static void a_heap_of_all_sizes_is_full_to_one_step_each(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(limits); l++) {
        support_random random = {support_seed() + l};
        filled in = filled_new(&(hak_heap_options){.limit = limits[l]});
        for (size_t misses = 0; misses < 200;) {
            size_t size = asked[support_below(&random, COUNT(asked))];
            void *block = hak_heap_alloc(in.heap, size);
            assert_true(in.count < in.room);
            if (block) in.blocks[in.count++] = block;
            else misses++;
        }
        for (size_t i = COUNT(asked); i-- > 0;) {
            fill(&in, asked[i]);
            check_full(&in, asked[i]);
        }
        filled_end(&in);
    }
}

static void check_refilled(const filled *in, size_t size, size_t freed, size_t again)
{
    size_t lost = again < freed ? freed - again : 0;
    REQUIRE_THAT(lost == 0, "%s, limit %zu: %zu blocks of %zu bytes freed, %zu had again",
                 hak_heap_profile(in->heap), hak_heap_limit(in->heap), freed, size, again);
}

static void fill_again(size_t limit, size_t size, const char *profile, uint64_t seed)
{
    support_random random = {seed};
    filled in =
        filled_new(&(hak_heap_options){.limit = limit, .granularity = 8, .profile = profile});
    size_t all = fill(&in, size);
    for (size_t part = 1; part <= 4; part++) {
        /* Every block again with a chance of 1 / 2, 1 / 4, 1 / 8, 1 / 16. */
        size_t freed = 0;
        for (size_t j = in.count; j-- > 0;) {
            if (support_below(&random, (size_t)1 << part)) continue;
            hak_heap_free(in.heap, in.blocks[j]);
            in.blocks[j] = in.blocks[--in.count];
            freed++;
        }
        check_refilled(&in, size, freed, fill(&in, size));
    }
    free_all(&in);
    check_refilled(&in, size, all, fill(&in, size));
    filled_end(&in);
}

static void a_full_heap_takes_back_as_many_as_were_freed(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(limits); l++) {
        for (size_t i = 0; i < COUNT(asked); i++) {
            if (limits[l] / asked[i] > support_scaled(100000)) continue;
            for (size_t p = 0; p < COUNT(profiles); p++) {
                if (!hak_profile_valid(profiles[p], NULL, 0)) continue; /* the build is fixed */
                fill_again(limits[l], asked[i], profiles[p], support_seed() + l);
            }
        }
    }
}

static void retained_memory_is_used_before_refusing(void **state)
{
    (void)state;
    for (size_t from = 0; from < COUNT(asked); from++) {
        if (16 * MIB / asked[from] > support_scaled(700000)) continue;
        filled in = filled_new(&(hak_heap_options){.limit = 16 * MIB});
        for (size_t to = from % 3; to < COUNT(asked); to += 3) {
            fill(&in, asked[from]);
            free_all(&in);
            if (16 * MIB / asked[to] > support_scaled(700000)) continue;
            fill(&in, asked[to]);
            check_full(&in, asked[to]);
            free_all(&in);
        }
        void *nearly_all = hak_heap_alloc(in.heap, 16 * MIB - PAGE);
        assert_non_null(nearly_all);
        assert_true(support_stats(in.heap).footprint <= 16 * MIB);
        filled_end(&in);
    }
}

/* Idle slabs of every class must not keep the callers's memory from the next class. */
static void free_slabs_of_other_classes_are_used_before_refusing(void **state)
{
    (void)state;
    void *memory = malloc(HAK_MEMORY_MIN);
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.memory = memory, .memory_size = HAK_MEMORY_MIN, .granularity = 8});
    for (size_t round = 0; round < 3; round++) {
        for (size_t size = 8; size <= 16384; size += 8 + size / 10) {
            void *block = hak_heap_alloc(heap, size);
            assert_non_null(block);
            hak_heap_free(heap, block);
        }
    }
    hak_heap_destroy(heap);
    free(memory);
}

static void a_limit_applies_to_every_way_to_allocate(void **state)
{
    (void)state;
    filled in = filled_new(&(hak_heap_options){.limit = 8 * MIB});
    void *growing = hak_heap_alloc(in.heap, 3 * MIB);
    support_fill(growing, 3 * MIB, 1);
    assert_null(hak_heap_alloc(in.heap, 5 * MIB + 1));
    assert_null(hak_heap_zalloc(in.heap, 5, MIB + 1));
    assert_null(hak_heap_aligned_alloc(in.heap, 4 * MIB, 5 * MIB + 1));
    assert_null(hak_heap_realloc(in.heap, NULL, 5 * MIB + 1));
    assert_null(hak_heap_realloc(in.heap, growing, 8 * MIB + 1));
    assert_int_equal(support_intact(growing, 3 * MIB, 1), 3 * MIB);
    growing = hak_heap_realloc(in.heap, growing, 8 * MIB);
    assert_non_null(growing);
    assert_int_equal(support_stats(in.heap).footprint, 8 * MIB);
    assert_int_equal(support_intact(growing, 3 * MIB, 1), 3 * MIB);
    assert_null(hak_heap_alloc(in.heap, 1));
    assert_null(hak_heap_zalloc(in.heap, 1, 1));
    assert_null(hak_heap_aligned_alloc(in.heap, 64, 1));
    assert_true(support_stats(in.heap).footprint_peak <= 8 * MIB);
    filled_end(&in);
}

/* A heap made of what a destroyed one has left must not begin above its limit. */
static void a_new_heap_begins_below_its_limit(void **state)
{
    (void)state;
    for (size_t round = 0; round < 3; round++) {
        filled in = filled_new(NULL);
        for (size_t i = 0; i < 300; i++) in.blocks[in.count++] = hak_heap_alloc(in.heap, 60000);
        filled_end(&in);
        in = filled_new(&(hak_heap_options){.limit = 64 * KIB});
        support_check_stats(in.heap);
        fill(&in, 64);
        check_full(&in, 64);
        filled_end(&in);
    }
}

/* Sizes of which the heap has a page leave the last 32nd of the limit to others. */
static void a_full_heap_has_a_little_for_other_sizes(void **state)
{
    (void)state;
    static const size_t few[] = {256 * KIB, MIB, 3 * MIB, 64 * MIB};
    for (size_t l = 0; l < COUNT(few); l++) {
        filled in = filled_new(&(hak_heap_options){.limit = few[l]});
        fill(&in, 100);
        size_t left = support_stats(in.heap).limit_left;
        size_t kept = few[l] / 32 < 64 * KIB ? few[l] / 32 : 64 * KIB;
        REQUIRE_THAT(left >= (kept & ~(PAGE - 1)) && left < kept + PAGE, "%zu of %zu left", left,
                     few[l]);
        assert_non_null(in.blocks[in.count++] = hak_heap_alloc(in.heap, 3000));
        assert_null(hak_heap_alloc(in.heap, 100));
        filled_end(&in);
    }
}

/* Nor what the pool had for the heap, which it took in vain. */
static void a_refused_request_leaves_nothing_retained(void **state)
{
    (void)state;
    for (size_t limit = 128 * KIB; limit <= 2 * MIB; limit += 100 * KIB) {
        hak_heap *others[4];
        for (size_t i = 0; i < COUNT(others); i++) {
            others[i] = hak_heap_new(NULL);
            assert_non_null(hak_heap_alloc(others[i], 100 * KIB));
        }
        for (size_t i = 0; i < COUNT(others); i++) hak_heap_destroy(others[i]);
        filled in = filled_new(&(hak_heap_options){.limit = limit});
        assert_null(hak_heap_alloc(in.heap, limit + 1));
        assert_int_equal(support_stats(in.heap).retained, 0);
        fill(&in, 100);
        assert_int_equal(support_stats(in.heap).retained, 0);
        filled_end(&in);
    }
}

/* A block can always be made smaller: where a smaller one is not to be had it stays as it is, and
 * nothing tells of the attempt. */
static void a_block_shrinks_at_the_limit(void **state)
{
    (void)state;
    static const size_t from[] = {1000, 9000, 100 * KIB, 3 * MIB};
    for (size_t i = 0; i < COUNT(from); i++) {
        filled in = filled_new(&(hak_heap_options){.limit = 8 * MIB});
        char *block = hak_heap_alloc(in.heap, from[i]);
        assert_non_null(block);
        support_fill(block, from[i], i);
        for (size_t j = COUNT(asked); j-- > 0;) fill(&in, asked[j]);
        hak_stats before = support_stats(in.heap);
        for (size_t size = from[i] - 1; size > 0; size = size * 2 / 3) {
            errno = EXDEV;
            block = hak_heap_realloc(in.heap, block, size);
            assert_non_null(block);
            assert_int_equal(errno, EXDEV);
            assert_int_equal(support_intact(block, size, i), size);
        }
        assert_int_equal(support_stats(in.heap).refusals, before.refusals);
        support_check_stats(in.heap);
        filled_end(&in);
    }
}

/* A block that grows where it is takes what the heap retains, only as much as it lacks. */
static void a_block_grows_by_what_is_retained(void **state)
{
    (void)state;
    static const struct {
        size_t limit, other, block, grown;
    } cases[] = {
        {MIB, 500000, 400000, 700000},          /* a span */
        {20 * MIB, 8 * MIB, 8 * MIB, 14 * MIB}, /* a huge block */
    };
    if (HAK_UNIT_SHIFT != 16) skip(); /* the sizes are those of the released build */
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap =
            hak_heap_new(&(hak_heap_options){.limit = cases[i].limit, .profile = "speed"});
        void *other = hak_heap_alloc(heap, cases[i].other);
        void *block = hak_heap_alloc(heap, cases[i].block);
        assert_true(other && block);
        hak_heap_free(heap, other);
        assert_ptr_equal(hak_heap_realloc(heap, block, cases[i].grown), block);
        hak_stats stats = support_stats(heap);
        REQUIRE_THAT(stats.retained > 0, "case %zu: all has gone", i);
        assert_int_equal(stats.refusals, 0);
        support_check_stats(heap);
        hak_heap_destroy(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_heap_is_full_to_one_step),
        cmocka_unit_test(a_heap_of_all_sizes_is_full_to_one_step_each),
        cmocka_unit_test(a_full_heap_takes_back_as_many_as_were_freed),
        cmocka_unit_test(retained_memory_is_used_before_refusing),
        cmocka_unit_test(free_slabs_of_other_classes_are_used_before_refusing),
        cmocka_unit_test(a_limit_applies_to_every_way_to_allocate),
        cmocka_unit_test(a_new_heap_begins_below_its_limit),
        cmocka_unit_test(a_full_heap_has_a_little_for_other_sizes),
        cmocka_unit_test(a_refused_request_leaves_nothing_retained),
        cmocka_unit_test(a_block_shrinks_at_the_limit),
        cmocka_unit_test(a_block_grows_by_what_is_retained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
