/* As many blocks fit as there is memory for, of any size and alignment: they are not limited by the
 * kernel mappings that a process may have (vm.max_map_count), and leave most of these to others. */
#include "support.h"

#include <pthread.h>
#include <stdlib.h>

#define MANY          70000 /* more than there may be mappings, 65,530 */
#define MAPPINGS_MOST 20000

static void *blocks[MANY];

static void *nothing(void *argument)
{
    return argument;
}

static void check_mappings(void)
{
    size_t mappings = support_mappings();
    REQUIRE_THAT(mappings <= MAPPINGS_MOST, "%zu mappings", mappings);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, nothing, NULL) == 0);
    pthread_join(thread, NULL);
}

/* Makes many blocks in some way, and frees them in an order that leaves holes. */
static void make_many(void *(*make)(hak_heap *heap), size_t count)
{
    hak_heap *heap = hak_heap_new(NULL);
    REQUIRE(heap);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = make(heap);
        REQUIRE_THAT(blocks[i], "refused after %zu, with %zu mappings", i, support_mappings());
    }
    REQUIRE(support_stats(heap).live_blocks == count);
    check_mappings();
    for (size_t i = 0; i < count; i += 2) hak_heap_free(heap, blocks[i]);
    check_mappings();
    for (size_t i = 1; i < count; i += 2) hak_heap_free(heap, blocks[i]);
    hak_heap_trim(heap);
    hak_stats after = support_stats(heap);
    REQUIRE(after.footprint == 0 && after.superslabs == 0 && after.huge_blocks == 0);
    hak_heap_destroy(heap);
    check_mappings();
}

static void *aligned(hak_heap *heap)
{
    return hak_heap_aligned_alloc(heap, 128 * KIB, 4 * KIB);
}

static void *aligned_far(hak_heap *heap)
{
    return hak_heap_aligned_alloc(heap, 2 * MIB, 4 * KIB);
}

static void *grown(hak_heap *heap)
{
    void *block = hak_heap_alloc(heap, 200 * KIB);
    return block ? hak_heap_realloc(heap, block, 260 * KIB) : NULL;
}

static void *huge(hak_heap *heap)
{
    return hak_heap_alloc(heap, 2 * MIB + PAGE);
}

/* Their pages move. */
static void *grown_twice(hak_heap *heap)
{
    char *block = hak_heap_alloc(heap, 3 * MIB);
    if (!block) return NULL;
    block[0] = block[3 * MIB - 1] = 1;
    char *moved = hak_heap_realloc(heap, block, 30 * MIB);
    if (!moved) return NULL;
    REQUIRE(moved[0] == 1 && moved[3 * MIB - 1] == 1);
    return hak_heap_realloc(heap, moved, 3 * MIB);
}

static void many_aligned(void *context)
{
    (void)context;
    make_many(aligned, MANY);
    make_many(aligned_far, MANY);
}

static void many_grown(void *context)
{
    (void)context;
    make_many(grown, MANY / 5);
}

static void many_huge(void *context)
{
    (void)context;
    make_many(huge, MANY / 2);
    make_many(grown_twice, MANY / 10);
}

static void aligned_blocks_fit(void **state)
{
    (void)state;
    support_in_child(many_aligned, NULL, 60);
}

static void growing_blocks_fit(void **state)
{
    (void)state;
    support_in_child(many_grown, NULL, 60);
}

static void huge_blocks_fit(void **state)
{
    (void)state;
    support_in_child(many_huge, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_blocks_fit),
        cmocka_unit_test(growing_blocks_fit),
        cmocka_unit_test(huge_blocks_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
