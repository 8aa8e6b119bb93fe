/* The first superslab of a heap is mapped in part. So many small heaps take about the address space
 * that they hold, without too many kernel mappings. What a destroyed heap leaves is cut to what the
 * next one needs. */
#include "support.h"

#include <stdlib.h>

#include "heap/adapter.h"
#include "pages/mapping.h"
#include "pages/region.h"

#define BLOCK (((size_t)1 << HAK_UNIT_SHIFT) + PAGE) /* takes two units */
#define ALL   ((size_t)32)                           /* blocks of a superslab */
#define SLACK (64 * MIB) /* address space that may be taken for nothing */

static hak_process_stats process(void)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    return stats;
}

static size_t space(void)
{
    return support_status("VmSize:");
}

static hak_heap *heap_new(void)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = support_profile("lean")});
    REQUIRE(heap);
    return heap;
}

/* Takes so many blocks, and writes to them. */
static void take(hak_heap *heap, char **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        REQUIRE(blocks[i] = hak_heap_alloc(heap, BLOCK));
        support_fill_pages(blocks[i], BLOCK, i);
    }
}

static void give(hak_heap *heap, char *const *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) hak_heap_free(heap, blocks[i]);
}

/* The superslab of a block, and how many of its units are mapped. */
static hak_superslab *superslab_of(const void *block)
{
    return hak__superslab_of(hak__region_of(block), block);
}

static size_t units_of(const void *block)
{
    return superslab_of(block)->units;
}

/* Makes address space no longer little. */
static void take_much(hak_heap *heap)
{
    REQUIRE(hak_heap_alloc(heap, SLACK));
}

/* ------------------------------------------------------------------ many heaps */

static void hold(void *unused)
{
    (void)unused;
    enum { HEAPS = 2000, BYTES = 400000, SIZE = 500 };
    size_t count = HEAPS / support_scale();
    hak_heap **heaps = malloc(count * sizeof *heaps);
    hak_heap *first = heap_new();
    size_t begin = space(), committed = process().committed, held = 0;
    for (size_t i = 0; i < count; i++) {
        heaps[i] = heap_new();
        for (size_t n = 0; n < BYTES / SIZE; n++) REQUIRE(hak_heap_alloc(heaps[i], SIZE));
        held += support_stats(heaps[i]).footprint;
    }
    size_t taken = space() - begin;
    REQUIRE_THAT(taken <= held + held / 4 + SLACK, "%zu MiB for %zu", taken / MIB, held / MIB);
    for (size_t i = 0; i < count; i++) hak_heap_destroy(heaps[i * 7919 % count]);
    hak_heap_trim(first);
    size_t left = process().committed - committed;
    REQUIRE_THAT(left <= SLACK && space() - begin <= SLACK, "%zu MiB", left / MIB);
    hak_heap_destroy(first);
    free(heaps);
}

static void many_heaps_take_what_they_hold(void **state)
{
    (void)state;
    support_in_child(hold, NULL, 120);
}

/* ------------------------------------------------------------------ which are short */

/* A destroyed heap's is there for the next, as it is; of a whole one no more than has pages. */
static void take_over(void *unused)
{
    (void)unused;
    hak_heap_options options = {.settings = "pool=16m retain_least=16m"};
    char *blocks[ALL];
    hak_heap *first = hak_heap_new(NULL), *heap = hak_heap_new(&options);
    for (size_t round = 0; round < 3; round++) {
        take(heap, blocks, 8);
        REQUIRE(units_of(blocks[0]) == 16);
        hak_superslab *super = superslab_of(blocks[0]);
        uint64_t calls = process().os.total;
        hak_heap_destroy(heap);
        heap = hak_heap_new(&options);
        take(heap, blocks, 8);
        REQUIRE(superslab_of(blocks[0]) == super);
        REQUIRE(process().os.total == calls);
        support_check_stats(heap);
        give(heap, blocks, 8);
    }
    take_much(first);
    static const size_t left[] = {ALL, ALL / 2 + 1, ALL / 2, 2}, units[] = {64, 64, 32, 7};
    for (size_t i = 0; i < COUNT(left); i++) {
        take(heap, blocks, ALL);
        REQUIRE(units_of(blocks[0]) == 64);
        give(heap, blocks + left[i], ALL - left[i]);
        hak_heap_trim(heap);
        hak_heap_destroy(heap);
        size_t committed = process().committed, mapped = space();
        heap = hak_heap_new(&options);
        take(heap, blocks, 1);
        REQUIRE_THAT(units_of(blocks[0]) == units[i], "%zu", units_of(blocks[0]));
        REQUIRE(committed - process().committed == mapped - space());
        hak_heap_free(heap, blocks[0]);
        hak_heap_trim(heap);
    }
    hak_heap_destroy(heap);
    hak_heap_destroy(first);
}

static void superslabs_are_taken_over(void **state)
{
    (void)state;
    support_in_child(take_over, NULL, 20);
}

/* LuaJIT's are whole, and so are those of all heaps where there are many mappings. */
static void take_whole(void *unused)
{
    (void)unused;
    static const hak_hints hints = {.clock_most = 64, .scattered = true};
    enum { MANY = 5000 }; /* moved blocks, of two mappings each */
    char *block;
    hak_heap *heap = heap_new();
    hak__heap_suit(heap, &hints);
    take(heap, &block, 1);
    REQUIRE(units_of(block) == 64);
    hak_superslab moved = {0};
    for (size_t i = 0; i < MANY; i++, moved.huge_moved = false)
        hak__mapping_set_moved(&moved, true);
    take(heap_new(), &block, 1);
    REQUIRE(units_of(block) == 64);
}

/* They are so many mappings at most. */
static void take_many(void *unused)
{
    (void)unused;
    enum { MOST = 16384, MORE = 100 };
    size_t shorts = 0, mappings = support_mappings();
    for (size_t i = 0; i < MOST + MORE; i++) {
        char *block = hak_heap_alloc(heap_new(), BLOCK);
        REQUIRE(block);
        shorts += units_of(block) < HAK_SUPERSLAB_UNITS;
    }
    REQUIRE_THAT(shorts <= MOST && shorts > MOST - MORE, "%zu", shorts);
    size_t more = support_mappings() - mappings;
    REQUIRE_THAT(more <= MOST + MORE, "%zu mappings", more);
}

static void mappings_are_spared(void **state)
{
    (void)state;
    support_in_child(take_whole, NULL, 20);
}

/* They have 7 GiB, which the fast set does not allow. */
static void mappings_are_counted(void **state)
{
    (void)state;
    if (support_scale() > 1) skip();
    support_in_child(take_many, NULL, 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_heaps_take_what_they_hold),
        cmocka_unit_test(superslabs_are_taken_over),
        cmocka_unit_test(mappings_are_spared),
        cmocka_unit_test(mappings_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
