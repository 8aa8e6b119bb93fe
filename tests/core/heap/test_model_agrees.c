/* A heap behaves as a plain model of it does: random operations (the seed is printed, and taken
 * from HAK_TEST_SEED), each block filled with a pattern of its own over all it may hold and checked
 * when it is freed or resized; now and then no two blocks overlap, and the statistics are those of
 * the model. For both granularities, on the caller's memory, under a limit, and for heaps in turn.
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void agree(const hak_heap_options *options, size_t operations, uint64_t salt)
{
    errno = 0;
    model m = model_new(options, salt);
    model_run(&m, operations);
    if (m.may_refuse) REQUIRE(m.refused > 0 || m.most_bytes > 32 * MIB);
    model_end(&m);
}

static void at_granularity_8(void **state)
{
    (void)state;
    agree(&(hak_heap_options){.granularity = 8}, support_scaled(2000000), 1);
}

static void at_granularity_16(void **state)
{
    (void)state;
    agree(&(hak_heap_options){.granularity = 16}, support_scaled(2000000), 2);
}

static void when_lean(void **state)
{
    (void)state;
    agree(&(hak_heap_options){.profile = support_profile("lean"), .granularity = 8},
          support_scaled(500000), 3);
}

/* As a heap for LuaJIT is: with gaps between its blocks. */
static void when_scattered(void **state)
{
    (void)state;
    static const hak_hints scattered = {
        .clock_most = SIZE_MAX, .coloured = true, .scattered = true, .words_more = true};
    static const char *const profiles[] = {"speed", "lean"};
    const hak_hints *others = model_hints;
    model_hints = &scattered;
    for (size_t i = 0; i < COUNT(profiles); i++) {
        agree(&(hak_heap_options){.profile = support_profile(profiles[i]), .granularity = 8},
              support_scaled(700000), 20 + i);
        agree(&(hak_heap_options){.profile = support_profile(profiles[i]),
                                  .granularity = 8,
                                  .limit = MIB},
              support_scaled(200000), 30 + i);
    }
    model_hints = others;
}

static void under_limits(void **state)
{
    (void)state;
    static const size_t limits[] = {64 * KIB, MIB, 8 * MIB};
    for (size_t i = 0; i < COUNT(limits); i++) {
        agree(&(hak_heap_options){.limit = limits[i], .granularity = i % 2 ? 16 : 8},
              support_scaled(400000), 4 + i);
    }
}

static void on_the_callers_memory(void **state)
{
    (void)state;
    static const struct {
        size_t size, offset;
    } places[] = {{64 * KIB, 0}, {64 * KIB, 1}, {MIB, 4095}, {MIB + 12345, 8}, {64 * MIB, 3}};
    for (size_t i = 0; i < COUNT(places); i++) {
        size_t guard = 64;
        unsigned char *mapping = malloc(places[i].size + places[i].offset + 2 * guard);
        assert_non_null(mapping);
        unsigned char *memory = mapping + guard + places[i].offset;
        memset(memory - guard, 0xc3, guard);
        memset(memory + places[i].size, 0xc3, guard);
        agree(&(hak_heap_options){.memory = memory,
                                  .memory_size = places[i].size,
                                  .granularity = i % 2 ? 16 : 8},
              support_scaled(300000), 10 + i);
        for (size_t j = 0; j < guard; j++) {
            assert_int_equal(memory[-1 - (ptrdiff_t)j], 0xc3);
            assert_int_equal(memory[places[i].size + j], 0xc3);
        }
        free(mapping);
    }
}

static void with_a_limit_on_the_callers_memory(void **state)
{
    (void)state;
    void *memory = malloc(4 * MIB);
    agree(&(hak_heap_options){.memory = memory, .memory_size = 4 * MIB, .limit = MIB},
          support_scaled(300000), 20);
    free(memory);
}

/* One of them is dropped and made anew now and then, full as it is. */
static void for_two_heaps_in_turn(void **state)
{
    (void)state;
    model one = model_new(&(hak_heap_options){.granularity = 8}, 30);
    model other = model_new(
        &(hak_heap_options){.granularity = 16, .profile = support_profile("balanced")}, 31);
    size_t operations = support_scaled(1000000);
    for (size_t time = 0; time < operations; time++) {
        model_step(&one, time);
        model_step(&other, time + 60000);
        if (time % 25000 == 0) {
            model_checkpoint(&one);
            model_checkpoint(&other);
            for (size_t i = 0; i < 50 && i < one.count && i < other.count; i++) {
                REQUIRE(!hak_heap_owns(one.heap, other.blocks[i].start));
                REQUIRE(!hak_heap_owns(other.heap, one.blocks[i].start));
            }
        }
        if (time % 170000 == 169999) {
            hak_heap_destroy(one.heap);
            one.heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
            one.count = one.bytes = 0;
        }
    }
    model_end(&one);
    model_checkpoint(&other);
    model_end(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_granularity_8),
        cmocka_unit_test(at_granularity_16),
        cmocka_unit_test(when_lean),
        cmocka_unit_test(when_scattered),
        cmocka_unit_test(under_limits),
        cmocka_unit_test(on_the_callers_memory),
        cmocka_unit_test(with_a_limit_on_the_callers_memory),
        cmocka_unit_test(for_two_heaps_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
