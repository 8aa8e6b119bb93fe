/* What counts as a hit or an operation, and what is told of blocks whose births are unknown, or of
 * very many. Built with HAK_OBSERVE, where heaps are observed from their creation on. */
#include "told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* All live equally long, so that one entry of the histogram has them all. */
static void million(void *unused)
{
    (void)unused;
    size_t many = 1000000 / support_scale();
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    void **blocks = calloc(many, sizeof *blocks);
    REQUIRE(heap && blocks);
    for (size_t i = 0; i < many; i++) blocks[i] = hak_heap_alloc(heap, 24);
    const hak_observations *told = hak_heap_observations(heap);
    REQUIRE(told->live_blocks == many && told->unnoted == 0);
    REQUIRE(told->ages[0] == 1 && told->ages[1] == 1 && told->ages[2] == 2 &&
            told->ages[10] == 512);
    for (size_t i = 0; i < many; i++) hak_heap_free(heap, blocks[i]);
    told = hak_heap_observations(heap);
    REQUIRE(told->operations == 2 * many && told->live_blocks == 0 && told->freed_unknown == 0);
    REQUIRE(told->lifetimes[power_of(many)] == many);
    hak_heap_destroy(heap);
}

static void a_million_live_blocks_are_known(void **unused)
{
    (void)unused;
    support_in_child(million, NULL, 120);
}

/* A class that has moved to slabs serves a freed block from its bin. */
static void hits(void *unused)
{
    (void)unused;
    enum { FIRST = 5000, TIMES = 300 };
    hak_heap *heap = hak_heap_new(NULL);
    void *block = NULL;
    for (size_t i = 0; i < FIRST; i++) block = hak_heap_alloc(heap, 64);
    const hak_observations *told = hak_heap_observations(heap);
    size_t hits_before = told->hits, misses = told->misses;
    REQUIRE(misses > 0 && told->refills > 0 && hits_before > misses);
    for (size_t i = 0; i < TIMES; i++) {
        hak_heap_free(heap, block);
        REQUIRE(hak_heap_alloc(heap, 60) == block);
    }
    told = hak_heap_observations(heap);
    REQUIRE(told->hits == hits_before + TIMES && told->misses == misses);
    REQUIRE(told->lifetimes[1] == TIMES);
    const hak_class_observations *class = class_told(told, 64);
    REQUIRE(class && class->bytes_requested == FIRST * 64 + TIMES * 60);
    REQUIRE(class->bytes_given == (FIRST + TIMES) * 64);
    hak_heap_destroy(heap);
}

/* 136 bytes at a multiple of 128 come from the class of 256. */
static void aligned_hits(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    void *block = NULL;
    for (size_t i = 0; i < 5000; i++) block = hak_heap_alloc(heap, 256);
    hak_heap_free(heap, block);
    const hak_observations *told = hak_heap_observations(heap);
    size_t hits_before = told->hits, misses = told->misses;
    REQUIRE(hak_heap_aligned_alloc(heap, 128, 136) == block);
    told = hak_heap_observations(heap);
    REQUIRE(told->hits == hits_before + 1 && told->misses == misses);
    REQUIRE(class_told(told, 256)->requests == 5001 && !class_told(told, 144));
    REQUIRE(hak_heap_aligned_alloc(heap, 8192, 256)); /* whole pages */
    told = hak_heap_observations(heap);
    REQUIRE(told->hits == hits_before + 1 && told->misses == misses + 1);
    for (size_t i = 0; i < 1000; i++) REQUIRE(hak_heap_aligned_alloc(heap, 128, 136));
    REQUIRE(hak_heap_observations(heap)->misses > misses + 1); /* as slabs are used up */
    hak_heap_destroy(heap);
}

static void a_hit_is_a_block_from_the_bin(void **unused)
{
    (void)unused;
    support_in_child(hits, NULL, 60);
    support_in_child(aligned_hits, NULL, 60);
}

static void begun_again(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    void *blocks[10];
    for (size_t i = 0; i < 5; i++) blocks[i] = hak_heap_alloc(heap, 100);
    REQUIRE(hak_heap_observe(heap, true)); /* goes on */
    REQUIRE(hak_heap_observations(heap)->allocations == 5);
    REQUIRE(hak_heap_observe(heap, false) && hak_heap_observe(heap, false));
    REQUIRE(!hak_heap_observing(heap));
    for (size_t i = 5; i < 10; i++) blocks[i] = hak_heap_alloc(heap, 100);
    const hak_observations *told = hak_heap_observations(heap);
    REQUIRE(told->allocations == 5 && !told->observing && told->live_blocks == 5);
    REQUIRE(hak_heap_observe(heap, true));
    told = hak_heap_observations(heap);
    REQUIRE(told->operations == 0 && told->born_before == 10 && told->classes == 0);
    REQUIRE(told->live_blocks == 0 && told->size_ranges == 0 && told->traced == 0);
    blocks[0] = hak_heap_realloc(heap, blocks[0], 50000);
    for (size_t i = 0; i < 10; i++) hak_heap_free(heap, blocks[i]);
    told = hak_heap_observations(heap);
    REQUIRE(told->frees == 10 && told->freed_unknown == 10 && told->resizes_moved == 1);
    for (size_t power = 0; power < HAK_POWERS; power++) REQUIRE(told->lifetimes[power] == 0);
    char *trace = trace_of(heap);
    REQUIRE(strstr(trace, "\n1,resize,,50000,112,miss,\n2,free,,0,"));
    free(trace);
    hak_heap_destroy(heap);
}

static void blocks_from_before_have_unknown_births(void **unused)
{
    (void)unused;
    support_in_child(begun_again, NULL, 60);
}

static void edges(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    hak_heap_free(heap, NULL);
    REQUIRE(hak_heap_observations(heap)->operations == 0);
    REQUIRE(!hak_heap_aligned_alloc(heap, 3, 10) && errno == EINVAL);
    REQUIRE(hak_heap_observations(heap)->operations == 0);
    void *block = hak_heap_alloc(heap, 10);
    REQUIRE(!hak_heap_realloc(heap, block, 0)); /* frees */
    REQUIRE(!hak_heap_zalloc(heap, support_size(SIZE_MAX), 2));
    const hak_observations *told = hak_heap_observations(heap);
    REQUIRE(told->allocations == 1 && told->frees == 1 && told->refusals == 1);
    REQUIRE(told->sizes[told->size_ranges - 1].to == UINT64_MAX);
    errno = 0;
    REQUIRE(!hak_heap_trace(heap, "/nowhere/trace.csv") && errno == ENOENT);
    hak_heap_destroy(heap);
}

static void what_is_no_operation_is_not_counted(void **unused)
{
    (void)unused;
    support_in_child(edges, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_live_blocks_are_known),
        cmocka_unit_test(a_hit_is_a_block_from_the_bin),
        cmocka_unit_test(blocks_from_before_have_unknown_births),
        cmocka_unit_test(what_is_no_operation_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
