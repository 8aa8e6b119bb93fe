/* Where blocks lie in a small region: huge ones apart from slabs, with room to grow, as long as
 * there is any; then side by side with them, until all is full. */
#include "address_limit.h"

#include "pages/region.h"

/* ------------------------------------------------------------------ beside slabs */

/* Huge blocks begin in the middle of a region, slabs at its start: here they meet, and pass. */
static void slabs_pass_huge_blocks(void *context)
{
    const job *of = context;
    size_t room = of->limit / (2 * MIB);
    void **spans = limit_to(of, 2 * room * sizeof *spans), **huge = spans + room;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < 40; i++) {
        huge[i] = hak_heap_alloc(heap, 2 * MIB + 1 + i % 3 * 4 * MIB);
        REQUIRE(huge[i]);
        support_fill(huge[i], 1000, i);
    }
    size_t count = fill_up(heap, spans, 0, room, 2 * MIB);
    support_check_live(heap, support_stats(heap).live_blocks, support_stats(heap).live_bytes);
    for (size_t i = 0; i < 40; i++) {
        REQUIRE(hak_heap_owns(heap, huge[i]) && hak_owns(huge[i]));
        REQUIRE(hak_heap_usable_size(heap, huge[i]) >= 2 * MIB + 1);
        REQUIRE(support_intact(huge[i], 1000, i) == 1000);
        if (i % 2) hak_heap_free(heap, huge[i]);
    }
    REQUIRE(support_stats(heap).live_blocks == count + 20);
    for (size_t i = 1; i < 40; i += 2) {
        huge[i] = block_or_enomem(hak_heap_alloc(heap, 3 * MIB));
        if (huge[i]) support_fill(huge[i], 1000, i);
    }
    for (size_t i = 0; i < 40; i++) {
        if (!huge[i]) continue;
        void *other = block_or_enomem(hak_heap_realloc(heap, huge[i], 11 * MIB));
        if (other) huge[i] = other;
        REQUIRE(support_intact(huge[i], 1000, i) == 1000);
        hak_heap_free(heap, huge[i]);
    }
    for (size_t i = 0; i < count; i++) hak_heap_free(heap, spans[i]);
    support_check_live(heap, 0, 0);

    /* And huge blocks where slabs have been, beside slabs. */
    for (size_t i = 0; i < count; i++) spans[i] = block_or_enomem(hak_heap_alloc(heap, 100000));
    size_t huge_count = 0;
    while (huge_count < room && (huge[huge_count] = hak_heap_alloc(heap, 3 * MIB))) huge_count++;
    REQUIRE(huge_count > 0);
    for (size_t i = 0; i < huge_count; i++) hak_heap_free(heap, huge[i]);
    for (size_t i = 0; i < count; i++) hak_heap_free(heap, spans[i]);
    support_check_live(heap, 0, 0);
    hak_heap_destroy(heap);
}

static void slabs_and_huge_blocks_may_lie_in_any_order(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(limits); l++) {
        if (limits[l] < 500 * MIB) continue; /* no room for them all */
        if (support_scale() > 1 && limits[l] > GIB) continue;
        support_in_child(slabs_pass_huge_blocks, &(job){limits[l], 0}, 60);
    }
    if (support_scale() > 1) return;
    support_in_child(slabs_pass_huge_blocks, &(job){8 * GIB, 0}, 60);
}

/* ------------------------------------------------------------------ among themselves */

/* Superslabs of each half of the region; all others are taken. */
#define HALF 128

static void take_all_others(void)
{
    size_t middle = hak__shared.superslabs / 2;
    hak__room_mark(&hak__shared.room, HALF, middle - HALF, true);
    hak__room_mark(&hak__shared.room, middle + HALF, middle - HALF, true);
}

/* How many superslabs behind a block of one are free. */
static size_t room_behind(const hak_region *region, const void *block)
{
    size_t at = hak__unit_index(region, block) / HAK_SUPERSLAB_UNITS, room = 0;
    while (hak__room_is_free(&region->room, at + 1, room + 1)) room++;
    return room;
}

/* In two pieces of the region, at its start and in its middle: in the middle as long as there is
 * room, and with room to grow fourfold, then twofold; in the end no superslab is left. Then all of
 * it can be had again. */
static void fill_with_huge_blocks(void *context)
{
    enum { MOST = 300 };
    const job *of = context;
    void **blocks = limit_to(of, MOST * sizeof *blocks);
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    REQUIRE(heap);
    const hak_region *region = hak__region_shared();
    take_all_others();
    const char *middle = hak__unit_start(region, region->superslabs / 2 * HAK_SUPERSLAB_UNITS);
    for (size_t round = 0; round < 3; round++) {
        size_t count = 0;
        for (; count < MOST; count++) {
            blocks[count] = hak_heap_alloc(heap, 3 * MIB);
            if (!blocks[count] || !hak__region_contains(region, blocks[count])) break;
            if (round > 0) continue; /* it begins where the last one has ended */
            size_t room = room_behind(region, blocks[count]);
            bool high = (char *)blocks[count] >= middle;
            REQUIRE_THAT(high == (count < HALF), "block %zu in the wrong half", count);
            REQUIRE_THAT(room >= (count < 31 ? 3 : count > 32 && count < 62), "block %zu: %zu",
                         count, room);
        }
        hak_heap_free(heap, blocks[count]); /* in a region of its own, if it is one */
        /* One superslab has the nest. */
        REQUIRE_THAT(count == 255, "%zu blocks", count);
        /* They can grow in place as far as there is room, and no further. */
        for (size_t i = 1; i < count; i++) hak_heap_free(heap, blocks[i]);
        hak_heap_trim(heap);
        size_t room = room_behind(region, blocks[0]);
        if (round == 0) REQUIRE(blocks[0] == middle && room == 127);
        REQUIRE(hak_heap_realloc(heap, blocks[0], 15 * MIB) == blocks[0]);
        REQUIRE(room_behind(region, blocks[0]) == 0);
        REQUIRE(room_behind(region, (char *)blocks[0] + 12 * MIB) == room - 3);
        REQUIRE(hak_heap_realloc(heap, blocks[0], 5 * MIB) == blocks[0]);
        REQUIRE(room_behind(region, (char *)blocks[0] + 4 * MIB) == room - 1);
        hak_heap_free(heap, blocks[0]);
        hak_heap_trim(heap);
        REQUIRE(hak__room_is_free(&region->room, 1, HALF - 1));
        REQUIRE(hak__room_is_free(&region->room, region->superslabs / 2, HALF));
    }
    hak_heap_destroy(heap);
}

static void huge_blocks_lie_apart_and_fill_all(void **state)
{
    (void)state;
    support_in_child(fill_with_huge_blocks, &(job){4 * GIB, 0}, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slabs_and_huge_blocks_may_lie_in_any_order),
        cmocka_unit_test(huge_blocks_lie_apart_and_fill_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
