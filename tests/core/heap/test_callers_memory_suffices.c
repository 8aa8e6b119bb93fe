/* On the caller's memory a heap needs nothing else: every block lies within it, most of it can be
 * had, again and again, and no call to the OS is made. */
#include "noted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sizes.h"

#define GUARD 64

/* Bytes at any address, between guards. */
typedef struct arena {
    unsigned char *mapping, *memory;
    size_t size;
} arena;

static arena arena_new(size_t size, size_t offset)
{
    arena made = {.mapping = malloc(size + offset + 2 * GUARD), .size = size};
    assert_non_null(made.mapping);
    made.memory = made.mapping + GUARD + offset;
    memset(made.memory, 0xaa, size);
    memset(made.memory - GUARD, 0xee, GUARD);
    memset(made.memory + size, 0xee, GUARD);
    return made;
}

static void arena_end(arena *used)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(used->memory[-1 - (ptrdiff_t)i], 0xee);
        assert_int_equal(used->memory[used->size + i], 0xee);
    }
    free(used->mapping);
}

static const size_t arena_sizes[] = {64 * KIB, 64 * KIB + 1, 100000,  256 * KIB + 4095,
                                     MIB,      3 * MIB,      20 * MIB};

static void blocks_fit_in_the_callers_memory(void **state)
{
    (void)state;
    for (size_t n = 0; n < COUNT(arena_sizes); n++) {
        for (size_t offset = 0; offset < 20; offset = offset * 3 + 1) {
            size_t granularity = offset % 2 ? 16 : 8;
            arena in = arena_new(arena_sizes[n], offset);
            hak_heap *heap = hak_heap_new(&(hak_heap_options){
                .granularity = granularity, .memory = in.memory, .memory_size = in.size});
            assert_non_null(heap);
            for (size_t i = 0; i < SIZES; i++) {
                for (size_t copy = 0; copy < 40; copy++) {
                    void *block = hak_heap_alloc(heap, sizes[i]);
                    if (!block) break;
                    note(heap, block, sizes[i], granularity);
                    assert_true((unsigned char *)block >= in.memory);
                    assert_true(blocks[block_count - 1].start + blocks[block_count - 1].usable <=
                                in.memory + in.size);
                }
                /* A single block of an eighth of the memory must have room. */
                if (block_count == 0) assert_true(sizes[i] > in.size / 8);
                noted_end(heap);
            }
            hak_heap_destroy(heap);
            arena_end(&in);
        }
    }
}

static void aligned_blocks_fit_in_the_callers_memory_up_to_4_kib(void **state)
{
    (void)state;
    for (size_t n = 0; n < COUNT(arena_sizes); n++) {
        arena in = arena_new(arena_sizes[n], 3);
        hak_heap *heap =
            hak_heap_new(&(hak_heap_options){.memory = in.memory, .memory_size = in.size});
        aligned_fits(heap, 4 * KIB, in.size / 8, 1);
        for (size_t alignment = 8 * KIB; alignment <= 8 * MIB; alignment *= 2) {
            errno = 0;
            assert_null(hak_heap_aligned_alloc(heap, alignment, 16));
            assert_int_equal(errno, EINVAL);
        }
        hak_heap_destroy(heap);
        arena_end(&in);
    }
}

/* Most of the caller's bytes can be had, and once freed, had again. */
static void the_callers_memory_can_be_used_up_again_and_again(void **state)
{
    (void)state;
    static const size_t asked[] = {16, 56, 256, 1024, 3000, 16384};
    for (size_t n = 0; n < COUNT(arena_sizes); n++) {
        arena in = arena_new(arena_sizes[n], 5);
        hak_heap *heap =
            hak_heap_new(&(hak_heap_options){.memory = in.memory, .memory_size = in.size});
        void **held = calloc(in.size / 16, sizeof *held);
        for (size_t i = 0; i < COUNT(asked); i++) {
            size_t first = 0;
            if (in.size / asked[i] > support_scaled(400000)) continue; /* too slow */
            for (size_t round = 0; round < 3; round++) {
                size_t count = 0;
                errno = 0;
                while ((held[count] = hak_heap_alloc(heap, asked[i]))) {
                    memset(held[count++], 0x77, asked[i]);
                }
                assert_int_equal(errno, ENOMEM);
                support_check_stats(heap);
                assert_true(count * asked[i] > in.size / 10 * 6);
                if (round == 0) first = count;
                assert_true((count + 1) * asked[i] + 4 * KIB >= first * asked[i]);
                while (count > 0) hak_heap_free(heap, held[--count]);
            }
        }
        free(held);
        hak_heap_destroy(heap);
        arena_end(&in);
    }
}

static void the_caller_gets_the_memory_back(void **state)
{
    (void)state;
    arena in = arena_new(64 * KIB, 1);
    for (size_t round = 0; round < 100; round++) {
        hak_heap *heap =
            hak_heap_new(&(hak_heap_options){.memory = in.memory, .memory_size = in.size});
        assert_non_null(heap);
        support_check_live(heap, 0, 0);
        support_check_stats(heap);
        assert_int_equal(support_stats(heap).footprint, 0);
        for (size_t at = 0; at < in.size; at += 1000) {
            assert_false(hak_heap_owns(heap, in.memory + at));
        }
        size_t size = 100;
        for (void *block; (block = hak_heap_alloc(heap, size)); size += 100) memset(block, 1, size);
        assert_true(size > 500);
        hak_heap_destroy(heap);
        memset(in.memory, (int)round, in.size);
    }
    arena_end(&in);
}

static void live_on_the_callers_memory(void *context)
{
    (void)context;
    static unsigned char memory[2 * MIB];
    hak_heap *other = hak_heap_new(NULL);
    hak_heap_trim(other); /* what heaps before this one have left */
    uint64_t before = support_stats(other).os.total;
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = sizeof memory});
    REQUIRE(heap);
    for (size_t round = 0; round < 50; round++) {
        void *held[64];
        for (size_t i = 0; i < 64; i++) held[i] = hak_heap_zalloc(heap, 1, i * i * 7);
        REQUIRE(!hak_heap_alloc(heap, 4 * MIB));
        held[0] = hak_heap_realloc(heap, held[0], 100000);
        for (size_t i = 0; i < 64; i++) hak_heap_free(heap, held[i]);
        hak_heap_trim(heap);
    }
    REQUIRE(hak_heap_set_profile(heap, support_profile("lean")));
    REQUIRE(support_stats(heap).os.total == before);
    hak_heap_destroy(heap);
}

static void the_callers_memory_needs_no_os_call(void **state)
{
    (void)state;
    support_in_child(live_on_the_callers_memory, NULL, 30);
}

#define TEST(name) cmocka_unit_test_setup(name, noted_forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blocks_fit_in_the_callers_memory),
        TEST(aligned_blocks_fit_in_the_callers_memory_up_to_4_kib),
        TEST(the_callers_memory_can_be_used_up_again_and_again),
        TEST(the_caller_gets_the_memory_back),
        TEST(the_callers_memory_needs_no_os_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
