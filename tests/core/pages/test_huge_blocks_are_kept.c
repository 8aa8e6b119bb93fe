/* A huge block that is freed is kept whole and used again: the smallest one that will do, cut when
 * it is more than a quarter too large. Giving back takes the largest first, and no more than it
 * has to. Everything is accounted for to the page. Random operations against a model; the seed is
 * taken from HAK_TEST_SEED. */
#include "support.h"

#include <string.h>

#include "heap/slab.h"
#include "pages/waiting.h"

#define MOST 12 /* blocks, fewer than a search passes over */

static struct {
    char *start;
    size_t size;
    bool kept;
} blocks[MOST];

static size_t up_to_page(size_t n)
{
    return (n + PAGE - 1) / PAGE * PAGE;
}

/* The kept block to use for `size` bytes at a multiple of `align`; MOST: none. */
static size_t best_for(size_t size, size_t align)
{
    size_t best = MOST;
    for (size_t i = 0; i < MOST; i++) {
        if (!blocks[i].kept || blocks[i].size < size || (uintptr_t)blocks[i].start % align)
            continue;
        if (best == MOST || blocks[i].size < blocks[best].size) best = i;
    }
    return best;
}

static size_t none_there(void)
{
    size_t i = 0;
    while (i < MOST && blocks[i].start) i++;
    return i;
}

static void check(hak_heap *heap, size_t purges)
{
    size_t live = 0, kept = 0, count = 0;
    for (size_t i = 0; i < MOST; i++) {
        if (!blocks[i].start) continue;
        if (blocks[i].kept) kept += blocks[i].size;
        else live += blocks[i].size, count++;
        if (blocks[i].kept) REQUIRE(!hak_heap_owns(heap, blocks[i].start));
        else REQUIRE(hak_heap_usable_size(heap, blocks[i].start) == blocks[i].size);
    }
    hak_stats stats = support_stats(heap);
    REQUIRE(stats.huge_blocks == count && stats.huge_bytes == live);
    REQUIRE_THAT(stats.retained == kept, "%zu retained, not %zu", stats.retained, kept);
    REQUIRE_THAT(stats.purges == purges, "%zu purges, not %zu", stats.purges, purges);
    support_check_stats(heap);
}

static void take(hak_heap *heap, size_t size, size_t align, size_t *purges)
{
    size_t bytes = up_to_page(size), most = up_to_page(bytes + bytes / 4);
    size_t best = best_for(bytes, align), fresh = none_there();
    if (best == MOST && fresh == MOST) return;
    char *block =
        align > PAGE ? hak_heap_aligned_alloc(heap, align, size) : hak_heap_alloc(heap, size);
    REQUIRE(block);
    if (best == MOST) {
        blocks[fresh].start = block;
        blocks[fresh].size = bytes;
    } else {
        REQUIRE_THAT(block == blocks[best].start, "%zu bytes: not from the one of %zu", bytes,
                     blocks[best].size);
        blocks[best].kept = false;
        if (blocks[best].size > most) blocks[best].size = most, ++*purges;
    }
    block[0] = block[size - 1] = 1;
}

static void the_smallest_that_will_do_is_used(void **state)
{
    (void)state;
    if (HAK_UNIT_SHIFT != 16 || !hak_settings_valid("decommit=OFF", NULL, 0)) skip();
    support_random random = {support_seed()};
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "decommit=OFF"});
    size_t purges = 0;
    memset(blocks, 0, sizeof blocks);
    for (size_t i = 0; i < support_scaled(40000) / 10 + 300; i++) {
        size_t at = support_below(&random, MOST);
        if (blocks[at].start && !blocks[at].kept) {
            hak_heap_free(heap, blocks[at].start);
            blocks[at].kept = true;
        } else {
            size_t size = support_below(&random, 4) ? 2 * MIB + 1 + support_below(&random, 5 * MIB)
                                                    : 3 * MIB + support_below(&random, 30 * MIB);
            /* Sometimes one that is there to the byte. */
            if (blocks[at].kept && support_below(&random, 3) == 0 && blocks[at].size > 2 * MIB)
                size = blocks[at].size - PAGE * support_below(&random, 2);
            take(heap, size, support_below(&random, 8) ? PAGE : 4 * MIB, &purges);
        }
        check(heap, purges);
    }
    hak_heap_destroy(heap);
}

/* Giving back takes no more than it has to, and that goes at once: nothing waits. */
static void no_more_goes_than_has_to(void **state)
{
    (void)state;
    if (HAK_UNIT_SHIFT != 16 || !hak_settings_valid("decommit=OFF", NULL, 0)) skip();
    static const size_t sizes[] = {3 * MIB, 9 * MIB, 20 * MIB};
    static const struct {
        size_t less, left, purges;
    } cases[] = {
        {PAGE, 32 * MIB - PAGE, 1},
        {PAGE - 1, 32 * MIB - PAGE, 1},
        {PAGE + 1, 32 * MIB - 2 * PAGE, 1},
        {MIB, 31 * MIB, 1},
        {20 * MIB - 64 * KIB, 12 * MIB + 64 * KIB, 1},
        {20 * MIB - 64 * KIB + PAGE, 12 * MIB, 1}, /* too little would be left of it */
        {20 * MIB, 12 * MIB, 1},
        {20 * MIB + PAGE, 12 * MIB - PAGE, 2},
        {29 * MIB, 3 * MIB, 2},
        {31 * MIB, MIB, 3},
        {32 * MIB, 0, 3},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "decommit=OFF"});
        void *kept[COUNT(sizes)], *live = hak_heap_alloc(heap, 5 * MIB);
        for (size_t j = 0; j < COUNT(sizes); j++) kept[j] = hak_heap_alloc(heap, sizes[j]);
        for (size_t j = 0; j < COUNT(sizes); j++) hak_heap_free(heap, kept[j]);
        size_t footprint = support_stats(heap).footprint;
        REQUIRE(live && support_stats(heap).retained == 32 * MIB);
        REQUIRE(hak_heap_set_limit(heap, footprint - cases[i].less));
        hak_stats stats = support_stats(heap);
        REQUIRE_THAT(stats.retained == cases[i].left, "case %zu: %zu KiB retained", i,
                     stats.retained / KIB);
        REQUIRE_THAT(stats.purges == cases[i].purges, "case %zu: %zu purges", i, stats.purges);
        REQUIRE(footprint - stats.footprint == 32 * MIB - cases[i].left);
        REQUIRE(hak__waiting_bytes() == 0);
        REQUIRE(stats.huge_blocks == 1);
        hak_heap_destroy(heap);
    }
}

/* All of them go with a trim, and down to the bound of a leaner profile, the largest first, and
 * of those of like size the latest. */
static void the_largest_go_first(void **state)
{
    (void)state;
    if (HAK_UNIT_SHIFT != 16 || !hak_settings_valid("decommit=OFF", NULL, 0)) skip();
    static const struct {
        const char *settings;
        size_t left;
    } cases[] = {
        {"decommit=DONTNEED retain_part=0 retain_least=33m", 32 * MIB},
        {"decommit=DONTNEED retain_part=0 retain_least=32m", 32 * MIB},
        {"decommit=DONTNEED retain_part=0 retain_least=31m", 12 * MIB},
        {"decommit=DONTNEED retain_part=0 retain_least=12m", 12 * MIB},
        {"decommit=DONTNEED retain_part=0 retain_least=11m", 9 * MIB},
        {"decommit=DONTNEED retain_part=0 retain_least=0", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "decommit=OFF"});
        void *kept[] = {hak_heap_alloc(heap, 20 * MIB), hak_heap_alloc(heap, 3 * MIB),
                        hak_heap_alloc(heap, 9 * MIB)};
        for (size_t j = COUNT(kept); j-- > 0;) hak_heap_free(heap, kept[j]);
        REQUIRE(hak_heap_configure(heap, cases[i].settings, NULL, 0));
        hak_stats stats = support_stats(heap);
        REQUIRE_THAT(stats.retained == cases[i].left, "%s: %zu KiB", cases[i].settings,
                     stats.retained / KIB);
        hak_heap_trim(heap);
        REQUIRE(support_stats(heap).footprint == 0);
        hak_heap_destroy(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_that_will_do_is_used),
        cmocka_unit_test(no_more_goes_than_has_to),
        cmocka_unit_test(the_largest_go_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
