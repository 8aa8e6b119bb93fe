/* In a heap whose slabs have colours, blocks differ in the bits that VMs hash; they are aligned as
 * ever, also where an alignment is asked for, and pages without a block are still found. */
#include "heap/adapter.h"
#include "heap/layout.h"
#include "support.h"

#include <string.h>

#define BLOCKS  20000
#define BUCKETS 32768

static const hak_hints coloured = {.clock_most = SIZE_MAX, .coloured = true};
static const hak_hints scattered = {
    .clock_most = SIZE_MAX, .coloured = true, .scattered = true, .words_more = true};

static hak_heap *heap_with(const hak_hints *hints, size_t granularity)
{
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.profile = "speed", .granularity = granularity});
    assert_non_null(heap);
    hak_heap_trim(heap);
    hak__heap_suit(heap, hints);
    return heap;
}

static hak_heap *coloured_heap(void)
{
    return heap_with(&coloured, 16);
}

/* Buckets of a table that are used by the addresses in steps of 16. */
static size_t buckets_used(char *const *blocks)
{
    static bool used[BUCKETS];
    size_t count = 0;
    memset(used, 0, sizeof used);
    for (size_t i = 0; i < BLOCKS; i++) {
        bool *bucket = &used[(uintptr_t)blocks[i] / 16 % BUCKETS];
        count += !*bucket;
        *bucket = true;
    }
    return count;
}

static void as_many_buckets_as_can_be_are_used(void **state)
{
    (void)state;
    static const size_t sizes[] = {32, 48, 64, 96};
    static char *blocks[BLOCKS];
    for (size_t s = 0; s < COUNT(sizes); s++) {
        hak_heap *heap = coloured_heap();
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = hak_heap_alloc(heap, sizes[s]);
            assert_non_null(blocks[i]);
            REQUIRE((uintptr_t)blocks[i] % 16 == 0);
            support_fill(blocks[i], sizes[s], i);
        }
        size_t used = buckets_used(blocks);
        REQUIRE_THAT(used >= BLOCKS * 3 / 4, "%zu of %zu bytes", used, sizes[s]);
        support_check_stats(heap);
        for (size_t i = 0; i < BLOCKS; i++) {
            REQUIRE(support_intact(blocks[i], sizes[s], i) == sizes[s]);
            if (i % 256) hak_heap_free(heap, blocks[i]);
        }
        support_check_stats(heap);
        assert_true(hak_heap_trim(heap) > BLOCKS * sizes[s] / 4);
        support_check_stats(heap);
        for (size_t i = 0; i < BLOCKS; i += 256) {
            REQUIRE(support_intact(blocks[i], sizes[s], i) == sizes[s]);
            hak_heap_free(heap, blocks[i]);
        }
        support_check_live(heap, 0, 0);
        hak_heap_destroy(heap);
    }
}

/* Blocks are carved page by page, wherever in the first page the first block lies. */
static void a_colour_takes_no_page(void **state)
{
    (void)state;
    static char unit[64 * KIB] __attribute__((aligned(4096)));
    for (uint32_t size = 16; size <= 1024; size += 16) {
        for (size_t colour = 0; colour < 128 && colour < size; colour += 16) {
            hak_slab slab = {.block_size = size,
                             .capacity = (uint16_t)(sizeof unit / size - 1),
                             .start = unit + colour};
            for (size_t pages = 1; pages <= 3; pages++) {
                REQUIRE_THAT(hak__slab_carve_end(&slab, PAGE) <= pages * PAGE,
                             "page %zu: blocks of %u at %zu", pages, size, colour);
                slab.free = NULL;
                hak__slab_carve(&slab, PAGE);
            }
            REQUIRE((slab.carved + (size_t)1) * size + colour > 2 * PAGE);
        }
    }
}

static void blocks_are_aligned_where_it_is_asked_for(void **state)
{
    (void)state;
    hak_heap *heap = coloured_heap();
    for (size_t alignment = 8; alignment <= PAGE; alignment *= 2) {
        for (size_t size = 0; size < 8 * KIB; size += 1 + size / 3) {
            char *block = hak_heap_aligned_alloc(heap, alignment, size);
            assert_non_null(block);
            REQUIRE_THAT((uintptr_t)block % alignment == 0, "%zu bytes at %zu", size, alignment);
            support_fill(block, size, size);
        }
    }
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

/* A colour is a multiple of 16 bytes if the size of the blocks is one, in a heap with blocks of
 * other sizes too. */
static void colours_keep_the_alignment(void **state)
{
    (void)state;
    hak_heap *heap = heap_with(&coloured, 8);
    for (size_t size = 16; size <= 512; size += 16) {
        for (size_t bytes = 0; bytes < 40 * 64 * KIB; bytes += size) {
            char *block = hak_heap_alloc(heap, size);
            REQUIRE_THAT(block && (uintptr_t)block % 16 == 0, "%zu bytes", size);
        }
    }
    hak_heap_destroy(heap);
}

/* The start of the unit that a block lies in. */
static char *unit_of(char *block)
{
    return block - (uintptr_t)block % ((size_t)1 << HAK_UNIT_SHIFT);
}

/* The slabs of a class lie in the eight pieces of a superslab in turn, then in those of another,
 * and so on in both. */
static void scattered_slabs_lie_in_pieces_in_turn(void **state)
{
    (void)state;
    enum { PIECES = 8, ROUNDS = 4, SIZE = 1000 };
    hak_heap *heap = heap_with(&scattered, 8);
    char *first[2] = {NULL}, *slab = NULL;
    for (size_t slabs = 0; slabs < ROUNDS * PIECES;) {
        char *block = hak_heap_alloc(heap, SIZE);
        assert_non_null(block);
        if (support_stats(heap).superslabs == 0) continue; /* where the heap begins */
        if (unit_of(block) == slab) continue;
        slab = unit_of(block);
        size_t superslab = slabs / PIECES % 2, round = slabs / PIECES / 2;
        if (slabs % PIECES == 0 && round == 0) first[superslab] = slab;
        char *expected = first[superslab] + slabs % PIECES * 512 * KIB + round * 64 * KIB;
        REQUIRE_THAT(slab == expected, "slab %zu", slabs);
        slabs++;
        REQUIRE(support_stats(heap).superslabs == (slabs > PIECES ? 2 : 1));
    }
    assert_int_equal((uintptr_t)first[0] % (4 * MIB), 0);
    assert_int_equal((uintptr_t)first[1] % (4 * MIB), 0);
    hak_heap_destroy(heap);
}

/* In a heap for LuaJIT a gap of 16 bytes follows each group of blocks that differ in the low 14
 * bits. */
static void gaps_follow_groups_of_blocks(void **state)
{
    (void)state;
    enum { SIZE = 64, GROUP = 16 * KIB / SIZE, GROUPS = 3 };
    hak_heap *heap = heap_with(&scattered, 8);
    char *block, *last = NULL;
    do {
        block = hak_heap_alloc(heap, SIZE);
        assert_non_null(block);
    } while (support_stats(heap).superslabs == 0); /* where the heap begins */
    size_t gaps = 0;
    for (size_t i = 1; i < GROUPS * GROUP; i++) {
        last = block;
        assert_non_null(block = hak_heap_alloc(heap, SIZE));
        size_t step = (size_t)(block - last);
        REQUIRE_THAT(step == SIZE + (i % GROUP ? 0 : 16), "block %zu: %zu", i, step);
        gaps += step > SIZE;
    }
    assert_int_equal(gaps, GROUPS - 1);
    hak_heap_destroy(heap);
}

/* Where the colours fit behind the last block, no block is lost for them. */
static void no_more_blocks_are_lost_than_colours_take(void **state)
{
    (void)state;
    static const struct {
        uint32_t size;
        uint16_t lost;
    } cases[] = {{1000, 0}, {400, 0}, {48, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t bytes = 64 * KIB, fit = bytes / cases[i].size;
        char memory[1];
        hak_unit slab = {.start = memory, .block_size = cases[i].size, .capacity = (uint16_t)fit};
        hak__layout_colour(&slab, 0, bytes, 8, false);
        REQUIRE_THAT(slab.capacity + cases[i].lost == (int)fit, "%u of %zu blocks of %u bytes",
                     slab.capacity, fit, cases[i].size);
    }
}

/* How many blocks begin, and how many end, within so many bytes: by their offsets, and by division.
 */
static void blocks_are_numbered_as_they_lie(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {16, 32, 64, 128, 512, 1024};
    for (size_t s = 0; s < 2 * COUNT(sizes); s++) {
        hak_unit slab = {.block_size = sizes[s / 2], .has_gaps = s % 2};
        size_t begun = 0, ended = 0;
        for (size_t bytes = 0; bytes < 3 * HAK_PERIOD; bytes++) {
            begun += bytes > hak__layout_offset(&slab, begun);
            ended += bytes >= hak__layout_offset(&slab, ended) + slab.block_size;
            REQUIRE_THAT(hak__layout_begin_within(&slab, bytes) == begun &&
                             hak__layout_end_within(&slab, bytes) == ended,
                         "%zu bytes, blocks of %u", bytes, slab.block_size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_buckets_as_can_be_are_used),
        cmocka_unit_test(a_colour_takes_no_page),
        cmocka_unit_test(blocks_are_aligned_where_it_is_asked_for),
        cmocka_unit_test(colours_keep_the_alignment),
        cmocka_unit_test(scattered_slabs_lie_in_pieces_in_turn),
        cmocka_unit_test(gaps_follow_groups_of_blocks),
        cmocka_unit_test(blocks_are_numbered_as_they_lie),
        cmocka_unit_test(no_more_blocks_are_lost_than_colours_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
