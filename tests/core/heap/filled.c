#include "filled.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

filled filled_new(const hak_heap_options *options)
{
    filled made = {.heap = hak_heap_new(options), .room = 4 << 20};
    assert_non_null(made.heap);
    made.blocks = malloc(made.room * sizeof *made.blocks);
    assert_non_null(made.blocks);
    return made;
}

void filled_end(filled *in)
{
    hak_heap_destroy(in->heap);
    free(in->blocks);
}

size_t up_to_page(size_t n)
{
    return (n + PAGE - 1) / PAGE * PAGE;
}

size_t fill(filled *in, size_t size)
{
    size_t before = in->count;
    void *block;
    errno = 0;
    while ((block = hak_heap_alloc(in->heap, size))) {
        assert_int_equal(errno, 0);
        memset(block, 0x11, size < 64 ? size : 64);
        assert_true(in->count < in->room);
        in->blocks[in->count++] = block;
    }
    assert_int_equal(errno, ENOMEM);
    return in->count - before;
}

void free_all(filled *in)
{
    while (in->count > 0) hak_heap_free(in->heap, in->blocks[--in->count]);
}

void check_full(const filled *in, size_t size)
{
    hak_stats stats = support_stats(in->heap);
    size_t step = up_to_page(size < PAGE ? PAGE : size);
    assert_true(stats.footprint <= stats.limit);
    size_t reserve = stats.limit / 32 < 64 * KIB ? stats.limit / 32 : 64 * KIB;
    REQUIRE_THAT(stats.footprint + step + reserve > stats.limit,
                 "footprint %zu, limit %zu, size %zu", stats.footprint, stats.limit, size);
    assert_int_equal(stats.retained, 0);
    assert_int_equal(stats.live_blocks, in->count);
    support_check_stats(in->heap);
}
