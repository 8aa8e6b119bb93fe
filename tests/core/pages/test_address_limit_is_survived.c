/* Under ulimit -v (RLIMIT_AS) heaps work as far as the address space goes: NULL and ENOMEM come at
 * its end, not long before, and never a crash; and what is freed can be had again. */
#include "address_limit.h"

#include <errno.h>
#include <string.h>

static void check(hak_heap *heap, void **blocks, size_t count, size_t size)
{
    support_check_stats(heap);
    REQUIRE(support_stats(heap).live_blocks == count);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(memcmp((char *)blocks[i] + size - sizeof i, &i, sizeof i) == 0);
    }
}

static void exhaust(void *context)
{
    const job *of = context;
    size_t room = of->limit / of->size + 1;
    void **blocks = limit_to(of, room * sizeof *blocks);
    hak_heap *heap = hak_heap_new(NULL);
    REQUIRE(heap);
    size_t first = fill_up(heap, blocks, 0, room, of->size);
    size_t nearly = first - first / 50 - (first > 1);
    /* Spans are whole units, and huge blocks may have regions of their own: that costs addresses.
     */
    size_t least = of->limit / (of->size > 16384 ? 5 : 2);
    REQUIRE_THAT(first * of->size >= least, "%zu bytes of %zu are all", first * of->size,
                 of->limit);
    REQUIRE(first < room);
    check(heap, blocks, first, of->size);

    /* Again, with one block left in place, and after other sizes. */
    for (size_t i = 1; i < first; i++) hak_heap_free(heap, blocks[i]);
    hak_heap_free(heap, block_or_enomem(hak_heap_alloc(heap, 100)));
    hak_heap_free(heap, block_or_enomem(hak_heap_alloc(heap, 5 * MIB)));
    size_t again = fill_up(heap, blocks, 1, room, of->size);
    REQUIRE_THAT(again >= nearly, "%zu blocks, then %zu", first, again);
    check(heap, blocks, again, of->size);
    for (size_t i = 0; i < again; i++) hak_heap_free(heap, blocks[i]);
    support_check_live(heap, 0, 0);
    hak_heap_destroy(heap);

    heap = hak_heap_new(NULL);
    REQUIRE(heap);
    again = fill_up(heap, blocks, 0, room, of->size);
    REQUIRE_THAT(again >= nearly, "%zu blocks, then %zu in a new heap", first, again);
    hak_heap_destroy(heap);
}

static void the_address_space_can_be_used_up(void **state)
{
    (void)state;
    static const size_t sizes[] = {48, 1000, 9000, 20000, 500000, 3 * MIB, 30 * MIB};
    for (size_t l = 0; l < COUNT(limits); l++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            /* Small blocks touch every page: not gigabytes of them. */
            if (sizes[i] < 100000 && limits[l] > support_scaled(500 * MIB)) continue;
            if (sizes[i] > limits[l] / 10) continue;
            if (support_scale() > 1 && limits[l] > GIB) continue;
            print_message("%zu MiB, blocks of %zu\n", limits[l] / MIB, sizes[i]);
            support_in_child(exhaust, &(job){limits[l], sizes[i]}, 60);
        }
    }
}

/* A block with address space of its own is told with all it takes, as long as it lives. */
static void count_a_region(void *context)
{
    const job *of = context;
    limit_to(of, PAGE);
    hak_heap *heap = hak_heap_new(NULL);
    hak_heap_free(heap, hak_heap_alloc(heap, of->size)); /* maps the records */
    hak_heap_trim(heap);
    hak_process_stats begin, with, end;
    hak_process_stats_read(&begin);
    for (size_t round = 0; round < 3; round++) {
        char *block = hak_heap_alloc(heap, of->size);
        REQUIRE(block);
        hak_process_stats_read(&with);
        REQUIRE(with.committed >= begin.committed + of->size && with.committed <= with.reserved);
        REQUIRE(with.reserved >= begin.reserved + of->size);
        REQUIRE(with.spill_regions == 0);
        hak_heap_free(heap, block);
        hak_heap_trim(heap);
        hak_process_stats_read(&end);
        REQUIRE_THAT(end.committed == begin.committed && end.reserved == begin.reserved,
                     "%zu of %zu bytes, then %zu of %zu", begin.committed, begin.reserved,
                     end.committed, end.reserved);
        REQUIRE(end.huge_blocks_taken == begin.huge_blocks_taken + round + 1);
    }
    REQUIRE(end.huge_blocks_refused == begin.huge_blocks_refused);
    REQUIRE(!block_or_enomem(hak_heap_alloc(heap, 2 * of->limit)));
    hak_process_stats_read(&end);
    REQUIRE(end.huge_blocks_refused > begin.huge_blocks_refused);
    REQUIRE(end.huge_blocks_taken == begin.huge_blocks_taken + 3);
    REQUIRE(end.committed == begin.committed);
    REQUIRE(end.reserved <= begin.reserved + 64 * KIB); /* records of a place for it */
    hak_heap_destroy(heap);
}

static void address_space_is_accounted_for(void **state)
{
    (void)state;
    support_in_child(count_a_region, &(job){300 * MIB, 100 * MIB}, 60);
    support_in_child(count_a_region, &(job){GIB, 300 * MIB}, 60);
}

/* ------------------------------------------------------------------ many heaps */

static void make_heaps(void *context)
{
    const job *of = context;
    hak_heap **heaps = limit_to(of, 1024 * sizeof *heaps);
    size_t counts[3];
    for (size_t round = 0; round < 3; round++) {
        size_t count = 0;
        errno = 0;
        while (count < 1024 && (heaps[count] = hak_heap_new(NULL))) {
            void *block = hak_heap_alloc(heaps[count], 1000);
            if (block) memset(block, (int)count, 1000);
            count++;
        }
        if (count < 1024) REQUIRE(errno == ENOMEM);
        counts[round] = count;
        /* A superslab for each heap, and not much besides. */
        REQUIRE_THAT(count == 1024 || count * 4 * MIB >= of->limit / 2, "%zu heaps", count);
        for (size_t i = 0; i < count; i++) hak_heap_destroy(heaps[(i * 7 + round) % count]);
        REQUIRE(count % 7 != 0 || count == 1024); /* or the line above destroys some twice */
    }
    REQUIRE(counts[1] >= counts[0] && counts[2] >= counts[0]);
}

static void heaps_can_be_made_and_dropped(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(limits); l++) {
        support_in_child(make_heaps, &(job){limits[l], 0}, 60);
    }
}

/* ------------------------------------------------------------------ all sizes at random */

#define SLOTS 3000
#define HEAPS 3

typedef struct slot {
    char *start;
    size_t size;
    uint64_t stamp;
} slot;

static void check_slot(const slot *s, size_t size)
{
    REQUIRE_THAT(memcmp(s->start, &s->stamp, sizeof s->stamp) == 0, "%zu bytes", s->size);
    if (size < s->size) return;
    REQUIRE_THAT(memcmp(s->start + size - 8, &s->stamp, sizeof s->stamp) == 0, "%zu bytes", size);
}

/* Where blocks are written in this test: once in each MiB, and at the end. */
static void check_zero(const slot *s)
{
    for (size_t at = 0; at < s->size; at += MIB) REQUIRE(support_zeros(s->start + at, 8) == 8);
    REQUIRE(support_zeros(s->start + s->size - 8, 8) == 8);
}

static void write_slot(slot *s)
{
    for (size_t at = 0; at + 8 <= s->size; at += MIB) memcpy(s->start + at, &s->stamp, 8);
    memcpy(s->start + s->size - 8, &s->stamp, 8);
}

static size_t draw_size(support_random *random)
{
    size_t size = (size_t)16 << support_below(random, 20);
    size += support_below(random, size);
    return support_below(random, 4) ? 16 + size % 3000 : size; /* up to 16 MiB */
}

static void mix(void *context)
{
    const job *of = context;
    support_random random = {support_seed() + of->limit};
    slot(*slots)[SLOTS] = limit_to(of, sizeof *slots * HEAPS);
    hak_heap *heaps[HEAPS];
    for (size_t h = 0; h < HEAPS; h++) REQUIRE(heaps[h] = hak_heap_new(NULL));
    size_t operations = support_scaled(200000), refused = 0;
    for (size_t time = 0; time < operations; time++) {
        size_t h = support_below(&random, HEAPS);
        slot *s = &slots[h][support_below(&random, SLOTS)];
        size_t size = draw_size(&random);
        errno = 0;
        if (!s->start) {
            bool zero = size % 3 == 0;
            s->start = block_or_enomem(zero ? hak_heap_zalloc(heaps[h], 1, size)
                                            : hak_heap_alloc(heaps[h], size));
            s->size = size;
            if (zero && s->start) check_zero(s);
        } else if (support_below(&random, 3) == 0) {
            check_slot(s, s->size);
            size_t had = s->size;
            void *start = block_or_enomem(hak_heap_realloc(heaps[h], s->start, size));
            refused += !start;
            if (start) s->start = start;
            check_slot(s, start && size < had ? size : had);
            if (start) s->size = size;
        } else {
            check_slot(s, s->size);
            hak_heap_free(heaps[h], s->start);
            s->start = NULL;
        }
        if (s->start) {
            s->stamp = support_next(&random);
            write_slot(s);
        } else {
            refused += errno == ENOMEM;
        }
        if (time % 20000 == 0) support_check_stats(heaps[h]);
    }
    size_t enough = support_scale() > 1 ? GIB / 2 : 2 * GIB; /* for so many operations */
    REQUIRE(refused > 0 || of->limit > enough);
    for (size_t h = 0; h < HEAPS; h++) {
        size_t live = 0;
        for (size_t i = 0; i < SLOTS; i++) live += slots[h][i].start != NULL;
        REQUIRE(support_stats(heaps[h]).live_blocks == live);
        for (size_t i = 0; i < SLOTS; i += 2) {
            if (slots[h][i].start) hak_heap_free(heaps[h], slots[h][i].start);
        }
        support_check_stats(heaps[h]);
        hak_heap_destroy(heaps[h]);
    }
}

static void all_sizes_get_along(void **state)
{
    (void)state;
    support_seed();
    for (size_t l = 0; l < COUNT(limits); l++) {
        support_in_child(mix, &(job){limits[l], 0}, 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_address_space_can_be_used_up),
        cmocka_unit_test(address_space_is_accounted_for),
        cmocka_unit_test(heaps_can_be_made_and_dropped),
        cmocka_unit_test(all_sizes_get_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
