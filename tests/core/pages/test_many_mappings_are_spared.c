/* Where the region has many kernel mappings, of which a process has not many, further huge blocks
 * make few: they lie side by side, keep their access when they are freed, and are copied rather
 * than moved, and blocks that grow stay among the others as long as they can. */
#include "support.h"

#include "pages/mapping.h"

#define MANY 5000 /* moved blocks, of two mappings each */
#define SIZE (5 * MIB)
#define NEXT (8 * MIB) /* from one to the next where they lie side by side */

static hak_process_stats process(void)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    return stats;
}

static char *take(hak_heap *heap)
{
    char *block = hak_heap_zalloc(heap, 1, SIZE);
    REQUIRE(block);
    for (size_t at = 0; at < SIZE; at += PAGE) REQUIRE(block[at] == 0);
    support_fill_pages(block, SIZE, (uintptr_t)block);
    return block;
}

/* As many blocks as that have been moved, or are gone. */
static void count_moved(size_t count, bool moved)
{
    for (size_t i = 0; i < count; i++) {
        hak_superslab block = {.huge_moved = !moved};
        hak__mapping_set_moved(&block, moved);
    }
}

static void lie_side_by_side(void *context)
{
    (void)context;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "retain_least=0 retain_part=0"});
    char *apart[2] = {take(heap), take(heap)};
    REQUIRE(apart[1] - apart[0] >= (ptrdiff_t)(4 * SIZE)); /* each has room to grow */
    REQUIRE(!hak__mapping_crowded());
    count_moved(MANY, true);
    REQUIRE(hak__mapping_crowded());
    char *blocks[3];
    for (size_t i = 0; i < COUNT(blocks); i++) blocks[i] = take(heap);
    REQUIRE(blocks[2] == blocks[1] + NEXT);
    size_t mappings = support_mappings();

    /* One is freed and taken again, many times. */
    for (size_t i = 0; i < 20; i++) {
        size_t committed = process().committed, resident = support_resident();
        hak_heap_free(heap, blocks[1]);
        REQUIRE(!hak_owns(blocks[1]));
        REQUIRE(process().committed == committed && support_resident() + MIB < resident);
        REQUIRE(take(heap) == blocks[1]);
    }
    REQUIRE(support_mappings() <= mappings);

    /* One whose room is used up is copied; nobody's pages are moved. */
    uint64_t moves = process().os.mremap;
    char *grown = hak_heap_realloc(heap, blocks[1], 2 * NEXT);
    REQUIRE(grown && grown != blocks[1]);
    REQUIRE(support_intact_pages(grown, SIZE, (uintptr_t)blocks[1]) == SIZE);
    REQUIRE(process().os.mremap == moves);

    /* A block that grows stays among the others up to the largest that does. */
    char *growing = hak_heap_alloc(heap, 100 * KIB);
    size_t huge = support_stats(heap).huge_blocks;
    for (size_t size = 200 * KIB; size <= 2 * MIB; size += 200 * KIB) {
        REQUIRE(hak_heap_alloc(heap, 100 * KIB)); /* in its way */
        REQUIRE(growing = hak_heap_realloc(heap, growing, size));
        REQUIRE(support_stats(heap).huge_blocks == huge);
    }

    /* As before, once there are few. */
    count_moved(MANY, false);
    REQUIRE(!hak__mapping_crowded());
    size_t committed = process().committed;
    hak_heap_free(heap, blocks[0]);
    REQUIRE(process().committed + NEXT == committed);
    hak_heap_destroy(heap);
}

static void huge_blocks_spare_mappings(void **state)
{
    (void)state;
    support_in_child(lie_side_by_side, NULL, 60);
}

/* So many are many: what lies apart counts one, and the end of a block that is mapped in part. */
static void mappings_are_counted(void *context)
{
    (void)context;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "retain_least=0 retain_part=0"});
    count_moved(4095, true);
    REQUIRE(!hak__mapping_crowded());
    count_moved(2, true);
    REQUIRE(hak__mapping_crowded());
    count_moved(2, false);
    REQUIRE(!hak__mapping_crowded());
    char *block = take(heap);
    REQUIRE(hak__mapping_crowded());
    hak_heap_free(heap, block);
    count_moved(1, false);
    hak_heap_trim(heap);
    REQUIRE(!hak__mapping_crowded());
    hak_heap_destroy(heap);
}

static void mappings_are_counted_exactly(void **state)
{
    (void)state;
    support_in_child(mappings_are_counted, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(huge_blocks_spare_mappings),
        cmocka_unit_test(mappings_are_counted_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
