/* A heap's footprint never passes its limit, and a heap refuses nothing that would fit: the limit
 * is exact to one carving step (a page, or the block's own pages). What the heap retains, or holds
 * free elsewhere, is used before anything is refused. Grace lifts the limit by so many bytes and no
 * more, and tells how many were needed. */
#include "heap/slab.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const profiles[] = {"speed", "balanced", "lean"};
static const size_t limits[] = {64 * KIB, 100 * KIB + 1,  256 * KIB,
                                MIB,      3 * MIB + 4097, 20 * MIB - 1};
static const size_t asked[] = {1,     8,     24,    40,     56,      64,          200,
                               1024,  1025,  3000,  4096,   5000,    9000,        16384,
                               16385, 60000, 65536, 200000, 2 * MIB, 2 * MIB + 1, 5 * MIB};

/* Blocks of a heap, so that some can be freed again. */
typedef struct held {
    hak_heap *heap;
    void **blocks;
    size_t count, room;
} held;

static held held_new(const hak_heap_options *options)
{
    held made = {.heap = hak_heap_new(options), .room = 4 << 20};
    assert_non_null(made.heap);
    made.blocks = malloc(made.room * sizeof *made.blocks);
    assert_non_null(made.blocks);
    return made;
}

static void held_end(held *in)
{
    hak_heap_destroy(in->heap);
    free(in->blocks);
}

static size_t up_to_page(size_t n)
{
    return (n + PAGE - 1) / PAGE * PAGE;
}

/* Allocates blocks of `size` until the heap refuses; returns how many there were. */
static size_t fill(held *in, size_t size)
{
    size_t before = in->count;
    void *block;
    errno = 0;
    while ((block = hak_heap_alloc(in->heap, size))) {
        assert_int_equal(errno, 0);
        memset(block, 0x11, size < 64 ? size : 64);
        assert_true(in->count < in->room);
        in->blocks[in->count++] = block;
    }
    assert_int_equal(errno, ENOMEM);
    return in->count - before;
}

static void free_all(held *in)
{
    while (in->count > 0) hak_heap_free(in->heap, in->blocks[--in->count]);
}

/* A heap that has just refused `size` bytes had no room for them, and holds no more than before. */
static void check_full(const held *in, size_t size)
{
    hak_stats stats = support_stats(in->heap);
    size_t step = up_to_page(size < PAGE ? PAGE : size);
    assert_true(stats.footprint <= stats.limit);
    size_t reserve = stats.limit / 32 < 64 * KIB ? stats.limit / 32 : 64 * KIB;
    REQUIRE_THAT(stats.footprint + step + reserve > stats.limit,
                 "footprint %zu, limit %zu, size %zu", stats.footprint, stats.limit, size);
    assert_int_equal(stats.retained, 0);
    assert_int_equal(stats.live_blocks, in->count);
    support_check_stats(in->heap);
}

static void a_full_heap_is_full_to_one_step(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(limits); l++) {
        for (size_t i = 0; i < COUNT(asked); i++) {
            if (limits[l] / asked[i] > support_scaled(400000)) continue;
            held in = held_new(&(hak_heap_options){.limit = limits[l], .granularity = 8});
            size_t count = fill(&in, asked[i]);
            check_full(&in, asked[i]);
            assert_true(support_stats(in.heap).footprint_peak <= limits[l]);
            if (asked[i] + PAGE < limits[l]) assert_true(count > 0);
            /* The blocks themselves make up the footprint, but for what classes and slabs waste. */
            if (limits[l] >= 8 * asked[i]) assert_true(count * asked[i] * 10 > limits[l] / 2);
            held_end(&in);
        }
    }
}

static void a_heap_of_all_sizes_is_full_to_one_step_each(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(limits); l++) {
        support_random random = {support_seed() + l};
        held in = held_new(&(hak_heap_options){.limit = limits[l]});
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
        held_end(&in);
    }
}

static void check_refilled(const held *in, size_t size, size_t freed, size_t again)
{
    size_t lost = again < freed ? freed - again : 0;
    REQUIRE_THAT(lost == 0, "%s, limit %zu: %zu blocks of %zu bytes freed, %zu had again",
                 hak_heap_profile(in->heap), hak_heap_limit(in->heap), freed, size, again);
}

static void fill_again(size_t limit, size_t size, const char *profile, uint64_t seed)
{
    support_random random = {seed};
    held in = held_new(&(hak_heap_options){.limit = limit, .granularity = 8, .profile = profile});
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
    held_end(&in);
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
        held in = held_new(&(hak_heap_options){.limit = 16 * MIB});
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
        held_end(&in);
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
    held in = held_new(&(hak_heap_options){.limit = 8 * MIB});
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
    held_end(&in);
}

/* A heap made of what a destroyed one has left must not begin above its limit. */
static void a_new_heap_begins_below_its_limit(void **state)
{
    (void)state;
    for (size_t round = 0; round < 3; round++) {
        held in = held_new(NULL);
        for (size_t i = 0; i < 300; i++) in.blocks[in.count++] = hak_heap_alloc(in.heap, 60000);
        held_end(&in);
        in = held_new(&(hak_heap_options){.limit = 64 * KIB});
        support_check_stats(in.heap);
        fill(&in, 64);
        check_full(&in, 64);
        held_end(&in);
    }
}

static void set_limit_is_answered_by_limit(void **state)
{
    (void)state;
    held in = held_new(&(hak_heap_options){.limit = 12345678});
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
    held_end(&in);
}

/* Sizes of which the heap has a page leave the last 32nd of the limit to others. */
static void a_full_heap_has_a_little_for_other_sizes(void **state)
{
    (void)state;
    static const size_t few[] = {256 * KIB, MIB, 3 * MIB, 64 * MIB};
    for (size_t l = 0; l < COUNT(few); l++) {
        held in = held_new(&(hak_heap_options){.limit = few[l]});
        fill(&in, 100);
        size_t left = support_stats(in.heap).limit_left;
        size_t kept = few[l] / 32 < 64 * KIB ? few[l] / 32 : 64 * KIB;
        REQUIRE_THAT(left >= (kept & ~(PAGE - 1)) && left < kept + PAGE, "%zu of %zu left", left,
                     few[l]);
        assert_non_null(in.blocks[in.count++] = hak_heap_alloc(in.heap, 3000));
        assert_null(hak_heap_alloc(in.heap, 100));
        held_end(&in);
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
        held in = held_new(&(hak_heap_options){.limit = limit});
        assert_null(hak_heap_alloc(in.heap, limit + 1));
        assert_int_equal(support_stats(in.heap).retained, 0);
        fill(&in, 100);
        assert_int_equal(support_stats(in.heap).retained, 0);
        held_end(&in);
    }
}

/* Grace is for what is asked for, not for what the pool has. */
static void grace_is_not_used_by_pages_from_the_pool(void **state)
{
    (void)state;
    hak_heap *first = hak_heap_new(NULL);
    for (size_t i = 0; i < 30; i++) assert_non_null(hak_heap_alloc(first, 100 * KIB));
    hak_heap_destroy(first);
    held in = held_new(&(hak_heap_options){.limit = MIB});
    hak_heap_grace(in.heap, SIZE_MAX);
    assert_non_null(in.blocks[in.count++] = hak_heap_alloc(in.heap, 20000));
    assert_int_equal(hak_heap_grace_used(in.heap), 0);
    assert_true(support_stats(in.heap).footprint <= MIB);
    hak_heap_grace(in.heap, 0);
    held_end(&in);
}

/* A block can always be made smaller: where a smaller one is not to be had it stays as it is, and
 * nothing tells of the attempt. */
static void a_block_shrinks_at_the_limit(void **state)
{
    (void)state;
    static const size_t from[] = {1000, 9000, 100 * KIB, 3 * MIB};
    for (size_t i = 0; i < COUNT(from); i++) {
        held in = held_new(&(hak_heap_options){.limit = 8 * MIB});
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
        held_end(&in);
    }
}

static void a_limit_below_what_is_in_use_is_erange(void **state)
{
    (void)state;
    held in = held_new(&(hak_heap_options){.limit = 64 * MIB});
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
    held_end(&in);
}

/* Not even pages that are merely retained go, and a limit that a trim can keep to is not refused.
 */
static void a_refused_limit_changes_nothing(void **state)
{
    (void)state;
    static const size_t blocks_of[] = {64, 1000, 10000, 100 * KIB, 3 * MIB};
    for (size_t i = 0; i < COUNT(blocks_of); i++) {
        held in = held_new(&(hak_heap_options){.limit = 64 * MIB});
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
        held_end(&in);
    }
}

static void a_limit_on_the_callers_memory_counts_what_is_in_use(void **state)
{
    (void)state;
    void *memory = malloc(4 * MIB);
    held in = held_new(&(hak_heap_options){.memory = memory, .memory_size = 4 * MIB});
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
    held_end(&in);
    free(memory);
}

static void grace_allows_so_much_more(void **state)
{
    (void)state;
    held in = held_new(&(hak_heap_options){.limit = MIB});
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
    held_end(&in);
}

static void grace_over_with_the_heap_above_its_limit(void **state)
{
    (void)state;
    held in = held_new(&(hak_heap_options){.limit = MIB});
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
    held_end(&in);
}

static void grace_beyond_all_bounds_is_no_limit(void **state)
{
    (void)state;
    held in = held_new(&(hak_heap_options){.limit = MIB});
    hak_heap_grace(in.heap, SIZE_MAX);
    assert_non_null(hak_heap_alloc(in.heap, 100 * MIB));
    assert_true(hak_heap_grace_used(in.heap) >= 99 * MIB);
    hak_heap_grace(in.heap, 0);
    assert_null(hak_heap_alloc(in.heap, MIB));
    held_end(&in);
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
        cmocka_unit_test(set_limit_is_answered_by_limit),
        cmocka_unit_test(a_limit_below_what_is_in_use_is_erange),
        cmocka_unit_test(a_refused_limit_changes_nothing),
        cmocka_unit_test(a_full_heap_has_a_little_for_other_sizes),
        cmocka_unit_test(a_refused_request_leaves_nothing_retained),
        cmocka_unit_test(grace_is_not_used_by_pages_from_the_pool),
        cmocka_unit_test(a_block_shrinks_at_the_limit),
        cmocka_unit_test(a_limit_on_the_callers_memory_counts_what_is_in_use),
        cmocka_unit_test(grace_allows_so_much_more),
        cmocka_unit_test(grace_over_with_the_heap_above_its_limit),
        cmocka_unit_test(grace_beyond_all_bounds_is_no_limit),
        cmocka_unit_test(a_block_grows_by_what_is_retained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
