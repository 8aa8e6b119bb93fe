/* A heap's first superslab is mapped in part, and grows where it is as the heap needs more: by few
 * calls, for runs of any length, and unless others are in its way or the OS refuses. */
#include "support.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "pages/region.h"

#define UNIT    ((size_t)1 << HAK_UNIT_SHIFT)
#define BLOCK   (UNIT + PAGE) /* takes two units */
#define A_BLOCK ((size_t)2)
#define ALL     (HAK_SUPERSLAB_UNITS / A_BLOCK) /* blocks of a superslab */
#define SLACK   (64 * MIB)                      /* address space that may be taken for nothing */

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

static hak_heap *heap_new(void)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = support_profile("lean")});
    REQUIRE(heap);
    return heap;
}

/* Takes so many blocks, or up to the first that is refused; returns how many. */
static size_t take(hak_heap *heap, char **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        errno = 0;
        blocks[i] = hak_heap_alloc(heap, BLOCK);
        if (!blocks[i]) {
            REQUIRE(errno == ENOMEM);
            return i;
        }
        support_fill_pages(blocks[i], BLOCK, i);
    }
    return count;
}

static void check(hak_heap *heap, char *const *blocks, size_t count)
{
    support_check_stats(heap);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(support_intact_pages(blocks[i], BLOCK, i) == BLOCK);
        REQUIRE(hak_owns(blocks[i]) && hak_heap_owns(heap, blocks[i]));
    }
}

static void give(hak_heap *heap, char *const *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) hak_heap_free(heap, blocks[i]);
}

/* The superslab of a block, and how many of its units are mapped. */
static hak_superslab *superslab_of(const void *block)
{
    return hak__superslab_of(hak__region_of(block), block);
}

static size_t units_of(const void *block)
{
    return superslab_of(block)->units;
}

/* Makes address space no longer little. */
static void take_much(hak_heap *heap)
{
    REQUIRE(hak_heap_alloc(heap, SLACK));
}

/* ------------------------------------------------------------------ growing in place */

/* Fills a superslab; `steps` are the units that are mapped of it one after the other. */
static void grow_in(hak_heap *heap, const size_t *steps, size_t count)
{
    char *blocks[ALL];
    size_t committed = process().committed, other = support_stats(heap).committed, step = 0;
    uint64_t calls = process().os.mmap;
    for (size_t i = 0; i < ALL; i++) {
        REQUIRE(take(heap, &blocks[i], 1) == 1);
        support_fill_pages(blocks[i], BLOCK, i);
        if ((i + 1) * A_BLOCK > steps[step]) step++;
        REQUIRE(step < count && units_of(blocks[0]) == steps[step]);
        REQUIRE(superslab_of(blocks[i]) == superslab_of(blocks[0]));
        REQUIRE(process().committed == committed + steps[step] * UNIT);
        REQUIRE(support_stats(heap).committed == other + steps[step] * UNIT);
        bool is_behind =
            hak_owns(hak__superslab_start(superslab_of(blocks[0])) + steps[step] * UNIT);
        REQUIRE(!is_behind);
    }
    REQUIRE(step == count - 1 && process().os.mmap == calls + count);
    check(heap, blocks, ALL);
    give(heap, blocks, ALL);
    hak_heap_trim(heap);
}

static void grow(void *unused)
{
    (void)unused;
    static const size_t steps[] = {16, 32, 64};
    hak_heap *heap = heap_new();
    grow_in(heap, steps, COUNT(steps));
    hak_heap_destroy(heap);
}

static void grow_later(void *unused)
{
    (void)unused;
    static const size_t steps[] = {7, 14, 28, 64};
    char *blocks[5];
    hak_heap *heap = heap_new(), *other = heap_new();
    take_much(heap);
    size_t committed = process().committed;
    REQUIRE(take(other, blocks, COUNT(blocks)) == COUNT(blocks) && units_of(blocks[0]) == 14);
    give(other, blocks, COUNT(blocks));
    hak_heap_trim(other);
    REQUIRE(process().committed == committed);
    grow_in(other, steps, COUNT(steps));
    hak_heap_destroy(other);
    hak_heap_destroy(heap);
}

static void growth_takes_few_calls(void **state)
{
    (void)state;
    support_in_child(grow, NULL, 20);
    support_in_child(grow_later, NULL, 20);
}

/* A run of units decides how much is mapped, where it is taken first, behind others, aligned, and
 * as it grows. */
static void grow_for_runs(void *unused)
{
    (void)unused;
    hak_heap *heaps[4];
    for (size_t i = 0; i < COUNT(heaps); i++) heaps[i] = heap_new();
    char *run = hak_heap_alloc(heaps[0], 20 * UNIT);
    REQUIRE(run && units_of(run) == 20);

    char *small = hak_heap_alloc(heaps[1], BLOCK);
    run = hak_heap_alloc(heaps[1], 31 * UNIT);
    REQUIRE(small && run == small + A_BLOCK * UNIT && units_of(run) == 64);

    small = hak_heap_alloc(heaps[2], BLOCK);
    run = hak_heap_aligned_alloc(heaps[2], 32 * UNIT, BLOCK);
    REQUIRE(small && run == small + 32 * UNIT && units_of(run) == 64);

    small = hak_heap_alloc(heaps[3], BLOCK);
    for (size_t units = 3; units <= HAK_SUPERSLAB_UNITS / 2; units++) {
        support_fill_pages(small, BLOCK, units);
        REQUIRE(hak_heap_realloc(heaps[3], small, units * UNIT) == small);
        REQUIRE(support_intact_pages(small, BLOCK, units) == BLOCK);
        REQUIRE(units_of(small) == (units > 16 ? 32 : 16));
    }
    for (size_t i = 0; i < COUNT(heaps); i++) hak_heap_destroy(heaps[i]);
}

static void prewarm(void *unused)
{
    (void)unused;
    hak_heap *heap = heap_new();
    REQUIRE(hak_heap_prewarm(heap, 16 * UNIT) == 16 * UNIT);
    REQUIRE(support_stats(heap).committed == 17 * UNIT);
    uint64_t calls = process().os.mmap;
    REQUIRE(hak_heap_prewarm(heap, 40 * UNIT) == 40 * UNIT && process().os.mmap == calls + 1);
    REQUIRE(support_stats(heap).superslabs == 1);
    REQUIRE(hak_heap_prewarm(heap, 40 * UNIT) == 40 * UNIT);
    REQUIRE(support_stats(heap).superslabs == 2);
    hak_heap_destroy(heap);
}

static void runs_are_made_room_for(void **state)
{
    (void)state;
    support_in_child(grow_for_runs, NULL, 20);
    support_in_child(prewarm, NULL, 20);
}

/* ------------------------------------------------------------------ what keeps it from growing */

/* What others map right behind the mapped part is theirs. The heap takes another superslab. */
static void meet_others(void *unused)
{
    (void)unused;
    char *blocks[3 * ALL];
    hak_heap *heap = heap_new();
    size_t committed = process().committed;
    REQUIRE(take(heap, blocks, 1) == 1);
    char *behind = hak__superslab_start(superslab_of(blocks[0])) + units_of(blocks[0]) * UNIT;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    REQUIRE(mmap(behind, PAGE, PROT_NONE, flags, -1, 0) == behind);
    REQUIRE(take(heap, blocks + 1, 2 * ALL) == 2 * ALL);
    for (size_t i = 1; i < 2 * ALL; i++) support_fill_pages(blocks[i], BLOCK, i);
    REQUIRE(support_stats(heap).superslabs == 3 && units_of(blocks[0]) == 16);
    REQUIRE(!hak_owns(behind) && !hak_heap_owns(heap, behind) && hak_owns(behind - 1));
    check(heap, blocks, 2 * ALL);
    /* It is not tried again and again. */
    uint64_t failed = process().os.failed;
    REQUIRE(take(heap, blocks + 2 * ALL, ALL) == ALL);
    REQUIRE(process().os.failed == failed && failed <= 2);
    give(heap, blocks, 3 * ALL);
    hak_heap_trim(heap);
    REQUIRE(process().committed <= committed + SLACK && units_of(heap) <= 16);
    REQUIRE(munmap(behind, PAGE) == 0);
    hak_heap_destroy(heap);
}

static void others_are_not_in_the_way(void **state)
{
    (void)state;
    support_in_child(meet_others, NULL, 20);
}

static void limit_space(size_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
}

/* Under a limit it grows by what is asked for, as long as there is as much. Where kinds of block
 * lie apart, large blocks are not packed. */
static void meet_a_limit(void *unused)
{
    (void)unused;
    char *blocks[2 * ALL];
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "kinds=1"});
    REQUIRE(take(heap, blocks, 8) == 8 && units_of(blocks[0]) == 16);
    support_check_stats(heap);
    limit_space(space() + 3 * A_BLOCK * UNIT + PAGE);
    size_t count = 8 + take(heap, blocks + 8, ALL);
    REQUIRE_THAT(count == 11, "%zu blocks", count);
    for (size_t i = 8; i < count; i++) support_fill_pages(blocks[i], BLOCK, i);
    REQUIRE(units_of(blocks[0]) == 22);
    check(heap, blocks, count);
    REQUIRE(!hak_heap_realloc(heap, blocks[10], UNIT * 8));
    limit_space(RLIM_INFINITY);
    REQUIRE(take(heap, blocks + count, ALL - count) == ALL - count);
    REQUIRE(units_of(blocks[0]) == 64 && support_stats(heap).superslabs == 1);
    give(heap, blocks, ALL);
    hak_heap_destroy(heap);
}

static void a_limit_is_met(void **state)
{
    (void)state;
    support_in_child(meet_a_limit, NULL, 20);
}

static void go_on(void *context)
{
    char **blocks = ((char ***)context)[0];
    hak_heap *heap = ((hak_heap ***)context)[1][0];
    REQUIRE(take(heap, blocks + 8, ALL - 8) == ALL - 8 && units_of(blocks[0]) == 64);
    check(heap, blocks, 8);
    give(heap, blocks, ALL);
    hak_heap_destroy(heap);
}

static void parent_and_child_grow(void **state)
{
    (void)state;
    char *blocks[ALL];
    hak_heap *heap = heap_new();
    void *context[] = {blocks, &heap};
    REQUIRE(take(heap, blocks, 8) == 8 && units_of(blocks[0]) == 16);
    support_in_child(go_on, context, 20);
    REQUIRE(units_of(blocks[0]) == 16);
    go_on(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growth_takes_few_calls),    cmocka_unit_test(runs_are_made_room_for),
        cmocka_unit_test(others_are_not_in_the_way), cmocka_unit_test(a_limit_is_met),
        cmocka_unit_test(parent_and_child_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
