/* Pages inside slabs that no block lies in are given back by a trim, or by the heap itself before
 * its footprint passes its peak; and they come back when there is use for them. */
#include "held.h"

#include <sys/mman.h>

#include "heap/blocks.h"
#include "heap/holes.h"
#include "heap/reclaim.h"
#include "heap/scan.h"

/* What a search for pages without a block finds is what is given back then, to the byte, and
 * nothing once it has been. */
static void holes_are_counted_exactly(void **state)
{
    (void)state;
    static const size_t sizes[] = {40, 500, 1000, 3000, 5000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        hak_heap *heap =
            hak_heap_new(&(hak_heap_options){.settings = "retain_least=1g retain_part=1000"});
        held all = hold(heap, 2 * MIB / sizes[i], sizes[i]);
        assert_int_equal(hak__holes_punch(heap, true), 0);
        size_t per = 12 * KIB / sizes[i] + 1; /* freed side by side, but for one */
        for (size_t j = 0; j < all.count; j++) {
            if (j % per) hak_heap_free(heap, all.blocks[j]);
        }
        for (size_t round = 0; round < 2; round++) {
            size_t footprint = support_stats(heap).footprint;
            size_t found = hak__holes_find(heap, true), given = hak__holes_punch(heap, true);
            assert_int_equal(given, found);
            assert_int_equal(given, footprint - support_stats(heap).footprint);
            REQUIRE_THAT(round ? given == 0 : given > MIB / 8, "%zu: %zu", sizes[i], given);
        }
        for (size_t j = 0; j < all.count; j += per) {
            REQUIRE(support_intact(all.blocks[j], sizes[i], j) == sizes[i]);
        }
        hak_heap_destroy(heap);
    }
}

/* A few blocks that outlive the others keep their own pages only, not those of the whole slab; and
 * the pages come back when there is use for them. */
static void pages_inside_a_slab_are_given_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {40, 500, 1000, 3000, 5000, 10000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t size = sizes[i], part = 32 * KIB / size;
        hak_heap *heap = support_fresh_heap("speed");
        held all = hold_bytes(heap, 8 * MIB, size);
        size_t full = support_stats(heap).footprint;
        thin_out(heap, &all, part);
        trim(heap);
        hak_stats thin = support_stats(heap);
        /* Of 32 KiB, the pages of one block and, where blocks cross pages, of its neighbours. */
        assert_true(thin.footprint <= full / 8 + (full / (32 * KIB)) * (size + 2 * PAGE));
        assert_int_equal(hak_heap_trim(heap), 0);

        held again = hold_bytes(heap, 4 * MIB, size);
        assert_true(support_stats(heap).footprint <= full);
        support_check_stats(heap);
        held_end(heap, &again, size);
        held_end(heap, &all, size);
        trim(heap);
        assert_int_equal(support_stats(heap).footprint, 0);
        hak_heap_destroy(heap);
    }
}

/* One size after the other, of each a few blocks live on: what they leave is given back before the
 * footprint grows to half of the sum, since a byte given back is paid for by growing by one. */
static void a_peak_is_not_the_sum_of_what_was(void **state)
{
    (void)state;
    static const size_t sizes[] = {500, 700, 600, 1000, 800, 900};
    hak_heap *heap = support_fresh_heap("speed");
    held all[COUNT(sizes)];
    size_t bytes = 4 * MIB;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        all[i] = hold(heap, bytes / sizes[i], sizes[i]);
        thin_out(heap, &all[i], 48 * KIB / sizes[i]);
    }
    hak_stats stats = support_stats(heap);
    REQUIRE_THAT(stats.footprint_peak < COUNT(sizes) * bytes / 2, "%zu", stats.footprint_peak);
    support_check_stats(heap);
    for (size_t i = 0; i < COUNT(sizes); i++) held_end(heap, &all[i], sizes[i]);
    hak_heap_destroy(heap);
}

/* A large block pays for a look at what is free inside slabs: it takes the place of that. */
static void a_large_block_takes_the_place_of_holes(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.settings = "retain_least=100m retain_busy=100m retain_part=0"});
    hak_heap_trim(heap);
    held all = hold(heap, 20000, 500);
    thin_out(heap, &all, 12 * KIB / 500);
    hak_stats full = support_stats(heap);
    assert_int_equal(full.footprint, full.footprint_peak);
    assert_true(full.retained < MIB);
    for (size_t i = 0; i < 8; i++) assert_non_null(hak_heap_alloc(heap, 300 * KIB));
    hak_stats after = support_stats(heap);
    REQUIRE_THAT(after.footprint_peak <= full.footprint_peak + 64 * KIB, "%zu, then %zu",
                 full.footprint_peak, after.footprint_peak);
    assert_true(after.purges > full.purges);
    held_end(heap, &all, 500);
    hak_heap_destroy(heap);
}

/* It pays for no more than that: where there is nothing to be found, it looks at a free block for
 * each 128 bytes. */
static void a_large_block_looks_at_so_much(void **state)
{
    (void)state;
    enum { SIZE = 64, READS = 64 * 1024 / 128 };
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.settings = "retain_least=100m retain_busy=100m retain_part=0"});
    hak_heap_trim(heap); /* what destroyed heaps have left */
    held all = hold(heap, 60000, SIZE);
    for (size_t i = 0; i < all.count; i += 2) hak_heap_free(heap, all.blocks[i]);
    size_t unsearched = heap->unsearched;
    size_t free_in_slab = ((size_t)1 << HAK_UNIT_SHIFT) / SIZE / 2;
    size_t most = READS / free_in_slab + 2;
    assert_true(unsearched > 4 * most);
    assert_non_null(hak_heap_alloc(heap, 64 * KIB));
    size_t searched = unsearched - heap->unsearched;
    REQUIRE_THAT(searched > 0 && searched <= most, "%zu slabs", searched);
    munmap(all.blocks, all.count * sizeof(void *));
    hak_heap_destroy(heap);
}

/* A search reads the free blocks of each slab that has changed, and says how many. Slabs that have
 * not changed it passes over. */
static void a_search_says_what_it_reads(void **state)
{
    (void)state;
    enum { SIZE = 500, BLOCKS = 20000, PART = 24 };
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.settings = "retain_least=1g retain_part=1000"});
    held all = hold(heap, BLOCKS, SIZE);
    thin_out(heap, &all, PART);
    size_t freed = BLOCKS - BLOCKS / PART, slab = ((size_t)1 << HAK_UNIT_SHIFT) / SIZE;
    for (size_t round = 0; round < 2; round++) {
        size_t read = 0, other = 0;
        uint32_t passes = hak__superslabs_round(&heap->pages), left = passes;
        size_t found = hak__holes_find_some(heap, BLOCKS + passes, &read, &left);
        REQUIRE(found > MIB && left == 0 && heap->unsearched == 0);
        REQUIRE(found + hak__holes_of_current(heap, &other) == hak__holes_find(heap, false));
        size_t least = round ? 0 : freed - 3 * slab, most = round ? 1 : freed + passes;
        REQUIRE_THAT(read >= least && read <= most, "%zu of %zu blocks", read, freed);
    }
    held_end(heap, &all, SIZE);
    hak_heap_destroy(heap);
}

#define IDLE_BYTES (16 * KIB)

/* A heap at its peak, in which slabs of IDLE_BYTES are current and have no live block, and so many
 * bytes are retained. The time for a scan has come. */
static hak_heap *heap_with_idle_slabs(held *all, size_t retained)
{
    static const size_t sizes[] = {256, 320, 384, 448, 512, 640, 768, 896};
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.settings = "retain_least=1g retain_part=1000"});
    hak_heap_trim(heap);
    *all = hold(heap, 6000, 64);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        held blocks = hold(heap, IDLE_BYTES / sizes[i], sizes[i]);
        let_go(heap, &blocks);
    }
    heap->pace.next_scan = SIZE_MAX / 2;
    if (retained) hak_heap_free(heap, hak_heap_alloc(heap, retained));
    heap->pace.next_scan = 0;
    assert_int_equal(heap->pages.retained, retained);
    assert_int_equal(heap->pages.footprint, heap->pages.footprint_peak);
    return heap;
}

/* Frees the blocks in so many pages of full slabs, none of which is a slab's first. */
static void vacate(hak_heap *heap, held *all, size_t pages)
{
    uintptr_t unit = (uintptr_t)1 << HAK_UNIT_SHIFT, last = 0;
    for (size_t i = all->count / 2; i < all->count; i++) {
        uintptr_t page = (uintptr_t)all->blocks[i] / PAGE;
        if (page % (unit / PAGE) == 0) last = page;
        if (!last || page % (unit / PAGE) == 0) continue;
        if (page != last && pages-- == 0) return;
        hak_heap_free(heap, all->blocks[i]);
        last = page;
    }
}

/* Where others have pages without a block that are enough for the target, slabs that are current
 * stay as they are. */
static void current_slabs_are_spared_as_long_as_others_have_holes(void **state)
{
    (void)state;
    if (HAK_UNIT_SHIFT != 16) skip();
    held all;
    hak_heap *heap = heap_with_idle_slabs(&all, 0);
    size_t pages = (hak__scan_target(heap, PAGE) + PAGE - 1) / PAGE, read = 0;
    size_t idle = hak__holes_of_current(heap, &read);
    vacate(heap, &all, pages);
    assert_true(idle >= 4 * IDLE_BYTES);
    assert_int_equal(hak__holes_find(heap, false), idle + pages * PAGE);
    size_t before = heap->pages.footprint, retires = heap->retires;
    hak__reclaim_before_peak(heap, PAGE);
    REQUIRE_THAT(before - heap->pages.footprint == pages * PAGE, "%zu bytes, not %zu pages",
                 before - heap->pages.footprint, pages);
    REQUIRE(heap->retires == retires && hak__holes_of_current(heap, &read) == idle);
    munmap(all.blocks, all.count * sizeof(void *));
    hak_heap_destroy(heap);
}

/* Of their pages go as many as are needed, beside those that were retained. */
static void no_more_than_the_target_is_given_back(void **state)
{
    (void)state;
    if (HAK_UNIT_SHIFT != 16) skip();
    held all;
    hak_heap *heap = heap_with_idle_slabs(&all, 5 * PAGE);
    size_t before = heap->pages.footprint, target = hak__scan_target(heap, PAGE);
    hak__reclaim_before_peak(heap, PAGE);
    size_t given = before - heap->pages.footprint;
    REQUIRE_THAT(given >= target && given < target + IDLE_BYTES, "%zu of %zu bytes", given, target);
    munmap(all.blocks, all.count * sizeof(void *));
    hak_heap_destroy(heap);
}

/* A slab all of whose pages were given back as holes, while it was current, has no block whose free
 * could retire it. */
static void a_punched_slab_without_a_block_is_given_back(void **state)
{
    (void)state;
    static void *blocks[SUPPORT_PUNCHED_MOST + 1];
    for (size_t take_one = 0; take_one < 2; take_one++) {
        hak_heap *heap = hak_heap_new(
            &(hak_heap_options){.profile = "lean", .settings = "retain_least=0 retain_part=0"});
        size_t n = support_punched_slab(heap, blocks);
        if (take_one) blocks[n++] = hak_heap_alloc(heap, 64);
        while (n > 0) hak_heap_free(heap, blocks[--n]);
        hak_heap_trim(heap);
        hak_stats after = support_stats(heap);
        REQUIRE_THAT(after.footprint == 0 && after.superslabs == 0,
                     "footprint %zu, %zu superslabs, committed %zu", after.footprint,
                     after.superslabs, after.committed);
        hak_heap_destroy(heap);
    }
}

/* Pages that come back count against the limit like new ones. */
static void pages_come_back_within_the_limit(void **state)
{
    (void)state;
    hak_heap *heap = support_fresh_heap("speed");
    held all = hold_bytes(heap, 4 * MIB, 1000);
    thin_out(heap, &all, 32);
    trim(heap);
    size_t limit = support_stats(heap).footprint + 256 * KIB;
    assert_true(hak_heap_set_limit(heap, limit));
    size_t count = 0;
    void **last = NULL, **block;
    for (; (block = hak_heap_alloc(heap, 1000)); last = block, count++) *block = last;
    assert_true(count >= 200 * KIB / 1000);
    assert_true(support_stats(heap).footprint <= limit);
    support_check_stats(heap);
    for (; last; last = block) {
        block = *last;
        hak_heap_free(heap, last);
    }
    held_end(heap, &all, 1000);
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_inside_a_slab_are_given_back),
        cmocka_unit_test(a_peak_is_not_the_sum_of_what_was),
        cmocka_unit_test(a_large_block_takes_the_place_of_holes),
        cmocka_unit_test(a_large_block_looks_at_so_much),
        cmocka_unit_test(a_search_says_what_it_reads),
        cmocka_unit_test(current_slabs_are_spared_as_long_as_others_have_holes),
        cmocka_unit_test(no_more_than_the_target_is_given_back),
        cmocka_unit_test(a_punched_slab_without_a_block_is_given_back),
        cmocka_unit_test(pages_come_back_within_the_limit),
        cmocka_unit_test(holes_are_counted_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
