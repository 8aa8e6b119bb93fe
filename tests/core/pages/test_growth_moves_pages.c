/* A large block that grows is extended in place or has its pages moved, but is not copied: the peak
 * of resident memory stays near the block's size, not two of them, on the way to 1 GiB. Shrinking
 * gives the memory back. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#define TARGET (support_scale() > 1 ? GIB / 8 : support_debug ? GIB / 4 : GIB)

/* ------------------------------------------------------------------ one block of 1 GiB */

static size_t doubled(size_t size)
{
    return size * 2;
}

static size_t an_eighth_more(size_t size)
{
    return size + size / 8;
}

typedef struct growth {
    size_t (*next)(size_t size);
    bool in_the_way; /* another block behind it, growing too */
} growth;

/* Forgets the peak so far. */
static void reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    REQUIRE(file && fputs("5", file) >= 0 && fclose(file) == 0);
}

/* `have` bytes are written; writes the pages up to `size`. */
static void write_more(char *block, size_t have, size_t size)
{
    size_t from = (have + PAGE - 1) / PAGE * PAGE;
    for (size_t at = from; at + sizeof at <= size; at += PAGE) memcpy(block + at, &at, sizeof at);
}

static void check_pages(const char *block, size_t size)
{
    for (size_t at = 0; at + sizeof at <= size; at += PAGE) {
        REQUIRE_THAT(memcmp(block + at, &at, sizeof at) == 0, "page %zu of %zu", at / PAGE,
                     size / PAGE);
    }
}

static void grow(void *context)
{
    const growth *how = context;
    hak_heap *heap = hak_heap_new(NULL);
    size_t begin = support_resident(), size = MIB, small = MIB;
    char *block = hak_heap_alloc(heap, size), *other = hak_heap_alloc(heap, small);
    REQUIRE(block && other);
    write_more(block, 0, size);
    size_t moves = 0;
    reset_peak();
    while (size < TARGET) {
        size_t more = how->next(size) < TARGET ? how->next(size) : TARGET;
        char *grown = hak_heap_realloc(heap, block, more);
        REQUIRE(grown);
        moves += grown != block;
        block = grown;
        write_more(block, size, more);
        size = more;
        if (how->in_the_way && small < 64 * MIB) {
            small = how->next(small);
            REQUIRE(other = hak_heap_realloc(heap, other, small));
            memset(other, 0x33, 100);
        }
    }
    size_t peak = support_status("VmHWM:");
    check_pages(block, size);
    REQUIRE_THAT(peak - begin <= TARGET / 100 * 115, "%zu MiB at the peak", (peak - begin) / MIB);
    hak_stats stats = support_stats(heap);
    REQUIRE_THAT(stats.footprint_peak <= TARGET / 100 * 115 + small,
                 "footprint %zu MiB at the peak", stats.footprint_peak / MIB);
    REQUIRE(stats.live_bytes <= TARGET + small + small / 8 && stats.live_blocks == 2);
    print_message("%zu moves, %llu calls of mremap\n", moves, (unsigned long long)stats.os.mremap);
    /* Only the first steps, from spans to huge blocks, may copy. */
    REQUIRE(moves <= stats.os.mremap + 2);
    support_check_stats(heap);

    for (size_t part = 2; TARGET / part >= 4 * MIB; part *= 4) {
        block = hak_heap_realloc(heap, block, TARGET / part);
        REQUIRE(block);
        check_pages(block, TARGET / part);
        size_t now = support_resident();
        REQUIRE_THAT(now <= begin + TARGET / part + 40 * MIB, "%zu MiB for %zu", now / MIB,
                     TARGET / part / MIB);
        REQUIRE(support_stats(heap).footprint <= TARGET / part + small + small / 8 + MIB);
        support_check_stats(heap);
    }
    hak_heap_free(heap, block);
    hak_heap_free(heap, other);
    hak_heap_trim(heap);
    REQUIRE(support_resident() <= begin + 2 * MIB);
    hak_heap_destroy(heap);
}

static void doubling_to_1_gib_needs_little_more(void **state)
{
    (void)state;
    support_in_child(grow, &(growth){doubled, false}, 60);
}

static void small_steps_to_1_gib_need_little_more(void **state)
{
    (void)state;
    support_in_child(grow, &(growth){an_eighth_more, false}, 60);
}

static void growing_with_others_needs_little_more(void **state)
{
    (void)state;
    support_in_child(grow, &(growth){doubled, true}, 60);
    support_in_child(grow, &(growth){an_eighth_more, true}, 60);
}

/* ------------------------------------------------------------------ many at once */

#define BLOCKS 8

static void grow_together(void *context)
{
    (void)context;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = support_profile("balanced")});
    size_t begin = support_resident(), size = 3 * MIB;
    size_t least = support_scale() > 1 ? 16 * MIB : 64 * MIB;
    char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        REQUIRE(blocks[i] = hak_heap_alloc(heap, size));
        write_more(blocks[i], 0, size);
    }
    reset_peak();
    uint64_t moved = 0;
    while (size < least) {
        size_t more = size + size / 2;
        for (size_t i = 0; i < BLOCKS; i++) {
            char *grown = hak_heap_realloc(heap, blocks[i], more);
            REQUIRE(grown);
            moved += grown != blocks[i];
            blocks[i] = grown;
            write_more(grown, size, more);
        }
        size = more;
    }
    size_t peak = support_status("VmHWM:");
    for (size_t i = 0; i < BLOCKS; i++) check_pages(blocks[i], size);
    REQUIRE_THAT(peak - begin <= BLOCKS * size / 100 * 105, "%zu MiB at the peak for %zu",
                 (peak - begin) / MIB, BLOCKS * size / MIB);
    REQUIRE(moved > 0 && support_stats(heap).os.mremap >= moved);
    hak_heap_destroy(heap);
}

static void blocks_that_grow_together_are_moved(void **state)
{
    (void)state;
    support_in_child(grow_together, NULL, 60);
}

/* ------------------------------------------------------------------ spans */

/* A span with free units behind it grows where it is. */
static void spans_grow_in_place_where_there_is_room(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    char *block = hak_heap_alloc(heap, 100000);
    support_fill(block, 100000, 1);
    size_t size = 100000;
    for (; size < 2 * MIB - 100000; size += 70000) {
        assert_ptr_equal(hak_heap_realloc(heap, block, size), block);
        assert_int_equal(support_intact(block, 100000, 1), 100000);
    }
    for (; size > 20000; size -= 50000) {
        assert_ptr_equal(hak_heap_realloc(heap, block, size), block);
    }
    assert_int_equal(support_intact(block, size, 1), size);
    hak_heap_destroy(heap);
}

/* So does the latest block of a young heap. */
static void a_small_block_grows_in_place_where_there_is_room(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    char *first = hak_heap_alloc(heap, 100), *block = hak_heap_alloc(heap, 100);
    support_fill(block, 100, 1);
    for (size_t size = 100; size <= PAGE; size += 50) {
        assert_ptr_equal(hak_heap_realloc(heap, block, size), block);
        assert_true(hak_heap_usable_size(heap, block) >= size);
    }
    support_check_live(heap, 2,
                       hak_heap_usable_size(heap, first) + hak_heap_usable_size(heap, block));
    assert_int_equal(support_intact(block, 100, 1), 100);
    assert_true(hak_heap_realloc(heap, first, 200) != first);
    hak_heap_destroy(heap);
}

/* So does a huge block, and without its pages being moved. */
static void huge_blocks_grow_in_place_where_there_is_room(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    char *block = hak_heap_alloc(heap, 3 * MIB);
    support_fill_pages(block, 3 * MIB, 1);
    uint64_t moves = support_stats(heap).os.mremap;
    for (size_t size = 3 * MIB; size <= 12 * MIB; size += 700000) {
        assert_ptr_equal(hak_heap_realloc(heap, block, size), block);
        block[size - 1] = 1;
    }
    assert_int_equal(support_stats(heap).os.mremap, moves);
    assert_int_equal(support_intact_pages(block, 3 * MIB, 1), 3 * MIB);
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubling_to_1_gib_needs_little_more),
        cmocka_unit_test(small_steps_to_1_gib_need_little_more),
        cmocka_unit_test(growing_with_others_needs_little_more),
        cmocka_unit_test(blocks_that_grow_together_are_moved),
        cmocka_unit_test(spans_grow_in_place_where_there_is_room),
        cmocka_unit_test(a_small_block_grows_in_place_where_there_is_room),
        cmocka_unit_test(huge_blocks_grow_in_place_where_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
