/* hak_heap_realloc keeps the contents up to the smaller size, whatever the old and the new size;
 * NULL allocates, size 0 frees, and a refusal leaves the block as it was. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sizes.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void contents_survive_any_change_of_size(void **state)
{
    (void)state;
    size_t step = support_scale() > 1 ? 11 : 3;
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        for (size_t from = 0; from < SIZES; from++) {
            for (size_t to = 1 + from % step; to < SIZES; to += step) {
                uint64_t stamp = from * 1000 + to;
                void *block = hak_heap_alloc(heap, sizes[from]);
                support_fill(block, sizes[from], stamp);
                block = hak_heap_realloc(heap, block, sizes[to]);
                assert_non_null(block);
                assert_int_equal((uintptr_t)block % granularity, 0);
                size_t usable = hak_heap_usable_size(heap, block);
                assert_true(usable >= sizes[to]);
                size_t kept = least(sizes[from], sizes[to]);
                assert_int_equal(support_intact(block, kept, stamp), kept);
                support_check_live(heap, 1, usable);
                hak_heap_free(heap, block);
            }
        }
        hak_heap_destroy(heap);
    }
}

/* Up and down again in small steps: within a class, a unit, a span, a superslab, and across. */
static void contents_survive_a_long_chain_of_changes(void **state)
{
    (void)state;
    support_random random = {support_seed()};
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    size_t chains = support_scale() > 1 ? 4 : 20;
    for (size_t chain = 0; chain < chains; chain++) {
        size_t size = 1 + support_below(&random, 100);
        void *block = hak_heap_alloc(heap, size), *between[100] = {0};
        support_fill(block, size, chain);
        for (size_t step = 0; step < 100; step++) {
            bool up = support_below(&random, 100) < (step < 60 ? 75 : 25);
            size_t percent = 101 + support_below(&random, 70);
            size_t new_size = up ? size * percent / 100 + 8 : size * 100 / percent;
            new_size = least(new_size ? new_size : 1, 24 * MIB);
            block = hak_heap_realloc(heap, block, new_size);
            assert_non_null(block);
            size_t kept = least(size, new_size);
            assert_int_equal(support_intact(block, kept, chain), kept);
            size = new_size;
            support_fill(block, size, chain);
            between[step] = hak_heap_alloc(heap, support_below(&random, size) + 1);
        }
        for (size_t step = 0; step < 100; step++) hak_heap_free(heap, between[step]);
        support_check_live(heap, 1, hak_heap_usable_size(heap, block));
        support_check_stats(heap);
        hak_heap_free(heap, block);
    }
    hak_heap_destroy(heap);
}

static void null_is_allocated(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < SIZES; i++) {
        void *block = hak_heap_realloc(heap, NULL, sizes[i]);
        assert_non_null(block);
        assert_true(hak_heap_usable_size(heap, block) >= sizes[i]);
        support_check_live(heap, 1, hak_heap_usable_size(heap, block));
        hak_heap_free(heap, block);
    }
    hak_heap_destroy(heap);
}

static void size_0_frees(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < SIZES; i++) {
        void *block = hak_heap_alloc(heap, sizes[i]);
        errno = 0;
        assert_null(hak_heap_realloc(heap, block, 0));
        assert_int_equal(errno, 0);
        support_check_live(heap, 0, 0);
    }
    hak_heap_destroy(heap);
}

static void a_size_that_fits_stays_in_place(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    for (size_t i = 0; i < SIZES; i++) {
        void *block = hak_heap_alloc(heap, sizes[i]);
        assert_ptr_equal(hak_heap_realloc(heap, block, hak_heap_usable_size(heap, block)), block);
        if (sizes[i]) assert_ptr_equal(hak_heap_realloc(heap, block, sizes[i]), block);
        hak_heap_free(heap, block);
    }
    hak_heap_destroy(heap);
}

/* A heap at its limit: what cannot grow stays, and what shrinks never fails. */
static void a_refused_block_is_as_it_was(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.limit = 24 * MIB});
    static const size_t held_sizes[] = {10, 500, 1024, 5000, 16384, 100000, MIB, 3 * MIB};
    void *held[COUNT(held_sizes)];
    for (size_t i = 0; i < COUNT(held); i++) {
        held[i] = hak_heap_alloc(heap, held_sizes[i]);
        assert_non_null(held[i]);
        support_fill(held[i], held_sizes[i], i);
    }
    /* Leave no room at all. */
    for (size_t size = 4 * MIB; size >= 8; size /= 2) {
        while (hak_heap_alloc(heap, size)) continue;
    }
    hak_stats before = support_stats(heap);
    for (size_t i = 0; i < COUNT(held); i++) {
        errno = 0;
        assert_null(hak_heap_realloc(heap, held[i], 25 * MIB));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(hak_heap_realloc(heap, held[i], hak_heap_usable_size(heap, held[i]) + 8 * KIB));
        assert_int_equal(errno, ENOMEM);
        assert_int_equal(support_intact(held[i], held_sizes[i], i), held_sizes[i]);
        support_check_live(heap, before.live_blocks, before.live_bytes);
        support_check_stats(heap);
    }
    for (size_t i = 0; i < COUNT(held); i++) {
        for (size_t size = held_sizes[i]; size > 0; size /= 3) {
            held[i] = hak_heap_realloc(heap, held[i], size);
            assert_non_null(held[i]);
            assert_int_equal(support_intact(held[i], size, i), size);
        }
    }
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

static void contents_survive_on_the_callers_memory(void **state)
{
    (void)state;
    size_t size = 8 * MIB;
    void *memory = malloc(size);
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = size, .granularity = 8});
    for (size_t from = 0; from < SIZES; from++) {
        for (size_t to = 1 + from % 2; to < SIZES; to += 2) {
            if (sizes[from] > 3 * MIB || sizes[to] > 3 * MIB) continue;
            void *before = hak_heap_alloc(heap, 100);
            void *block = hak_heap_alloc(heap, sizes[from]);
            support_fill(block, sizes[from], from);
            block = hak_heap_realloc(heap, block, sizes[to]);
            assert_non_null(block);
            size_t kept = least(sizes[from], sizes[to]);
            assert_int_equal(support_intact(block, kept, from), kept);
            hak_heap_free(heap, before);
            support_check_live(heap, 1, hak_heap_usable_size(heap, block));
            hak_heap_free(heap, block);
        }
    }
    hak_heap_destroy(heap);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_survive_any_change_of_size),
        cmocka_unit_test(contents_survive_a_long_chain_of_changes),
        cmocka_unit_test(null_is_allocated),
        cmocka_unit_test(size_0_frees),
        cmocka_unit_test(a_size_that_fits_stays_in_place),
        cmocka_unit_test(a_refused_block_is_as_it_was),
        cmocka_unit_test(contents_survive_on_the_callers_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
