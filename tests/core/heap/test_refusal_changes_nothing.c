/* Sizes that no machine has are refused with NULL and ENOMEM by every function that allocates, and
 * nothing changes by the attempt: no block, no byte, no statistic; and success leaves errno alone.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sizes.h"

static const size_t absurd[] = {
    (size_t)1 << 47,
    ((size_t)1 << 47) + 1,
    (size_t)1 << 53,
    (size_t)1 << 54,
    ((size_t)1 << 54) + 4096,
    (size_t)1 << 62,
    PTRDIFF_MAX - 4096,
    PTRDIFF_MAX - 1,
    PTRDIFF_MAX,
    (size_t)PTRDIFF_MAX + 1,
    (size_t)PTRDIFF_MAX + 4096,
    SIZE_MAX - 4 * MIB,
    SIZE_MAX - 65536,
    SIZE_MAX - 4096,
    SIZE_MAX - 4095,
    SIZE_MAX - 15,
    SIZE_MAX - 7,
    SIZE_MAX - 1,
    SIZE_MAX,
};

/* A heap with a little of everything in it, and free memory besides. */
typedef struct scene {
    hak_heap *heap;
    void *blocks[SIZES];
} scene;

static scene scene_new(const hak_heap_options *options)
{
    scene made = {.heap = hak_heap_new(options)};
    assert_non_null(made.heap);
    for (size_t i = 0; i < SIZES; i++) {
        if (options && options->memory && sizes[i] > 100000) continue;
        made.blocks[i] = hak_heap_alloc(made.heap, sizes[i]);
        assert_non_null(made.blocks[i]);
        support_fill(made.blocks[i], sizes[i], i);
        hak_heap_free(made.heap, hak_heap_alloc(made.heap, sizes[i]));
    }
    return made;
}

/* What an allocation that fails must leave as it was. Memory that was merely retained may go. */
static void check_unchanged(const scene *on, const hak_stats *before)
{
    hak_stats after = support_stats(on->heap);
    assert_int_equal(after.live_blocks, before->live_blocks);
    assert_int_equal(after.live_bytes, before->live_bytes);
    assert_int_equal(after.large_blocks, before->large_blocks);
    assert_int_equal(after.large_bytes, before->large_bytes);
    assert_int_equal(after.footprint_peak, before->footprint_peak);
    assert_true(after.footprint <= before->footprint);
    assert_true(after.metadata <= before->metadata);
    assert_true(after.superslabs <= before->superslabs);
    support_check_stats(on->heap);
}

static void scene_end(scene *on)
{
    for (size_t i = 0; i < SIZES; i++) {
        if (!on->blocks[i]) continue;
        assert_int_equal(support_intact(on->blocks[i], sizes[i], i), sizes[i]);
        hak_heap_free(on->heap, on->blocks[i]);
    }
    support_check_live(on->heap, 0, 0);
    hak_heap_destroy(on->heap);
}

#define REFUSED(call)                    \
    do {                                 \
        errno = 0;                       \
        assert_null(call);               \
        assert_int_equal(errno, ENOMEM); \
        check_unchanged(&on, &before);   \
    } while (0)

static void refuse(const hak_heap_options *options, size_t most_alignment)
{
    scene on = scene_new(options);
    hak_stats before = support_stats(on.heap);
    for (size_t i = 0; i < COUNT(absurd); i++) {
        size_t size = support_size(absurd[i]);
        REFUSED(hak_heap_alloc(on.heap, size));
        REFUSED(hak_heap_zalloc(on.heap, 1, size));
        REFUSED(hak_heap_zalloc(on.heap, size, 1));
        REFUSED(hak_heap_zalloc(on.heap, size / 8 + 1, 8));
        REFUSED(hak_heap_realloc(on.heap, NULL, size));
        for (size_t alignment = 1; alignment <= most_alignment; alignment *= 4) {
            REFUSED(hak_heap_aligned_alloc(on.heap, alignment, size));
        }
        for (size_t j = i % 4; j < SIZES; j += 4) {
            if (on.blocks[j]) REFUSED(hak_heap_realloc(on.heap, on.blocks[j], size));
        }
    }
    scene_end(&on);
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    refuse(NULL, 4 * MIB);
}

static void absurd_sizes_are_refused_at_granularity_8(void **state)
{
    (void)state;
    refuse(&(hak_heap_options){.granularity = 8}, 4 * MIB);
}

static void absurd_sizes_are_refused_under_a_limit(void **state)
{
    (void)state;
    refuse(&(hak_heap_options){.limit = 100 * MIB}, 4 * MIB);
}

static void absurd_sizes_are_refused_on_the_callers_memory(void **state)
{
    (void)state;
    void *memory = malloc(4 * MIB);
    refuse(&(hak_heap_options){.memory = memory, .memory_size = 4 * MIB}, 4 * KIB);
    free(memory);
}

static void more_than_the_callers_memory_is_refused(void **state)
{
    (void)state;
    void *memory = malloc(4 * MIB);
    scene on = scene_new(&(hak_heap_options){.memory = memory, .memory_size = 4 * MIB});
    hak_stats before = support_stats(on.heap);
    for (size_t size = 4 * MIB; size < GIB; size = size * 2 - 1) {
        REFUSED(hak_heap_alloc(on.heap, size));
        REFUSED(hak_heap_zalloc(on.heap, 1, size));
        REFUSED(hak_heap_aligned_alloc(on.heap, 4096, size));
        REFUSED(hak_heap_realloc(on.heap, on.blocks[1], size));
    }
    scene_end(&on);
    free(memory);
}

static void more_than_the_limit_is_refused(void **state)
{
    (void)state;
    scene on = scene_new(&(hak_heap_options){.limit = 128 * MIB});
    hak_stats before = support_stats(on.heap);
    for (size_t size = 128 * MIB; size < GIB; size = size * 2 - 1) {
        REFUSED(hak_heap_alloc(on.heap, size));
        REFUSED(hak_heap_zalloc(on.heap, 1, size));
        REFUSED(hak_heap_aligned_alloc(on.heap, 2 * MIB, size));
        for (size_t j = 0; j < SIZES; j += 7)
            REFUSED(hak_heap_realloc(on.heap, on.blocks[j], size));
    }
    scene_end(&on);
}

static void success_leaves_errno_alone(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    errno = 0;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < SIZES; i++) {
            void *block = hak_heap_alloc(heap, sizes[i]);
            block = hak_heap_realloc(heap, block, sizes[i] * 5 + 1);
            hak_heap_free(heap, hak_heap_zalloc(heap, 3, sizes[i]));
            hak_heap_free(heap, hak_heap_aligned_alloc(heap, 64 * KIB, sizes[i]));
            block = hak_heap_realloc(heap, block, sizes[i] + 1);
            hak_heap_free(heap, block);
            assert_int_equal(errno, 0);
        }
        hak_heap_trim(heap);
        assert_int_equal(errno, 0);
    }
    hak_heap_destroy(heap);
    assert_int_equal(errno, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(absurd_sizes_are_refused_at_granularity_8),
        cmocka_unit_test(absurd_sizes_are_refused_under_a_limit),
        cmocka_unit_test(absurd_sizes_are_refused_on_the_callers_memory),
        cmocka_unit_test(more_than_the_callers_memory_is_refused),
        cmocka_unit_test(more_than_the_limit_is_refused),
        cmocka_unit_test(success_leaves_errno_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
