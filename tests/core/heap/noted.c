#include "noted.h"

#include <stdlib.h>

#include "sizes.h"

noted blocks[BLOCKS_MAX];
size_t block_count;

static int by_address(const void *a, const void *b)
{
    const noted *one = a, *other = b;
    return (one->start > other->start) - (one->start < other->start);
}

void note(hak_heap *heap, void *start, size_t size, size_t alignment)
{
    assert_non_null(start);
    assert_int_equal((uintptr_t)start % alignment, 0);
    size_t usable = hak_heap_usable_size(heap, start);
    assert_true(usable >= size && usable > 0);
    ((unsigned char *)start)[0] = ((unsigned char *)start)[usable - 1] = 0x5a;
    assert_true(block_count < BLOCKS_MAX);
    blocks[block_count++] = (noted){start, usable};
}

void noted_end(hak_heap *heap)
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

int noted_forget(void **state)
{
    (void)state;
    block_count = 0;
    return 0;
}

void aligned_fits(hak_heap *heap, size_t most, size_t largest, size_t together)
{
    for (size_t alignment = 1; alignment <= most; alignment *= 2) {
        for (size_t i = 0; i < SIZES; i++) {
            if (sizes[i] > largest) continue;
            for (size_t copy = 0; copy < 3; copy++) {
                void *block = hak_heap_aligned_alloc(heap, alignment, sizes[i]);
                note(heap, block, sizes[i], alignment);
            }
            if (block_count >= together) noted_end(heap);
        }
        noted_end(heap);
    }
}
