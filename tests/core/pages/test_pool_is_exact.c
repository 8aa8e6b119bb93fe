/* What destroyed heaps leave for new ones is accounted for exactly, while many heaps come and go:
 * the kernel has no page that is not some heap's or pooled, the records of free and of used nests
 * say what they are, the pool keeps to its bound and is used again, and once it is asked for, all
 * of it goes back, the superslabs too. The seed is taken from HAK_TEST_SEED. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "heap/nest.h"
#include "pages/region.h"

#define HEAPS 150
#define POOL  (2 * MIB)

static hak_heap *heaps[HEAPS];

static hak_process_stats process(void)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    return stats;
}

/* What the kernel has of the shared region, in bytes. */
static size_t resident(void)
{
    const hak_region *region = hak__region_shared();
    uintptr_t end = region->base + region->superslabs * HAK_SUPERSLAB_SIZE;
    size_t sum = 0;
    bool ours = false;
    char line[512];
    FILE *smaps = fopen("/proc/self/smaps", "r");
    REQUIRE(smaps);
    while (fgets(line, sizeof line, smaps)) {
        unsigned long first, past, kib;
        if (sscanf(line, "%lx-%lx", &first, &past) == 2) ours = first < end && past > region->base;
        else if (ours && sscanf(line, "Rss: %lu kB", &kib) == 1) sum += kib * KIB;
    }
    fclose(smaps);
    return sum;
}

/* Pages that a heap lies in beside its footprint. */
static size_t own(const hak_heap *heap)
{
    return heap && heap->nest.run->span_size == 0 ? hak__nest_own_pages(heap) : 0;
}

/* The records of a superslab of nests. Returns how many bytes are pooled in it. */
static size_t check_nests(const hak_superslab *super, size_t *used)
{
    size_t pooled = 0;
    for (size_t unit = 0; unit < super->units; unit++) {
        const hak_slab *record = &hak__superslab_slabs(super)[unit];
        bool is_free = super->free >> unit & 1, dirty = super->dirty >> unit & 1;
        REQUIRE(is_free == (record->state == HAK_UNIT_FREE));
        REQUIRE(is_free || record->state == HAK_UNIT_NEST);
        REQUIRE(dirty == (is_free && record->touched > 0));
        if (is_free) pooled += record->touched;
        *used += !is_free;
    }
    return pooled;
}

/* All superslabs; returns how many are taken, by heaps for slabs or for nests. */
static size_t check_superslabs(void)
{
    const hak_region *region = hak__region_shared();
    size_t taken = 0, used = 0, pooled = 0, there = 0;
    for (size_t i = 0; i < region->ready; i++) {
        const hak_superslab *super = &region->supers[i];
        if (super->type == HAK_SUPERSLAB_NESTS) {
            pooled += check_nests(super, &used);
            taken++;
        } else if (super->type == HAK_SUPERSLAB_SLABS && !super->owner) {
            REQUIRE(super->pooled > 0);
            pooled += super->pooled;
        } else {
            taken += super->type == HAK_SUPERSLAB_SLABS;
        }
    }
    for (size_t i = 0; i < HEAPS; i++) there += heaps[i] != NULL;
    REQUIRE_THAT(used == there, "%zu nests of %zu heaps", used, there);
    REQUIRE_THAT(pooled == process().pooled, "%zu pooled, not %zu", pooled, process().pooled);
    return taken;
}

static void check(void)
{
    hak_process_stats stats = process();
    size_t pages = stats.footprint + stats.pooled, there = resident();
    for (size_t i = 0; i < HEAPS; i++) pages += own(heaps[i]);
    REQUIRE_THAT(there == pages, "%zu KiB resident, %zu KiB accounted for", there / KIB,
                 pages / KIB);
    REQUIRE_THAT(stats.pooled <= POOL, "%zu KiB pooled", stats.pooled / KIB);
    size_t taken = stats.superslabs_taken - stats.superslabs_given, superslabs = check_superslabs();
    REQUIRE_THAT(taken == superslabs, "%zu superslabs taken, %zu there", taken, superslabs);
}

static hak_heap *open_heap(const char *settings)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = settings});
    REQUIRE(heap);
    return heap;
}

/* Most heaps stay in their nests; some have slabs, spans and huge blocks. */
static void populate(hak_heap *heap, support_random *random)
{
    size_t count = support_below(random, support_below(random, 8) ? 60 : 3000);
    for (size_t i = 0; i < count; i++) {
        size_t size = 1 + support_below(random, i % 100 ? 1000 : 100 * KIB);
        void *block = hak_heap_alloc(heap, size);
        REQUIRE(block);
        memset(block, 1, hak_heap_usable_size(heap, block));
        if (support_below(random, 2)) hak_heap_free(heap, block);
    }
    if (support_below(random, 20)) return;
    void *huge = hak_heap_alloc(heap, 3 * MIB);
    REQUIRE(huge);
    memset(huge, 1, 3 * MIB);
}

static void come_and_go(void *context)
{
    (void)context;
    static const char *const settings[] = {"pool=2m", "pool=2m kinds=1", "pool=2m retain_least=0"};
    support_random random = {support_seed()};
    for (size_t round = 0; round < 12; round++) {
        /* By turns there are more and fewer. */
        for (size_t i = 0; i < HEAPS; i++) {
            size_t at = support_below(&random, HEAPS);
            bool wanted = support_below(&random, 10) < (round % 2 ? 1 : 9);
            if (wanted == (heaps[at] != NULL)) continue;
            if (wanted) {
                heaps[at] = open_heap(settings[support_below(&random, COUNT(settings))]);
                populate(heaps[at], &random);
            } else {
                hak_heap_destroy(heaps[at]);
                heaps[at] = NULL;
            }
            if (i % 16 == 0) check();
        }
        check();
    }
    for (size_t i = 1; i < HEAPS; i++) {
        hak_heap_destroy(heaps[i]);
        heaps[i] = NULL;
    }
    if (!heaps[0]) heaps[0] = open_heap("pool=2m");
    check();
    size_t pooled = process().pooled, footprint = process().footprint;
    REQUIRE(pooled > 0);
    size_t given = hak_heap_trim(heaps[0]);
    REQUIRE_THAT(given == pooled + footprint - process().footprint, "%zu given", given);
    REQUIRE_THAT(process().pooled == 0, "%zu pooled", process().pooled);
    REQUIRE(check_superslabs() == 1);
    check();
    REQUIRE(hak_heap_set_profile(heaps[0], "lean"));
    REQUIRE(hak_heap_configure(heaps[0], "pool=0", NULL, 0));
    hak_heap_destroy(heaps[0]);
    heaps[0] = NULL;
    check();
    REQUIRE(process().superslabs_given == process().superslabs_taken);
    REQUIRE(resident() == 0);
}

/* A new heap takes the pages that one before has left, and no others while there are any. */
static void take_again(void *context)
{
    (void)context;
    for (size_t i = 0; i < 50; i++) {
        heaps[i] = open_heap("pool=2m");
        memset(hak_heap_alloc(heaps[i], 1000), 1, 1000);
    }
    check();
    for (size_t i = 10; i < 50; i += 15) {
        for (size_t n = 0; n < 20; n++) memset(hak_heap_alloc(heaps[i], 1000), 1, 1000);
        hak_heap_destroy(heaps[i]);
        heaps[i] = NULL;
    }
    for (size_t i = 10; i < 50; i += 15) {
        size_t pooled = process().pooled, there = resident();
        heaps[i] = open_heap("pool=2m");
        hak_stats stats = support_stats(heaps[i]);
        REQUIRE_THAT(pooled - process().pooled == stats.retained + own(heaps[i]), "%zu, then %zu",
                     pooled, process().pooled);
        REQUIRE(stats.retained >= 4 * PAGE);
        REQUIRE(resident() == there);
    }
    REQUIRE(process().pooled == 0);
    check();
}

/* What passes the bound goes down to half of it, so that not every heap makes calls for it. */
static void pass_the_bound(void *context)
{
    (void)context;
    for (size_t i = 0; i < HEAPS; i++) {
        heaps[i] = open_heap("pool=2m");
        for (size_t n = 0; n < 40; n++) memset(hak_heap_alloc(heaps[i], 1000), 1, 1000);
    }
    size_t falls = 0;
    for (size_t i = 0; i < HEAPS; i++) {
        size_t before = process().pooled;
        hak_heap_destroy(heaps[i]);
        heaps[i] = NULL;
        size_t after = process().pooled;
        check();
        if (after > before) continue;
        falls++;
        REQUIRE_THAT(after <= POOL / 2 && before > POOL - 64 * KIB, "%zu KiB, then %zu",
                     before / KIB, after / KIB);
    }
    REQUIRE_THAT(falls >= 2 && falls <= 6, "%zu falls", falls);
}

/* Ten such heaps, one after the other; returns how many bytes they have left. */
static size_t left_by_ten(size_t pool)
{
    char settings[32];
    snprintf(settings, sizeof settings, "pool=%zu", pool);
    for (size_t i = 0; i < 10; i++) {
        heaps[i] = open_heap(settings);
        for (size_t n = 0; n < 40; n++) memset(hak_heap_alloc(heaps[i], 1000), 1, 1000);
    }
    for (size_t i = 0; i < 10; i++) hak_heap_destroy(heaps[i]);
    return process().pooled;
}

/* The bound itself may stay, and a byte more may not. */
static void reach_the_bound(void *context)
{
    (void)context;
    hak_heap *next = open_heap("pool=2m");
    size_t bytes = left_by_ten(POOL);
    hak_heap_trim(next);
    REQUIRE(process().pooled == 0 && bytes > 10 * 40000);
    size_t left = left_by_ten(bytes);
    REQUIRE_THAT(left == bytes, "%zu of %zu", left, bytes);
    hak_heap_trim(next);
    left = left_by_ten(bytes - 1);
    REQUIRE_THAT(left <= bytes / 2, "%zu of %zu", left, bytes);
    hak_heap_destroy(next);
}

static void heaps_come_and_go(void **state)
{
    (void)state;
    support_in_child(come_and_go, NULL, 60);
}

static void pages_are_taken_again(void **state)
{
    (void)state;
    support_in_child(take_again, NULL, 20);
}

static void the_bound_holds(void **state)
{
    (void)state;
    support_in_child(pass_the_bound, NULL, 20);
    support_in_child(reach_the_bound, NULL, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heaps_come_and_go),
        cmocka_unit_test(pages_are_taken_again),
        cmocka_unit_test(the_bound_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
