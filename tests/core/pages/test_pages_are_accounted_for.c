/* The accounts and the kernel agree, to the page: what /proc/self/smaps says is resident and
 * accessible in our address space is what the statistics say of footprint and committed, while a
 * heap grows, shrinks, is trimmed and follows other profiles, and when it is gone. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pages/region.h"

#define SLOTS 20000

typedef struct mapped {
    size_t resident, accessible; /* bytes */
} mapped;

/* What the kernel has of the shared region. */
static mapped look(void)
{
    const hak_region *region = hak__region_shared();
    uintptr_t end = region->base + region->superslabs * HAK_SUPERSLAB_SIZE;
    mapped sum = {0};
    char line[512];
    bool ours = false;
    FILE *smaps = fopen("/proc/self/smaps", "r");
    REQUIRE(smaps);
    while (fgets(line, sizeof line, smaps)) {
        unsigned long first, past, kib;
        char access[5];
        if (sscanf(line, "%lx-%lx %4s", &first, &past, access) == 3) {
            ours = first < end && past > region->base;
            /* A mapping that goes on beyond the region would be counted whole. */
            if (ours) REQUIRE(first >= region->base && (past <= end || access[0] == '-'));
            if (ours && access[0] == 'r') sum.accessible += past - first;
        } else if (ours && sscanf(line, "Rss: %lu kB", &kib) == 1) {
            sum.resident += kib * KIB;
        }
    }
    fclose(smaps);
    return sum;
}

/* One heap is all there is: its pages, the one that it lies in, and what others have left. */
static void agree(const hak_heap *heap)
{
    hak_process_stats process;
    hak_process_stats_read(&process);
    mapped seen = look();
    size_t pages = process.footprint + process.pooled, own = 0;
    if (heap) {
        hak_stats stats = support_stats(heap);
        REQUIRE(process.footprint == stats.footprint);
        REQUIRE(stats.committed <= process.committed);
        if (stats.footprint == 0) own = PAGE; /* else it is among them */
    }
    REQUIRE_THAT(seen.resident == pages + own, "resident: %zu KiB, accounted for: %zu KiB and %zu",
                 seen.resident / KIB, pages / KIB, own / KIB);
    REQUIRE_THAT(seen.accessible == process.committed, "accessible: %zu KiB, committed: %zu KiB",
                 seen.accessible / KIB, process.committed / KIB);
}

static void *slots[SLOTS];
static size_t sizes[SLOTS];

/* Blocks of slabs, spans and huge ones, all written to. */
static size_t any_size(support_random *random)
{
    size_t what = support_below(random, 1000);
    if (what == 0) return 2 * MIB + support_below(random, 4 * MIB);
    if (what < 20) return 16 * KIB + support_below(random, 200 * KIB);
    return 1 + support_below(random, what < 100 ? 16 * KIB : 1000);
}

static void work(hak_heap *heap, size_t used, support_random *random)
{
    for (size_t i = 0; i < 30000; i++) {
        size_t slot = support_below(random, SLOTS);
        hak_heap_free(heap, slots[slot]);
        slots[slot] = NULL;
        if (slot >= used) continue;
        sizes[slot] = any_size(random);
        REQUIRE(slots[slot] = hak_heap_alloc(heap, sizes[slot]));
        memset(slots[slot], 1, sizes[slot]);
    }
}

static void live(void *context)
{
    const char *profile = context;
    static const char *const others[] = {"lean", "speed", "balanced"};
    support_random random = {support_seed()};
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = profile});
    agree(heap);
    /* Shares of the slots that are in use: it grows, falls to nearly nothing, and again. */
    static const size_t used[] = {100, 2000, SLOTS / 2, 300, SLOTS / 4, 0, 50};
    for (size_t i = 0; i < COUNT(used); i++) {
        work(heap, used[i], &random);
        agree(heap);
        if (i % 2) hak_heap_trim(heap);
        else hak_heap_set_profile(heap, others[i / 2 % 3]);
        agree(heap);
        hak_heap_settle(heap);
        agree(heap);
    }
    hak_heap_destroy(heap);
    agree(NULL);
}

/* A heap ends with holes in its slabs: neither the pool nor the next heap has pages there. */
static void leave_holes(void *context)
{
    (void)context;
    enum { COUNT_OF = 64 * 1024 * 3 };
    static void *blocks[COUNT_OF];
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < COUNT_OF; i++) REQUIRE(blocks[i] = hak_heap_alloc(heap, 64));
    for (size_t i = 0; i < COUNT_OF; i++) {
        if (i % 1024 != 7) hak_heap_free(heap, blocks[i]);
    }
    hak_heap_trim(heap);
    agree(heap);
    hak_heap_destroy(heap);
    agree(NULL);
    heap = hak_heap_new(NULL);
    for (size_t size = 100; size < 100000; size *= 3) {
        void *block = hak_heap_alloc(heap, size);
        REQUIRE(block);
        memset(block, 1, size);
    }
    agree(heap);
    hak_heap_destroy(heap);
    agree(NULL);
}

static void holes_are_nobodys(void **state)
{
    (void)state;
    support_in_child(leave_holes, NULL, 60);
}

static void it_is_so_in_each_profile(void **state)
{
    (void)state;
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    for (size_t i = 0; i < COUNT(profiles); i++) {
        support_in_child(live, (void *)profiles[i], 120);
    }
}

/* Nothing is given back that is not ours: such a call is not made, and told. */
static void give_back_what_is_not_ours(void *context)
{
    (void)context;
    hak_heap *heap = hak_heap_new(NULL);
    static char of_the_program[3 * PAGE];
    char *page = of_the_program + PAGE - (uintptr_t)of_the_program % PAGE;
    support_fill(page, PAGE, 1);
    hak_process_stats before, after;
    hak_process_stats_read(&before);
    REQUIRE(!hak__region_purge(page, PAGE) && !hak__region_purge_lazily(page, PAGE));
    hak_process_stats_read(&after);
    REQUIRE(support_intact(page, PAGE, 1) == PAGE);
    REQUIRE(after.madvise_disabled == before.madvise_disabled + 2);
    REQUIRE(after.os.madvise == before.os.madvise);
    hak_heap_destroy(heap);
}

static void what_is_not_ours_stays(void **state)
{
    (void)state;
    support_in_child(give_back_what_is_not_ours, NULL, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_so_in_each_profile),
        cmocka_unit_test(holes_are_nobodys),
        cmocka_unit_test(what_is_not_ours_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
