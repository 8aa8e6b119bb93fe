/* hak_heap_zalloc returns zeros, whoever used the memory before and however it came back: blocks
 * freed, shrunk, trimmed, retained, handed on by a destroyed heap or a smaller size class; and it
 * does not touch fresh memory of large blocks to do so. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sizes.h"

static void *zalloc(hak_heap *heap, size_t size)
{
    void *block = hak_heap_zalloc(heap, 1, size);
    REQUIRE_THAT(block, "%zu bytes", size);
    size_t zeros = support_zeros(block, size);
    REQUIRE_THAT(zeros == size, "byte %zu of %zu is not zero", zeros, size);
    return block;
}

/* A block of `size` bytes, every byte it may hold written. */
static void *dirty(hak_heap *heap, size_t size)
{
    void *block = hak_heap_alloc(heap, size);
    REQUIRE_THAT(block, "%zu bytes", size);
    return memset(block, 0xff, hak_heap_usable_size(heap, block));
}

static void recycled_blocks_are_zero(void **state)
{
    (void)state;
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        for (size_t i = 0; i<SIZES; i += support_scale()> 1 ? 2 : 1) {
            for (size_t round = 0; round < 2; round++) {
                void *held[2];
                for (size_t j = 0; j < 2; j++) held[j] = dirty(heap, sizes[i]);
                for (size_t j = 0; j < 2; j++) hak_heap_free(heap, held[j]);
                for (size_t j = 0; j < 2; j++) held[j] = zalloc(heap, sizes[i]);
                for (size_t j = 0; j < 2; j++) {
                    memset(held[j], 0xff, hak_heap_usable_size(heap, held[j]));
                    hak_heap_free(heap, held[j]);
                }
            }
        }
        hak_heap_destroy(heap);
    }
}

static void blocks_made_of_other_sizes_are_zero(void **state)
{
    (void)state;
    size_t step = support_scale() > 1 ? 23 : 7;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t from = 0; from < SIZES; from++) {
        if (sizes[from] < 3000) continue;
        for (size_t to = from % step; to < SIZES; to += step) {
            hak_heap_free(heap, dirty(heap, sizes[from]));
            hak_heap_free(heap, zalloc(heap, sizes[to]));
            if (to % 3 == 0) hak_heap_trim(heap);
        }
    }
    hak_heap_destroy(heap);
}

/* What a shrunk block left behind itself, then what it grows back into. */
static void the_rest_of_a_shrunk_block_is_zero(void **state)
{
    (void)state;
    static const size_t lengths[] = {100000, 1000000, 3 * MIB, 9 * MIB, 17 * MIB};
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (size_t part = 2; part <= 16; part *= 2) {
            void *block = dirty(heap, lengths[i]);
            block = hak_heap_realloc(heap, block, lengths[i] / part);
            void *rest = zalloc(heap, lengths[i] - lengths[i] / part);
            void *more = zalloc(heap, lengths[i] / 3);
            hak_heap_free(heap, block);
            hak_heap_free(heap, zalloc(heap, lengths[i]));
            hak_heap_free(heap, rest);
            hak_heap_free(heap, more);
        }
    }
    hak_heap_destroy(heap);
}

static void memory_of_destroyed_heaps_is_zero(void **state)
{
    (void)state;
    for (size_t round = 0; round < 3; round++) {
        hak_heap *heap = hak_heap_new(NULL);
        for (size_t i = 0; i < SIZES; i++) {
            for (size_t j = 0; j < 2; j++) dirty(heap, sizes[i]);
        }
        hak_heap_destroy(heap);
        heap = hak_heap_new(NULL);
        for (size_t i = SIZES; i-- > 0;) {
            for (size_t j = 0; j < 2; j++) zalloc(heap, sizes[(i * 7 + round) % SIZES]);
        }
        hak_heap_destroy(heap);
    }
}

static void every_profile_zeroes(void **state)
{
    (void)state;
    static const char *const profiles[] = {"lean", "balanced", "speed"};
    hak_heap *heap = hak_heap_new(NULL);
    size_t rounds = support_scale() > 1 ? 6 : 30;
    for (size_t round = 0; round < rounds; round++) {
        assert_true(hak_heap_set_profile(heap, support_profile(profiles[round % COUNT(profiles)])));
        void *held[40];
        for (size_t i = 0; i < COUNT(held); i++) held[i] = dirty(heap, 1000 + i * i * 1300);
        for (size_t i = 0; i < COUNT(held); i++) hak_heap_free(heap, held[i]);
        for (size_t i = 0; i < COUNT(held); i++) held[i] = zalloc(heap, 900 + i * i * 1301);
        for (size_t i = 0; i < COUNT(held); i++) hak_heap_free(heap, held[i]);
    }
    hak_heap_destroy(heap);
}

static void the_callers_memory_is_zeroed(void **state)
{
    (void)state;
    size_t size = 24 * MIB;
    void *memory = malloc(size);
    assert_non_null(memory);
    for (size_t round = 0; round < 2; round++) {
        memset(memory, 0xdd, size);
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = size});
        for (size_t i = 0; i < SIZES; i++) {
            if (sizes[i] < 9 * MIB) hak_heap_free(heap, zalloc(heap, sizes[i]));
        }
        for (size_t i = SIZES; i-- > 0;) {
            if (sizes[i] > 9 * MIB) continue;
            hak_heap_free(heap, dirty(heap, sizes[i]));
            hak_heap_free(heap, zalloc(heap, sizes[i]));
        }
        hak_heap_destroy(heap);
    }
    free(memory);
}

static void count_times_size_is_zeroed(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 3, 7, 100, 1000, 65536};
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < COUNT(counts); i++) {
        for (size_t size = 1; size < 4000; size = size * 3 + 1) {
            size_t bytes = counts[i] * size;
            hak_heap_free(heap, dirty(heap, bytes));
            void *block = hak_heap_zalloc(heap, counts[i], size);
            assert_non_null(block);
            assert_true(hak_heap_usable_size(heap, block) >= bytes);
            assert_int_equal(support_zeros(block, bytes), bytes);
            hak_heap_free(heap, block);
        }
    }
    hak_heap_destroy(heap);
}

static void a_product_that_overflows_is_enomem(void **state)
{
    (void)state;
    static const size_t pairs[][2] = {{SIZE_MAX, 2},
                                      {2, SIZE_MAX},
                                      {SIZE_MAX, SIZE_MAX},
                                      {(size_t)1 << 32, (size_t)1 << 32},
                                      {((size_t)1 << 32) + 1, (size_t)1 << 32},
                                      {SIZE_MAX / 16 + 1, 16},
                                      {3, SIZE_MAX / 3 + 1},
                                      {SIZE_MAX / 2 + 9, 2}};
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < COUNT(pairs); i++) {
        errno = 0;
        assert_null(hak_heap_zalloc(heap, support_size(pairs[i][0]), support_size(pairs[i][1])));
        assert_int_equal(errno, ENOMEM);
    }
    support_check_live(heap, 0, 0);
    hak_heap_destroy(heap);
}

static void a_large_zalloc_touches_nothing(void **state)
{
    (void)state;
    if (support_sanitized || support_emulated()) skip();
    hak_heap *heap = hak_heap_new(NULL);
    hak_heap_free(heap, hak_heap_alloc(heap, 1));
    size_t before = support_resident();
    for (size_t i = 0; i < 100; i++) assert_non_null(hak_heap_zalloc(heap, 1, MIB));
    for (size_t i = 0; i < 4; i++) assert_non_null(hak_heap_zalloc(heap, 1024, 256 * KIB));
    size_t now = support_resident();
    assert_true(now < before + 2 * MIB);
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_zalloc_touches_nothing),
        cmocka_unit_test(recycled_blocks_are_zero),
        cmocka_unit_test(blocks_made_of_other_sizes_are_zero),
        cmocka_unit_test(the_rest_of_a_shrunk_block_is_zero),
        cmocka_unit_test(memory_of_destroyed_heaps_is_zero),
        cmocka_unit_test(every_profile_zeroes),
        cmocka_unit_test(the_callers_memory_is_zeroed),
        cmocka_unit_test(count_times_size_is_zeroed),
        cmocka_unit_test(a_product_that_overflows_is_enomem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
