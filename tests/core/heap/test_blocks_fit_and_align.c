/* Every block holds what was asked for, shares no byte with another, and begins at a multiple of
 * the heap's granularity, or of the alignment asked for: at every size around a boundary, at both
 * granularities, in the shared region and on the caller's memory. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sizes.h"

typedef struct noted {
    unsigned char *start;
    size_t usable;
} noted;

#define BLOCKS_MAX 4096
static noted blocks[BLOCKS_MAX];
static size_t block_count;

static int by_address(const void *a, const void *b)
{
    const noted *one = a, *other = b;
    return (one->start > other->start) - (one->start < other->start);
}

/* Notes a block, and writes to the first and last page it may hold. */
static void note(hak_heap *heap, void *start, size_t size, size_t alignment)
{
    assert_non_null(start);
    assert_int_equal((uintptr_t)start % alignment, 0);
    size_t usable = hak_heap_usable_size(heap, start);
    assert_true(usable >= size && usable > 0);
    ((unsigned char *)start)[0] = ((unsigned char *)start)[usable - 1] = 0x5a;
    assert_true(block_count < BLOCKS_MAX);
    blocks[block_count++] = (noted){start, usable};
}

/* No two of the blocks overlap; their number and bytes are the heap's. Frees them all. */
static void check_and_free(hak_heap *heap)
{
    size_t bytes = 0;
    for (size_t i = 0; i < block_count; i++) bytes += blocks[i].usable;
    support_check_live(heap, block_count, bytes);
    support_check_stats(heap);
    qsort(blocks, block_count, sizeof *blocks, by_address);
    for (size_t i = 1; i < block_count; i++) {
        assert_true(blocks[i - 1].start + blocks[i - 1].usable <= blocks[i].start);
    }
    for (size_t i = 0; i < block_count; i++) hak_heap_free(heap, blocks[i].start);
    support_check_live(heap, 0, 0);
    block_count = 0;
}

/* What a test that failed has left. */
static int forget(void **state)
{
    (void)state;
    block_count = 0;
    return 0;
}

static void alloc_fits(size_t granularity)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
    assert_non_null(heap);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < SIZES; i++) {
            note(heap, hak_heap_alloc(heap, sizes[i]), sizes[i], granularity);
            note(heap, hak_heap_zalloc(heap, 1, sizes[i]), sizes[i], granularity);
            note(heap, hak_heap_realloc(heap, NULL, sizes[i]), sizes[i], granularity);
        }
        check_and_free(heap);
    }
    hak_heap_destroy(heap);
}

static void blocks_fit_at_granularity_8(void **state)
{
    (void)state;
    alloc_fits(8);
}

static void blocks_fit_at_granularity_16(void **state)
{
    (void)state;
    alloc_fits(16);
}

static void the_default_granularity_is_16(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t size = 1; size <= 1024; size++) note(heap, hak_heap_alloc(heap, size), size, 16);
    check_and_free(heap);
    hak_heap_destroy(heap);
}

static void slab_blocks_waste_an_eighth_at_most(void **state)
{
    (void)state;
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        for (size_t size = 1; size <= 16384; size += 1 + size / 400) {
            note(heap, hak_heap_alloc(heap, size), size, granularity);
            size_t waste = blocks[block_count - 1].usable - size;
            assert_true(waste < granularity || waste <= size / 8);
        }
        check_and_free(heap);
        hak_heap_destroy(heap);
    }
}

static void size_0_gives_distinct_blocks_of_the_smallest_class(void **state)
{
    (void)state;
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        for (size_t size = 1; size <= 1024; size *= 2) {
            note(heap, hak_heap_alloc(heap, size), size, granularity);
        }
        for (size_t i = 0; i < 1000; i++) {
            note(heap, hak_heap_alloc(heap, 0), 0, granularity);
            assert_int_equal(blocks[block_count - 1].usable, granularity);
            note(heap, hak_heap_zalloc(heap, i, 0), 0, granularity);
            note(heap, hak_heap_zalloc(heap, 0, i), 0, granularity);
        }
        check_and_free(heap);
        hak_heap_destroy(heap);
        /* Where a heap begins, there is no more room: from slabs of two classes. */
        heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        for (size_t i = 0; i < 80; i++) note(heap, hak_heap_alloc(heap, 1000), 1000, granularity);
        for (size_t i = 0; i < 1000; i++) {
            note(heap, hak_heap_alloc(heap, 0), 0, granularity);
            assert_int_equal(blocks[block_count - 1].usable, granularity);
            note(heap, hak_heap_alloc(heap, granularity + 1), granularity + 1, granularity);
            assert_int_equal(blocks[block_count - 1].usable, 2 * granularity);
        }
        hak_stats stats = support_stats(heap);
        assert_true(stats.class_stats[0].slabs > 0 && stats.class_stats[1].slabs > 0);
        check_and_free(heap);
        hak_heap_destroy(heap);
    }
}

static uint64_t drawn = 88172645463325252u;

static size_t below(size_t n)
{
    drawn ^= drawn << 13, drawn ^= drawn >> 7, drawn ^= drawn << 17;
    return (size_t)(drawn % n);
}

static size_t alignment_for(size_t size)
{
    return size && size % 16 == 0 ? 16 : 8;
}

/* As C has it of malloc, where it matters: what has a member that must lie at a multiple of 16 has
 * a size that is one. From the first block on, and after blocks were freed, cut, and resized. */
static void keep_multiples_of_16_aligned(const hak_heap_options *options, size_t largest)
{
    enum { SLOTS = 300 };
    noted slots[SLOTS] = {{0}};
    for (size_t round = 0; round < 40; round++) {
        hak_heap *heap = hak_heap_new(options);
        assert_non_null(heap);
        for (size_t i = 0; i < 4000; i++) {
            noted *slot = &slots[below(SLOTS)];
            size_t size = 1 + below(below(4) ? 136 : largest);
            if (below(3) == 0) size = (size + 15) & ~(size_t)15;
            if (!slot->start) {
                slot->start = hak_heap_alloc(heap, size);
            } else if (below(3) == 0) {
                unsigned char *other = hak_heap_realloc(heap, slot->start, size);
                if (!other) continue;
                slot->start = other;
            } else {
                hak_heap_free(heap, slot->start);
                slot->start = NULL;
            }
            if (!slot->start) continue;
            if ((uintptr_t)slot->start % alignment_for(size)) {
                fail_msg("round %zu, operation %zu: %zu bytes at %p", round, i, size,
                         (void *)slot->start);
            }
        }
        support_check_stats(heap);
        hak_heap_destroy(heap);
        memset(slots, 0, sizeof slots);
    }
}

static void sizes_that_are_multiples_of_16_lie_at_one(void **state)
{
    (void)state;
    static char memory[300000];
    keep_multiples_of_16_aligned(&(hak_heap_options){.granularity = 8}, 600);
    keep_multiples_of_16_aligned(&(hak_heap_options){.granularity = 8}, 5000);
    const char *kinds = "kinds=1"; /* which a build with a fixed profile has not */
    if (hak_settings_valid(kinds, NULL, 0)) {
        keep_multiples_of_16_aligned(&(hak_heap_options){.granularity = 8, .settings = kinds}, 600);
    }
    for (size_t i = 0; i < 16; i += 5) {
        const hak_heap_options options = {
            .granularity = 8, .memory = memory + i, .memory_size = sizeof memory - i};
        keep_multiples_of_16_aligned(&options, 300);
    }
}

/* All powers of two up to `most`, at all sizes up to `largest`, `together` blocks alive at once. */
static void aligned_fits(hak_heap *heap, size_t most, size_t largest, size_t together)
{
    for (size_t alignment = 1; alignment <= most; alignment *= 2) {
        for (size_t i = 0; i < SIZES; i++) {
            if (sizes[i] > largest) continue;
            for (size_t copy = 0; copy < 3; copy++) {
                void *block = hak_heap_aligned_alloc(heap, alignment, sizes[i]);
                note(heap, block, sizes[i], alignment);
            }
            if (block_count >= together) check_and_free(heap);
        }
        check_and_free(heap);
    }
}

static void aligned_blocks_fit_up_to_4_mib(void **state)
{
    (void)state;
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        aligned_fits(heap, 4 * MIB, 16 * MIB, 100);
        hak_heap_destroy(heap);
    }
}

/* Up to a page, aligned blocks are of whole pages only where they come near to 16 KiB. */
static void aligned_blocks_lie_in_slabs(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t alignment = 32; alignment <= 4096; alignment *= 2) {
        void *block = hak_heap_aligned_alloc(heap, alignment, 16 * KIB - alignment);
        assert_true(block && (uintptr_t)block % alignment == 0);
        assert_int_equal(support_stats(heap).large_blocks, 0);
        hak_heap_free(heap, block);
    }
    void *block = hak_heap_aligned_alloc(heap, 8192, 100);
    assert_true(block && support_stats(heap).large_blocks == 1);
    hak_heap_destroy(heap);
}

static void a_bad_alignment_is_einval(void **state)
{
    (void)state;
    static const size_t bad[] = {0,        3,
                                 6,        24,
                                 4095,     4097,
                                 8 * MIB,  4 * MIB + 1,
                                 3 * MIB,  (size_t)1 << 63,
                                 SIZE_MAX, SIZE_MAX / 2 + 2};
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < COUNT(bad); i++) {
        for (size_t size = 0; size <= 4 * MIB; size = size * 8 + 1) {
            errno = 0;
            assert_null(hak_heap_aligned_alloc(heap, bad[i], size));
            assert_int_equal(errno, EINVAL);
        }
    }
    support_check_live(heap, 0, 0);
    hak_heap_destroy(heap);
}

static void an_aligned_block_is_reallocated_like_any_other(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t alignment = 32; alignment <= 4 * MIB; alignment *= 2) {
        for (size_t i = 0; i < SIZES; i += 5) {
            unsigned char *block = hak_heap_aligned_alloc(heap, alignment, 1000);
            assert_non_null(block);
            support_fill(block, 1000, i);
            size_t size = sizes[i] ? sizes[i] : 1;
            block = hak_heap_realloc(heap, block, size);
            assert_non_null(block);
            size_t kept = size < 1000 ? size : 1000;
            assert_int_equal(support_intact(block, kept, i), kept);
            hak_heap_free(heap, block);
        }
    }
    support_check_live(heap, 0, 0);
    hak_heap_destroy(heap);
}

/* ------------------------------------------------------------------ on the caller's memory */

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
                check_and_free(heap);
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
            size_t most = 0;
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
                if (round > 0) assert_true((count + 1) * asked[i] + 4 * KIB >= most * asked[i]);
                most = count;
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

#define TEST(name) cmocka_unit_test_setup(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blocks_fit_at_granularity_8),
        TEST(blocks_fit_at_granularity_16),
        TEST(the_default_granularity_is_16),
        TEST(sizes_that_are_multiples_of_16_lie_at_one),
        TEST(slab_blocks_waste_an_eighth_at_most),
        TEST(size_0_gives_distinct_blocks_of_the_smallest_class),
        TEST(aligned_blocks_fit_up_to_4_mib),
        TEST(aligned_blocks_lie_in_slabs),
        TEST(a_bad_alignment_is_einval),
        TEST(an_aligned_block_is_reallocated_like_any_other),
        TEST(blocks_fit_in_the_callers_memory),
        TEST(aligned_blocks_fit_in_the_callers_memory_up_to_4_kib),
        TEST(the_callers_memory_can_be_used_up_again_and_again),
        TEST(the_caller_gets_the_memory_back),
        TEST(the_callers_memory_needs_no_os_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
