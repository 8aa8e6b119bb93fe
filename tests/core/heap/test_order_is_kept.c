/* A heap whose hints ask for it hands the blocks of a slab that is used again out in the order of
 * their addresses, in whatever order they were freed. */
#include "heap/blocks.h"
#include "support.h"

#define BLOCKS 40000
#define SIZE   64

static void *blocks[BLOCKS];

/* Frees half of the blocks, here and there, and then allocates as many. Returns in how many of a
 * hundred cases a block came after the one before it, near by. */
static size_t ascents(const hak_hints *hints)
{
    hak_heap *heap = hak_heap_new(NULL);
    assert_non_null(heap);
    heap->hints = hints;
    support_random random = {support_seed()};
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_heap_alloc(heap, SIZE);
        assert_non_null(blocks[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t other = support_below(&random, BLOCKS);
        void *block = blocks[i];
        blocks[i] = blocks[other];
        blocks[other] = block;
    }
    for (size_t i = 0; i < BLOCKS / 2; i++) hak_heap_free(heap, blocks[i]);
    size_t count = 0;
    char *last = NULL;
    for (size_t i = 0; i < BLOCKS / 2; i++) {
        char *block = hak_heap_alloc(heap, SIZE);
        assert_non_null(block);
        if (last && block > last && block - last < 64 * SIZE) count++;
        blocks[i] = last = block;
    }
    support_check_stats(heap);
    for (size_t i = 0; i < BLOCKS; i++) hak_heap_free(heap, blocks[i]);
    hak_heap_destroy(heap);
    return count * 100 / (BLOCKS / 2);
}

static void blocks_come_in_order(void **state)
{
    (void)state;
    static const hak_hints in_order = {.in_order = true, .clock_most = SIZE_MAX};
    static const hak_hints as_freed = {.clock_most = SIZE_MAX};
    size_t ordered = ascents(&in_order), freed = ascents(&as_freed);
    REQUIRE_THAT(ordered >= 90, "%zu%%", ordered);
    REQUIRE_THAT(freed < 50, "%zu%%", freed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_come_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
