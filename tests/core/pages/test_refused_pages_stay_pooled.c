/* What heaps leave that the OS refuses to take stays pooled, and is no heap's whose limit it would
 * pass; it goes when the OS relents. Records go with their superslab, or say that it is clean. */
#include "refused_purges.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "heap/slab.h"
#include "os/calls.h"
#include "pages/region.h"

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
        size_t size = (size_t)super->units << HAK_UNIT_SHIFT; /* fewer where nests are */
        REQUIRE(hak__os_resident(hak__superslab_start(super), size, pages));
        for (size_t j = 0; j < size / PAGE; j++) bytes += (pages[j] & 1) * PAGE;
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

/* Under a limit of address space beginnings lie in short superslabs, which are unmapped. Where that
 * is refused, one is asked for, and the others stay as they are until it is not. */
static void unmap_short_superslabs(void *unused)
{
    (void)unused;
    static hak_heap *heaps[100];
    const rlim_t wide = (rlim_t)1 << 46;
    REQUIRE(setrlimit(RLIMIT_AS, &(struct rlimit){wide, wide}) == 0);
    hak_heap *next = hak_heap_new(NULL);
    for (size_t i = 0; i < COUNT(heaps); i++) {
        REQUIRE(heaps[i] = hak_heap_new(NULL));
        REQUIRE(hak_heap_alloc(heaps[i], 1000));
    }
    for (size_t i = 0; i < COUNT(heaps); i++) hak_heap_destroy(heaps[i]);
    size_t pooled = process().pooled, committed = process().committed;
    REQUIRE(pooled >= COUNT(heaps) * PAGE);
    for (size_t round = 0; round < 2; round++) {
        refusing_unmaps = true;
        unmaps_asked = 0;
        hak_heap_trim(next);
        REQUIRE_THAT(unmaps_asked == 1, "%zu times", unmaps_asked);
        REQUIRE(process().pooled > pooled / 2 && process().committed == committed);
    }
    refusing_unmaps = false;
    hak_heap_trim(next);
    REQUIRE(process().pooled == 0);
    REQUIRE_THAT(process().committed + 4 * MIB < committed, "%zu", process().committed);
    hak_heap_destroy(next);
}

static void unmapping_is_asked_for_once(void **state)
{
    (void)state;
    support_in_child(unmap_short_superslabs, NULL, 20);
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
        cmocka_unit_test(unmapping_is_asked_for_once), /* first: its child begins with nothing */
        cmocka_unit_test(a_heap_may_go_meanwhile),
        cmocka_unit_test(what_can_be_unmapped_goes),
        cmocka_unit_test(records_go_with_their_superslab),
        cmocka_unit_test(records_that_stay_are_clean),
        cmocka_unit_test(what_is_pooled_has_no_holes),
        cmocka_unit_test(beginnings_are_asked_for_once),
        cmocka_unit_test(a_beginning_beyond_the_limit_stays_pooled),
        cmocka_unit_test(a_superslab_beyond_the_limit_stays_pooled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
