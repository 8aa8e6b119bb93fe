/* A program that has warmed up, and goes on allocating and freeing as much as it holds, makes no
 * system call any more, in any profile, or with thousands of objects hardly any, at a rare extreme
 * of what it holds; nor does its footprint grow. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 20000

typedef struct load {
    size_t slots;
    size_t least, most; /* bytes of a block */
    size_t operations;
    size_t per_call; /* operations to one system call, at least; 0: there must be none */
} load;

static void *slots[SLOTS_MAX];

/* As in bench/random_mixed.c: an operation frees a random slot's block, or gives it one. */
static void work(hak_heap *heap, const load *of, size_t operations, support_random *random)
{
    for (size_t i = 0; i < operations; i++) {
        size_t slot = support_below(random, of->slots);
        if (slots[slot]) {
            hak_heap_free(heap, slots[slot]);
            slots[slot] = NULL;
        } else {
            slots[slot] = hak_heap_alloc(heap, of->least + support_below(random, of->most));
            REQUIRE(slots[slot]);
            *(char *)slots[slot] = 1;
        }
    }
}

static void stay_quiet(const load *of, const char *profile, size_t granularity)
{
    support_random random = {support_seed()};
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.profile = profile, .granularity = granularity});
    memset(slots, 0, sizeof slots);
    size_t operations = support_scaled(of->operations);
    work(heap, of, 4 * operations + 100 * of->slots, &random);
    hak_stats warm = support_stats(heap);
    work(heap, of, operations, &random);
    hak_stats after = support_stats(heap);
    uint64_t calls = after.os.total - warm.os.total;
    REQUIRE_THAT(calls * of->per_call <= operations && (of->per_call || calls == 0),
                 "%s: %llu calls in %zu operations", profile, (unsigned long long)calls,
                 operations);
    REQUIRE_THAT(after.footprint <= warm.footprint + warm.footprint / 4,
                 "%s: footprint %zu, then %zu", profile, warm.footprint, after.footprint);
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

static void in_all_profiles(const load *of)
{
    stay_quiet(of, "speed", 16);
    stay_quiet(of, "speed", 8);
    stay_quiet(of, "balanced", 16);
    stay_quiet(of, "lean", 16);
}

static void random_mixed_is_quiet(void **state)
{
    (void)state;
    in_all_profiles(&(load){400, 16, 1009, 5000000, 0});
}

static void a_larger_working_set_is_quiet(void **state)
{
    (void)state;
    size_t used = support_scale() > 1 ? SLOTS_MAX / 10 : SLOTS_MAX;
    in_all_profiles(&(load){used, 16, 1009, 3000000, 10000});
}

static void small_objects_are_quiet(void **state)
{
    (void)state;
    in_all_profiles(&(load){5000, 8, 100, 3000000, 250000});
}

/* One block that comes and goes, at the edge of a slab: the worst case for giving back eagerly. */
static void one_block_coming_and_going_is_quiet(void **state)
{
    (void)state;
    static const size_t sizes[] = {16, 1000, 16000, 60000, 2 * MIB - 1, 3 * MIB};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        hak_heap *heap = hak_heap_new(NULL);
        void *others[3];
        for (size_t j = 0; j < COUNT(others); j++) others[j] = hak_heap_alloc(heap, sizes[i]);
        uint64_t calls = 0;
        for (size_t round = 0; round < 10000; round++) {
            void *block = hak_heap_alloc(heap, sizes[i]);
            assert_non_null(block);
            hak_heap_free(heap, block);
            if (round == 100) calls = support_stats(heap).os.total;
        }
        assert_int_equal(support_stats(heap).os.total, calls);
        assert_non_null(others[0]);
        hak_heap_destroy(heap);
    }
}

/* What a profile would give back after each swing is taken again at once. After a few it knows, and
 * makes a call or two in each, at the peak, where a leaner one would make dozens. */
static void a_heap_that_swings_becomes_quiet(void **state)
{
    (void)state;
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    enum { SWINGS = 100 };
    const size_t size = 200, swing = 3 * MIB / size;
    for (size_t p = 0; p < COUNT(profiles); p++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = profiles[p]});
        uint64_t calls = 0;
        for (size_t round = 0; round < SWINGS; round++) {
            for (size_t i = 0; i < swing; i++) REQUIRE(slots[i] = hak_heap_alloc(heap, size));
            for (size_t i = 0; i < swing; i++) hak_heap_free(heap, slots[i]);
            if (round == SWINGS / 10) calls = support_stats(heap).os.total;
        }
        assert_true(support_stats(heap).os.total - calls <= 2 * SWINGS);
        hak_heap_destroy(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_mixed_is_quiet),
        cmocka_unit_test(a_larger_working_set_is_quiet),
        cmocka_unit_test(small_objects_are_quiet),
        cmocka_unit_test(one_block_coming_and_going_is_quiet),
        cmocka_unit_test(a_heap_that_swings_becomes_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
