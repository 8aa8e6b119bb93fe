/* Where the OS refuses to take pages, as under mlockall or a filter of system calls, a heap does
 * not ask for each piece again with each free: it gives up after a few refusals, and asks again
 * after pauses that double. A trim asks at once. When the OS relents, everything can be given back.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "heap/excess.h"
#include "heap/look.h"
#include "os/calls.h"
#include "pages/region.h"

static bool refusing;
static bool unmapping;        /* is not refused */
static bool refusing_records; /* the calls for one page */
static size_t asked;          /* calls */

int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);

int __wrap_madvise(void *at, size_t size, int advice)
{
    asked++;
    if (!refusing && !(refusing_records && size == PAGE)) return __real_madvise(at, size, advice);
    errno = EINVAL;
    return -1;
}

int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);

int __wrap_munmap(void *at, size_t size)
{
    if (!refusing || unmapping) return __real_munmap(at, size);
    errno = ENOMEM;
    return -1;
}

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

/* A purge of many pieces ends with the fourth that is refused in a row. */
static void four_refusals_end_a_purge(void **state)
{
    (void)state;
    static void *blocks[40];
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

/* What a heap leaves then is pooled, whatever its profile; a trim gives it back once the OS
 * relents.
 */
static void a_heap_may_go_meanwhile(void **state)
{
    (void)state;
    hak_heap *next = hak_heap_new(NULL),
             *heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    hak_process_stats before, after;
    for (size_t i = 0; i < 10000; i++) assert_non_null(hak_heap_alloc(heap, 1000));
    hak_process_stats_read(&before);
    refusing = true;
    hak_heap_destroy(heap);
    hak_process_stats_read(&after);
    REQUIRE_THAT(after.pooled + after.footprint == before.pooled + before.footprint,
                 "%zu and %zu, then %zu and %zu", before.pooled, before.footprint, after.pooled,
                 after.footprint);
    REQUIRE(hak_heap_trim(next) == 0);
    hak_process_stats_read(&before);
    REQUIRE(before.pooled == after.pooled);
    refusing = false;
    REQUIRE_THAT(hak_heap_trim(next) == after.pooled, "of %zu", after.pooled);
    hak_process_stats_read(&after);
    REQUIRE(after.pooled == 0);
    hak_heap_destroy(next);
}

static hak_process_stats process(void)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    return stats;
}

/* Whole superslabs go with their address space, where that is not refused. */
static void what_can_be_unmapped_goes(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    for (size_t i = 0; i < 100000; i++) assert_non_null(hak_heap_alloc(heap, 1000));
    size_t mapped = process().committed, resident = support_resident();
    refusing = unmapping = true;
    hak_heap_destroy(heap);
    REQUIRE(process().pooled <= 64 * KIB && process().committed + 90 * MIB < mapped);
    REQUIRE(support_resident() + 90 * MIB < resident);
    refusing = unmapping = false;
}

/* Bytes that the kernel has of the shared region. */
static size_t resident(void)
{
    static unsigned char pages[HAK_SUPERSLAB_SIZE / PAGE];
    const hak_region *region = hak__region_shared();
    size_t bytes = 0;
    for (size_t i = 0; i < region->ready; i++) {
        const hak_superslab *super = &region->supers[i];
        if (!super->region || !super->mapped) continue;
        REQUIRE(hak__os_resident(hak__superslab_start(super), HAK_SUPERSLAB_SIZE, pages));
        for (size_t j = 0; j < sizeof pages; j++) bytes += (pages[j] & 1) * PAGE;
    }
    return bytes;
}

/* A heap that goes with holes in its slabs leaves pages where they were, so that what is pooled is
 * what is there. */
static void what_is_pooled_has_no_holes(void **state)
{
    (void)state;
    enum { COUNT_OF = 20000 };
    static void *blocks[COUNT_OF];
    hak_heap *next = hak_heap_new(NULL);
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "speed"});
    hak_heap_trim(next);
    for (size_t i = 0; i < COUNT_OF; i++) REQUIRE(blocks[i] = hak_heap_alloc(heap, 500));
    for (size_t i = 0; i < COUNT_OF; i++) {
        if (i % 64) hak_heap_free(heap, blocks[i]);
    }
    size_t full = process().footprint;
    REQUIRE(hak_heap_trim(heap) > full / 2);
    refusing = true;
    hak_heap_destroy(heap);
    size_t pages = process().pooled + PAGE; /* in which the other heap lies */
    REQUIRE_THAT(resident() == pages, "%zu bytes of %zu", resident(), pages);
    refusing = false;
    hak_heap_trim(next);
    REQUIRE(process().pooled == 0 && resident() == PAGE);
    hak_heap_destroy(next);
}

/* The OS is asked once for the beginnings of heaps that are gone, however many there are. */
static void beginnings_are_asked_for_once(void **state)
{
    (void)state;
    static hak_heap *heaps[300];
    hak_heap *next = hak_heap_new(NULL);
    hak_heap_trim(next);
    for (size_t i = 0; i < COUNT(heaps); i++) {
        heaps[i] = hak_heap_new(NULL);
        assert_non_null(hak_heap_alloc(heaps[i], 1000));
    }
    for (size_t i = 0; i < COUNT(heaps); i++) hak_heap_destroy(heaps[i]);
    size_t pooled = process().pooled;
    REQUIRE(pooled >= COUNT(heaps) * PAGE);
    refusing = true;
    asked = 0;
    REQUIRE(hak_heap_trim(next) == 0);
    REQUIRE_THAT(asked == 1 && process().pooled == pooled, "%zu times", asked);
    refusing = false;
    REQUIRE(hak_heap_trim(next) == pooled && process().pooled == 0);
    hak_heap_destroy(next);
}

/* A heap whose limit is below what its beginning has in pages, and cannot be rid of, is refused;
 * the pages stay with the pool. */
static void a_beginning_beyond_the_limit_stays_pooled(void **state)
{
    (void)state;
    const hak_heap_options options = {.limit = 2 * PAGE};
    hak_heap *next = hak_heap_new(NULL), *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < 30; i++) memset(hak_heap_alloc(heap, 1000), 1, 1000);
    hak_heap_destroy(heap);
    hak_process_stats before = process();
    REQUIRE(before.pooled >= 7 * PAGE);
    refusing = true;
    errno = 0;
    REQUIRE(!hak_heap_new(&options) && errno == ENOMEM);
    REQUIRE_THAT(process().pooled == before.pooled && process().heaps == before.heaps, "%zu of %zu",
                 process().pooled, before.pooled);
    refusing = false;
    REQUIRE(heap = hak_heap_new(&options));
    REQUIRE(hak_heap_alloc(heap, 1000));
    support_check_stats(heap);
    hak_heap_destroy(heap);
    hak_heap_trim(next);
    hak_heap_destroy(next);
}

/* A superslab that has more pages than the limit has room for, and the OS does not take, is none
 * for the heap. */
static void a_superslab_beyond_the_limit_stays_pooled(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < 3000; i++) memset(hak_heap_alloc(heap, 1000), 1, 1000);
    hak_heap_destroy(heap);
    heap = hak_heap_new(&(hak_heap_options){.limit = 256 * KIB});
    refusing = true;
    size_t pooled = process().pooled;
    while (hak_heap_alloc(heap, 1000)) continue;
    hak_stats stats = support_stats(heap);
    REQUIRE_THAT(stats.footprint <= 64 * KIB && stats.retained < PAGE && !stats.superslabs,
                 "%zu bytes, %zu retained", stats.footprint, stats.retained);
    REQUIRE(pooled == process().pooled && pooled > 2 * MIB);
    support_check_stats(heap);
    refusing = false;
    size_t count = 0;
    for (; hak_heap_alloc(heap, 1000); count++) support_check_stats(heap);
    REQUIRE_THAT(count > 100 && support_stats(heap).superslabs == 1, "%zu blocks", count);
    hak_heap_trim(heap);
    hak_heap_destroy(heap);
}

/* The records of a superslab that goes back go too. */
static void records_go_with_their_superslab(void **state)
{
    (void)state;
    unsigned char page[1];
    hak_heap *heap = hak_heap_new(NULL);
    void *block = hak_heap_alloc(heap, 100000);
    REQUIRE(block);
    const hak_slab *records = hak__superslab_slabs(hak__superslab_of(hak__region_shared(), block));
    REQUIRE(hak__os_resident((void *)records, PAGE, page) && page[0] & 1);
    hak_heap_free(heap, block);
    hak_heap_trim(heap);
    REQUIRE(hak__os_resident((void *)records, PAGE, page) && !(page[0] & 1));
    hak_heap_destroy(heap);
}

/* Where they stay, they say that it is clean. */
static void records_that_stay_are_clean(void **state)
{
    (void)state;
    hak_heap *next = hak_heap_new(NULL);
    refusing_records = true;
    for (size_t round = 0; round < 2; round++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "pool=0"});
        for (size_t i = 0; i < 10000; i++) assert_non_null(hak_heap_alloc(heap, 1000));
        hak_heap_destroy(heap);
        assert_non_null(hak_heap_alloc(next, 20 * PAGE));
        REQUIRE_THAT(support_stats(next).retained == 0, "%zu", support_stats(next).retained);
        support_check_stats(next);
        hak_heap_trim(next);
    }
    refusing_records = false;
    hak_heap_destroy(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calls_are_few),
        cmocka_unit_test(giving_back_begins_again),
        cmocka_unit_test(a_slab_without_pages_goes),
        cmocka_unit_test(a_heap_may_go_meanwhile),
        cmocka_unit_test(what_can_be_unmapped_goes),
        cmocka_unit_test(four_refusals_end_a_purge),
        cmocka_unit_test(nothing_is_given_back_lazily_then),
        cmocka_unit_test(a_limit_holds_where_nothing_can_be_given_back),
        cmocka_unit_test(records_go_with_their_superslab),
        cmocka_unit_test(records_that_stay_are_clean),
        cmocka_unit_test(what_is_pooled_has_no_holes),
        cmocka_unit_test(beginnings_are_asked_for_once),
        cmocka_unit_test(a_beginning_beyond_the_limit_stays_pooled),
        cmocka_unit_test(a_superslab_beyond_the_limit_stays_pooled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
