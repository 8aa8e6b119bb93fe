/* The region takes the address space that its heaps need, where nobody else is, and gives it back;
 * so a limit of address space is one of memory, at any time, and leaves to others what is free. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "pages/region.h"

#define SLACK (64 * MIB) /* address space that is taken for nothing, at most */

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

static void *map_at(char *start, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    return mmap(start, size, PROT_NONE, flags, -1, 0);
}

/* ------------------------------------------------------------------ what is taken */

static void take_as_needed(void *unused)
{
    (void)unused;
    size_t begin = space();
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    REQUIRE(hak_heap_alloc(heap, 100));
    REQUIRE_THAT(space() - begin <= 2 * MIB, "%zu KiB for a heap", (space() - begin) / KIB);
    for (size_t round = 0; round < 3; round++) {
        static void *blocks[300000];
        for (size_t i = 0; i < COUNT(blocks); i++) {
            REQUIRE(blocks[i] = hak_heap_alloc(heap, i % 1000 ? 500 + i % 500 : 3 * MIB));
        }
        hak_stats stats = support_stats(heap);
        size_t taken = space() - begin, needed = stats.live_bytes;
        REQUIRE_THAT(taken <= needed + needed / 4, "%zu MiB for %zu", taken / MIB, needed / MIB);
        hak_process_stats told = process();
        REQUIRE_THAT(told.reserved <= taken && taken - told.reserved < 256 * KIB,
                     "%zu KiB told, %zu taken", told.reserved / KIB, taken / KIB);
        REQUIRE(told.committed <= told.reserved && stats.committed <= told.committed);
        for (size_t i = 0; i < COUNT(blocks); i++) hak_heap_free(heap, blocks[i]);
        hak_heap_trim(heap);
        REQUIRE_THAT(space() - begin <= SLACK, "%zu MiB for nothing", (space() - begin) / MIB);
    }
    hak_heap_destroy(heap);
    REQUIRE(space() - begin <= SLACK);
}

static void address_space_is_what_is_needed(void **state)
{
    (void)state;
    support_in_child(take_as_needed, NULL, 60);
}

/* A huge block takes no more than it has; one that grows, an eighth more. */
static void take_for_huge_blocks(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    hak_heap_free(heap, hak_heap_alloc(heap, 3 * MIB));
    hak_heap_trim(heap);
    size_t before = process().committed, size = 5 * MIB + PAGE;
    char *block = hak_heap_alloc(heap, size);
    REQUIRE(block && process().committed == before + size);
    uint64_t calls = process().os.mmap;
    for (size_t more = 0; more < size / 8; more += 16 * KIB) {
        REQUIRE(hak_heap_realloc(heap, block, size + more) == block);
    }
    REQUIRE(process().os.mmap <= calls + 2 && process().committed <= before + size / 4 * 5);
    REQUIRE(hak_heap_realloc(heap, block, 3 * MIB) == block);
    hak_heap_trim(heap);
    REQUIRE(process().committed == before + 3 * MIB);
    hak_heap_free(heap, block);
    hak_heap_trim(heap);
    REQUIRE(process().committed == before);
    hak_heap_destroy(heap);
}

static void a_huge_block_takes_what_it_has(void **state)
{
    (void)state;
    support_in_child(take_for_huge_blocks, NULL, 20);
}

/* What others map right behind a huge block is theirs, though the superslab reaches further. */
static void map_behind(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    size_t sizes[] = {3 * MIB, 5 * MIB};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *block = hak_heap_alloc(heap, sizes[i]), *behind = block + sizes[i];
        REQUIRE(map_at(behind, PAGE) == behind);
        REQUIRE(hak_owns(behind - 1) && hak_heap_owns(heap, behind - 1));
        REQUIRE(!hak_owns(behind) && !hak_heap_owns(heap, behind));
        REQUIRE(munmap(behind, PAGE) == 0);
        hak_heap_free(heap, block);
    }
    hak_heap_destroy(heap);
}

static void what_others_map_behind_a_block_is_theirs(void **state)
{
    (void)state;
    support_in_child(map_behind, NULL, 20);
}

/* ------------------------------------------------------------------ a limit */

typedef struct limit {
    size_t bytes, size; /* of address space; of blocks */
    size_t *count;      /* of blocks that were to be had */
} limit;

static void set_limit(size_t bytes)
{
    struct rlimit space = {bytes, bytes};
    REQUIRE(setrlimit(RLIMIT_AS, &space) == 0);
}

static void fill_libc(void *context)
{
    const limit *of = context;
    set_limit(of->bytes);
    void *volatile block; /* or compilers leave malloc out */
    while ((block = malloc(of->size))) ++*of->count;
}

/* With a heap that is there before; then what it frees is there for others. */
static void fill_heap(void *context)
{
    const limit *of = context;
    hak_heap *heap = hak_heap_new(NULL);
    void *last = NULL, **block;
    set_limit(of->bytes);
    while ((block = hak_heap_alloc(heap, of->size))) {
        *block = last;
        last = block;
        ++*of->count;
    }
    REQUIRE(errno == ENOMEM);
    while ((block = last)) {
        last = *block;
        hak_heap_free(heap, block);
    }
    size_t part = of->bytes / 4 * 3;
    void *other = mmap(NULL, part, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE_THAT(other != MAP_FAILED, "%zu MiB are taken", space() / MIB);
    REQUIRE(munmap(other, part) == 0);
    hak_heap_destroy(heap);
}

static void a_limit_is_that_of_malloc(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, 1000, 3 * MIB, 30 * MIB};
    size_t *count = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t bytes = sizes[i] > 10 * MIB ? GIB : 100 * MIB;
        count[0] = count[1] = 0;
        support_in_child(fill_libc, &(limit){bytes, sizes[i], &count[0]}, 60);
        support_in_child(fill_heap, &(limit){bytes, sizes[i], &count[1]}, 60);
        REQUIRE_THAT(count[1] >= count[0] - count[0] / 20, "%zu of %zu bytes, malloc %zu", count[1],
                     sizes[i], count[0]);
    }
    munmap(count, PAGE);
}

/* ------------------------------------------------------------------ others in the way */

/* Fills a heap to `bytes`, checks all, and empties it. */
static void fill_and_check(size_t bytes)
{
    enum { MOST = 4000, SIZE = 60000 };
    static char *blocks[MOST];
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    size_t count = bytes / SIZE;
    for (size_t i = 0; i < count; i++) {
        REQUIRE(blocks[i] = hak_heap_alloc(heap, i % 50 ? SIZE : 3 * MIB));
        support_fill(blocks[i], SIZE, i);
    }
    support_check_stats(heap);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(hak_owns(blocks[i]) && support_intact(blocks[i], SIZE, i) == SIZE);
        hak_heap_free(heap, blocks[i]);
    }
    hak_heap_destroy(heap);
}

/* What others map above the region's superslabs, and above its huge blocks, is passed over. */
static void pass_over(void *unused)
{
    (void)unused;
    fill_and_check(20 * MIB);
    const hak_region *region = hak__region_shared();
    char *slabs = (char *)region->base + 64 * MIB,
         *middle = hak__unit_start(region, region->units / 2);
    char *huge = middle + (region->huge_hint - region->superslabs / 2) * HAK_SUPERSLAB_SIZE;
    REQUIRE(map_at(slabs, 17 * MIB) == slabs && map_at(huge, PAGE) == huge);
    fill_and_check(200 * MIB);
    REQUIRE(!hak_owns(slabs) && !hak_owns(huge));
    REQUIRE(region->ready * HAK_SUPERSLAB_SIZE > 200 * MIB);
    REQUIRE(munmap(slabs, 17 * MIB) == 0 && process().spill_regions == 0);
}

/* Where the records cannot grow, spill regions take over, and go. */
static void records_in_the_way(void *unused)
{
    (void)unused;
    fill_and_check(20 * MIB);
    const hak_region *region = hak__region_shared();
    char *records = (char *)&region->slabs[region->ready * HAK_SUPERSLAB_UNITS];
    REQUIRE(map_at(records, PAGE) == records);
    fill_and_check(20 * MIB);
    size_t before = space(), ready = region->ready;
    for (size_t round = 0; round < 3; round++) {
        fill_and_check(200 * MIB);
        REQUIRE_THAT(space() <= before + SLACK, "%zu MiB, then %zu", before / MIB, space() / MIB);
    }
    REQUIRE(region->ready == ready && process().spill_regions > 0);
}

#define WIDE ((rlim_t)1 << 46) /* bytes: a limit that refuses nothing */

/* One that has room is used before another is made, also where superslabs have been unmapped, as
 * all free ones are under a limit of address space. */
static void one_after_the_other(void *unused)
{
    (void)unused;
    enum { SIZE = 4096, BLOCKS = 5 * HAK_SUPERSLAB_SIZE / SIZE };
    static char *blocks[BLOCKS];
    support_take_places();
    REQUIRE(setrlimit(RLIMIT_AS, &(struct rlimit){WIDE, WIDE}) == 0);
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < BLOCKS; i++) REQUIRE(blocks[i] = hak_heap_alloc(heap, SIZE));
    size_t before = space();
    for (size_t i = BLOCKS / 5; i < BLOCKS; i++) hak_heap_free(heap, blocks[i]);
    hak_heap_trim(heap);
    REQUIRE(space() + 3 * HAK_SUPERSLAB_SIZE <= before);
    for (size_t i = BLOCKS / 5; i < BLOCKS; i++) {
        REQUIRE(blocks[i] = hak_heap_alloc(heap, SIZE));
        REQUIRE(hak__region_of(blocks[i]) == hak__region_of(blocks[0]));
    }
    REQUIRE_THAT(process().spill_regions == 1, "%zu", (size_t)process().spill_regions);
    hak_heap_destroy(heap);
}

/* A huge block takes free superslabs of one together, those that are mapped and those that are not;
 * only these are mapped for it. */
static void mapped_and_unmapped_together(void *unused)
{
    (void)unused;
    enum { SIZE = 60000, BLOCKS = 4 * HAK_SUPERSLAB_SIZE / SIZE, ALL = 7 * HAK_SUPERSLAB_SIZE };
    static char *blocks[BLOCKS];
    support_take_places();
    hak_heap *heap = hak_heap_new(NULL);
    size_t fresh = space();
    for (size_t i = 0; i < BLOCKS; i++) REQUIRE(blocks[i] = hak_heap_alloc(heap, SIZE));
    REQUIRE(space() == fresh);
    for (size_t i = 0; i < BLOCKS; i++) hak_heap_free(heap, blocks[i]);
    hak_heap_trim(heap);
    REQUIRE(space() < fresh);
    char *huge = hak_heap_alloc(heap, ALL);
    REQUIRE(huge);
    support_fill_pages(huge, ALL, 1);
    REQUIRE_THAT(space() == fresh && process().spill_regions == 1, "%zu bytes, then %zu", fresh,
                 space());
    REQUIRE(hak_owns(huge + ALL - 1) && support_intact_pages(huge, ALL, 1) == ALL);
    hak_heap_free(heap, huge);
    hak_heap_trim(heap);
    REQUIRE(space() <= fresh - ALL);
    hak_heap_destroy(heap);
}

/* Where there is no place at all. */
static void no_place(void *unused)
{
    (void)unused;
    support_take_places();
    size_t before = space(), mappings = support_mappings();
    for (size_t round = 0; round < 3; round++) fill_and_check(200 * MIB);
    REQUIRE(process().spill_regions > 0 && hak__region_shared()->superslabs == 0);
    REQUIRE_THAT(space() <= before + SLACK, "%zu MiB, then %zu", before / MIB, space() / MIB);
    REQUIRE(support_mappings() <= mappings + 20);
}

static void others_are_not_in_the_way(void **state)
{
    (void)state;
    support_in_child(pass_over, NULL, 60);
    support_in_child(records_in_the_way, NULL, 60);
    support_in_child(one_after_the_other, NULL, 60);
    support_in_child(mapped_and_unmapped_together, NULL, 60);
    support_in_child(no_place, NULL, 60);
}

/* ------------------------------------------------------------------ many heaps */

static void make_and_end(void *unused)
{
    (void)unused;
    enum { HEAPS = 100000 };
    size_t count = HEAPS / support_scale() / (support_debug ? 10 : 1);
    hak_heap **heaps = malloc(count * sizeof *heaps);
    size_t mappings = 0, taken = 0;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) {
            REQUIRE(heaps[i] = hak_heap_new(NULL));
            REQUIRE(hak_heap_alloc(heaps[i], 1000));
            if (i % 1000 == 0) REQUIRE(hak_heap_alloc(heaps[i], 3 * MIB));
        }
        for (size_t i = 0; i < count; i++) hak_heap_destroy(heaps[i * 7919 % count]);
        size_t mappings_now = support_mappings(), taken_now = process().reserved;
        if (round == 1) mappings = mappings_now, taken = taken_now;
        if (round == 2) REQUIRE(mappings_now <= mappings + 8 && taken_now <= taken + MIB);
    }
    REQUIRE_THAT(process().committed <= SLACK, "%zu MiB", process().committed / MIB);
    free(heaps);
}

static void many_heaps_leave_nothing(void **state)
{
    (void)state;
    support_in_child(make_and_end, NULL, 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_space_is_what_is_needed),
        cmocka_unit_test(a_huge_block_takes_what_it_has),
        cmocka_unit_test(what_others_map_behind_a_block_is_theirs),
        cmocka_unit_test(a_limit_is_that_of_malloc),
        cmocka_unit_test(others_are_not_in_the_way),
        cmocka_unit_test(many_heaps_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
