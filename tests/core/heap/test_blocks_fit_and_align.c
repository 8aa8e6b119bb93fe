/* Every block holds what was asked for, shares no byte with another, and begins at a multiple of
 * the heap's granularity, or of the alignment asked for: at every size around a boundary, at both
 * granularities. */
#include "noted.h"

#include <errno.h>
#include <string.h>

#include "sizes.h"

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
        noted_end(heap);
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
    noted_end(heap);
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
        noted_end(heap);
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
        noted_end(heap);
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
        noted_end(heap);
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

static void aligned_blocks_fit_up_to_4_mib(void **state)
{
    (void)state;
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        aligned_fits(heap, 4 * MIB, 16 * MIB, 100);
        hak_heap_destroy(heap);
    }
}

static void blocks_may_be_aligned_to_many_gib(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t alignment = 8 * MIB; alignment <= 64 * GIB; alignment *= 8) {
        char *block = hak_heap_aligned_alloc(heap, alignment, 5000);
        assert_true(block && (uintptr_t)block % alignment == 0);
        block[0] = block[4999] = 1;
        hak_heap_free(heap, block);
    }
    support_check_live(heap, 0, 0);
    hak_heap_destroy(heap);
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
    static const size_t bad[] = {0,          3,
                                 6,          24,
                                 4095,       4097,
                                 2048 * GIB, 4 * MIB + 1,
                                 3 * MIB,    (size_t)1 << 63,
                                 SIZE_MAX,   SIZE_MAX / 2 + 2};
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

#define TEST(name) cmocka_unit_test_setup(name, noted_forget)

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
        TEST(blocks_may_be_aligned_to_many_gib),
        TEST(aligned_blocks_lie_in_slabs),
        TEST(a_bad_alignment_is_einval),
        TEST(an_aligned_block_is_reallocated_like_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
