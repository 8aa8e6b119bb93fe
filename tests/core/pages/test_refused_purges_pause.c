/* Where the OS refuses to take pages, as under mlockall or a filter of system calls, a heap does
 * not ask for each piece again with each free: it gives up after a few refusals, and asks again
 * after pauses that double. A trim asks at once. When the OS relents, everything can be given back.
 */
#include "refused_purges.h"

#include <errno.h>
#include <stdlib.h>

#include "heap/scan.h"

/* Fills a heap and empties it in an order that leaves partial slabs for long; returns how often the
 * OS was asked while it was emptied. */
static size_t empty_a_heap(const char *profile, size_t bytes, size_t size)
{
    size_t count = bytes / size;
    void **blocks = malloc(count * sizeof *blocks);
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = profile});
    REQUIRE(blocks && heap);
    for (size_t i = 0; i < count; i++) REQUIRE(blocks[i] = hak_heap_alloc(heap, size));
    refusing = true;
    asked = 0;
    for (size_t part = 0; part < 3; part++) {
        for (size_t i = part; i < count; i += 3) hak_heap_free(heap, blocks[i]);
    }
    size_t calls = asked;
    hak_heap_trim(heap);
    REQUIRE(asked > calls);
    calls = asked;
    support_check_stats(heap);
    refusing = false;
    hak_heap_trim(heap);
    hak_stats after = support_stats(heap);
    REQUIRE_THAT(after.footprint == 0 && after.superslabs == 0, "%zu bytes in %zu superslabs",
                 after.footprint, after.superslabs);
    hak_heap_destroy(heap);
    hak_process_stats process;
    hak_process_stats_read(&process);
    REQUIRE_THAT(process.pooled <= 64 * KIB, "%zu bytes pooled", process.pooled);
    free(blocks);
    return calls;
}

/* A superslab that is given back as a whole is asked for once. */
static void the_calls_are_few(void **state)
{
    (void)state;
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    static const size_t sizes[] = {64, 1000, 60000};
    for (size_t p = 0; p < COUNT(profiles); p++) {
        for (size_t s = 0; s < COUNT(sizes); s++) {
            size_t bytes = support_debug ? 16 * MIB : 64 * MIB;
            size_t once = empty_a_heap(profiles[p], bytes, sizes[s]);
            size_t twice = empty_a_heap(profiles[p], 2 * bytes, sizes[s]);
            size_t superslabs = bytes / MIB / 4 + 1;
            REQUIRE_THAT(once <= 150 + superslabs && twice <= 150 + 2 * superslabs,
                         "%s, %zu: %zu calls, %zu on a heap twice as large", profiles[p], sizes[s],
                         once, twice);
        }
    }
}

/* Refused calls of madvise: for lack of memory, and for other reasons, as here. */
static void require_refused(size_t for_memory, size_t other)
{
    hak_process_stats process;
    hak_process_stats_read(&process);
    REQUIRE(process.madvise_enomem == for_memory && process.madvise_other == other);
}

/* A purge of many pieces ends with the fourth that is refused in a row. */
static void four_refusals_end_a_purge(void **state)
{
    (void)state;
    static void *blocks[40];
    hak_process_stats before;
    hak_process_stats_read(&before);
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "retain_least=100m"});
    hak_heap_trim(heap);
    for (size_t i = 0; i < COUNT(blocks); i++) {
        assert_non_null(blocks[i] = hak_heap_alloc(heap, 60000));
    }
    for (size_t i = 0; i < COUNT(blocks); i += 2) hak_heap_free(heap, blocks[i]);
    size_t retained = support_stats(heap).retained, purges = support_stats(heap).purges;
    for (size_t i = 0; i < 2; i++) {
        refusing = true;
        asked = 0;
        REQUIRE(hak_heap_trim(heap) == 0 && support_stats(heap).retained == retained);
        REQUIRE_THAT(asked == 4, "%zu times", asked);
        require_refused(before.madvise_enomem, before.madvise_other += 4);
        REQUIRE(support_stats(heap).purges == purges);
        refusing = false;
    }
    /* Then a limit takes as much as it must, which are two pieces. */
    asked = 0;
    REQUIRE(hak_heap_set_limit(heap, support_stats(heap).footprint - 100 * KIB));
    REQUIRE_THAT(asked == 2, "%zu times", asked);
    REQUIRE(support_stats(heap).retained == retained - 2 * 15 * PAGE);
    REQUIRE(hak_heap_trim(heap) == retained - 2 * 15 * PAGE && support_stats(heap).retained == 0);
    REQUIRE_THAT(asked == 20, "%zu times", asked);
    REQUIRE(support_stats(heap).purges == purges + 20);
    hak_heap_destroy(heap);
}

/* Nor is a page given back that the OS could take when it wants, but has refused. */
static void nothing_is_given_back_lazily_then(void **state)
{
    (void)state;
    static void *blocks[40];
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.settings = "decommit=FREE retain_least=0 retain_part=0"});
    hak_heap_trim(heap);
    for (size_t i = 0; i < COUNT(blocks); i++) {
        assert_non_null(blocks[i] = hak_heap_alloc(heap, 60000));
    }
    size_t full = support_stats(heap).footprint, purges = support_stats(heap).purges;
    refusing = true;
    for (size_t i = 0; i < COUNT(blocks); i += 2) hak_heap_free(heap, blocks[i]);
    REQUIRE(support_stats(heap).footprint == full && support_stats(heap).purges == purges);
    refusing = false;
    REQUIRE(hak_heap_trim(heap) == 20 * 15 * PAGE);
    hak_heap_destroy(heap);
}

/* A block does not grow into what cannot be given back for it. */
static void a_limit_holds_where_nothing_can_be_given_back(void **state)
{
    (void)state;
    static void *blocks[40];
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.limit = 9 * MIB, .settings = "retain_least=100m"});
    hak_heap_trim(heap);
    char *huge = hak_heap_alloc(heap, 5 * MIB);
    REQUIRE(huge);
    support_fill_pages(huge, 5 * MIB, 1);
    for (size_t i = 0; i < COUNT(blocks); i++) {
        assert_non_null(blocks[i] = hak_heap_alloc(heap, 60000));
    }
    for (size_t i = 1; i < COUNT(blocks); i++) hak_heap_free(heap, blocks[i]);
    size_t footprint = support_stats(heap).footprint;
    refusing = true;
    errno = 0;
    REQUIRE(!hak_heap_realloc(heap, huge, 8 * MIB) && errno == ENOMEM);
    REQUIRE(support_stats(heap).footprint == footprint);
    REQUIRE(!hak_heap_alloc(heap, 5 * MIB));
    REQUIRE(hak__purge_some(&heap->pages, MIB) == 0);
    support_check_stats(heap);
    refusing = false;
    REQUIRE(huge = hak_heap_realloc(heap, huge, 8 * MIB));
    REQUIRE(support_intact_pages(huge, 5 * MIB, 1) == 5 * MIB);
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

/* Once it relents, policy gives back again, though not at once. */
static void giving_back_begins_again(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    static void *blocks[30000];
    for (size_t round = 0; round < 60; round++) {
        refusing = round < 3;
        for (size_t i = 0; i < COUNT(blocks); i++) {
            assert_non_null(blocks[i] = hak_heap_alloc(heap, 1000));
        }
        for (size_t i = 0; i < COUNT(blocks); i++) hak_heap_free(heap, blocks[i]);
    }
    REQUIRE_THAT(support_stats(heap).retained <= 8 * MIB, "%zu", support_stats(heap).retained);
    hak_heap_destroy(heap);
}

/* Nor is the OS asked for a slab that has no page left: it is free, refused or not. */
static void a_slab_without_pages_goes(void **state)
{
    (void)state;
    enum { SPAN = 7 * MIB / 4 };
    static void *blocks[SUPPORT_PUNCHED_MOST], *spans[4]; /* two in a superslab */
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.profile = "lean", .settings = "retain_least=0 retain_part=0"});
    for (size_t i = 0; i < COUNT(spans); i++) spans[i] = hak_heap_alloc(heap, SPAN);
    size_t n = support_punched_slab(heap, blocks);
    while (n > 0) hak_heap_free(heap, blocks[--n]);
    for (size_t i = 0; i < 2; i++) hak_heap_free(heap, spans[i]);
    refusing = true; /* another superslab has something to give, the first only that slab */
    hak_heap_free(heap, spans[2]);
    hak_heap_trim(heap);
    hak_heap_trim(heap);
    refusing = false;
    hak_heap_free(heap, spans[3]);
    hak_heap_trim(heap);
    hak_stats after = support_stats(heap);
    REQUIRE_THAT(after.footprint == 0 && after.superslabs == 0, "%zu bytes in %zu superslabs",
                 after.footprint, after.superslabs);
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calls_are_few),
        cmocka_unit_test(giving_back_begins_again),
        cmocka_unit_test(a_slab_without_pages_goes),
        cmocka_unit_test(four_refusals_end_a_purge),
        cmocka_unit_test(nothing_is_given_back_lazily_then),
        cmocka_unit_test(a_limit_holds_where_nothing_can_be_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
