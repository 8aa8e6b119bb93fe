/* Where a heap has a decay time, whole superslabs and huge blocks that it lets go wait for so long
 * before their pages go back to the OS: a program that works in bursts takes them again without a
 * call. They go also while the program does nothing, and make room for what is new. */
#include "bursts.h"

static burst held;

/* Superslabs that heaps have taken and not given back. */
static size_t superslabs_out(void)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    return stats.superslabs_taken - stats.superslabs_given;
}

/* They are no part of the heap meanwhile. */
static void bursts_cost_no_calls(void *context)
{
    size_t size = *(const size_t *)context;
    hak_heap *heap = heap_with(LONG);
    for (size_t i = 0; i < 3; i++) {
        size_t out = superslabs_out(), had = support_stats(heap).superslabs;
        burst_begin(heap, &held, size);
        burst_end(heap, &held);
        REQUIRE(superslabs_out() - out == support_stats(heap).superslabs - had);
    }
    REQUIRE_THAT(support_stats(heap).footprint < 2 * 4 * MIB, "%zu", support_stats(heap).footprint);
    REQUIRE_THAT(pooled() > BURST / 2, "%zu bytes wait", pooled());
    size_t calls = os_calls();
    burst_begin(heap, &held, size);
    REQUIRE(pooled() < BURST / 2);
    burst_end(heap, &held);
    REQUIRE_THAT(os_calls() <= calls + 4, "%zu calls", os_calls() - calls);
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

static void pages_go_while_nothing_happens(void *context)
{
    size_t size = *(const size_t *)context, before = support_resident();
    hak_heap *heap = heap_with(SHORT);
    burst_begin(heap, &held, size);
    burst_end(heap, &held);
    size_t retained = support_stats(heap).footprint;
    UNTIL(pooled() == 0);
    REQUIRE_THAT(support_sanitized || support_resident() < before + retained + LITTLE, "%zu",
                 support_resident());
    burst_begin(heap, &held, size);
    burst_end(heap, &held);
    REQUIRE(threads_are(1));
    if (size == sizes[0]) {
        UNTIL(pooled() == 0);
        size_t idle = now_ms();
        UNTIL(threads_are(0));
        REQUIRE_THAT(support_sanitized || now_ms() - idle > 1000, "%zu ms", now_ms() - idle);
        REQUIRE(pooled() == 0);
    }
    burst_begin(heap, &held, size); /* it can be had again */
    burst_end(heap, &held);
    UNTIL(pooled() == 0);
    hak_heap_destroy(heap);
}

static void bursts_are_free(void **state)
{
    (void)state;
    burst_in_children(bursts_cost_no_calls);
}

static void idle_programs_get_small(void **state)
{
    (void)state;
    burst_in_children(pages_go_while_nothing_happens);
}

/* Whole blocks wait for at least as long as the heap says. */
static void wait_so_long(void *context)
{
    (void)context;
    static const struct {
        const char *settings;
        size_t decay; /* milliseconds */
    } cases[] = {{SHORT, DECAY_MS}, {NOTHING "decay=400", 400}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = heap_with(cases[i].settings);
        char *block = hak_heap_alloc(heap, 5 * MIB);
        REQUIRE(block);
        size_t begin = now_ms();
        hak_heap_free(heap, block);
        UNTIL(pooled() == 0);
        size_t took = now_ms() - begin;
        REQUIRE_THAT(took + 10 >= cases[i].decay, "%zu ms", took);
        hak_heap_destroy(heap);
    }
}

static void they_wait_for_so_long(void **state)
{
    (void)state;
    support_in_child(wait_so_long, NULL, 60);
}

/* What waits does not raise the peak of the process: as the heap grows into what it has room for,
 * it goes. */
static void grow_beside(void *context)
{
    (void)context;
    enum { MORE = 40 };
    hak_heap *heap = heap_with(LONG);
    REQUIRE(hak_heap_alloc(heap, 64 * KIB)); /* which has the superslab */
    char *huge = hak_heap_alloc(heap, 3 * MIB);
    REQUIRE(huge);
    support_fill_pages(huge, 3 * MIB, 1);
    size_t peak = support_stats(heap).footprint;
    hak_heap_free(heap, huge);
    REQUIRE(pooled() >= 3 * MIB);
    for (size_t i = 0; i < MORE; i++) {
        REQUIRE(hak_heap_alloc(heap, 64 * KIB));
        size_t both = support_stats(heap).footprint + pooled();
        REQUIRE_THAT(both <= peak + peak / 16, "%zu: %zu, the peak was %zu", i, both, peak);
    }
    REQUIRE(pooled() == 0);
    hak_heap_destroy(heap);
}

static void what_waits_raises_no_peak(void **state)
{
    (void)state;
    support_in_child(grow_beside, NULL, 60);
}

/* What waits makes room for what is new: both together are not more than there has been. */
static void make_room(void *context)
{
    (void)context;
    hak_heap *heap = heap_with(LONG);
    size_t most = 0;
    for (size_t size = 8 * MIB; size < 40 * MIB; size += 3 * MIB) {
        char *block = hak_heap_alloc(heap, size);
        REQUIRE(block);
        hak_heap_free(heap, block);
        if (most < size + size / 4) most = size + size / 4;
        REQUIRE_THAT(pooled() <= most, "%zu bytes wait after one of %zu", pooled(), size);
    }
    size_t waiting = pooled();
    burst_begin(heap, &held, 640);
    REQUIRE_THAT(pooled() + BURST <= waiting + 2 * 4 * MIB || pooled() == 0, "%zu bytes wait",
                 pooled());
    hak_heap_destroy(heap);
}

/* What makes room is as much as is taken, and no more: of two, one. */
static void make_room_once(void *context)
{
    (void)context;
    hak_heap *heap = heap_with(LONG);
    char *first = hak_heap_alloc(heap, 4 * MIB), *second = hak_heap_alloc(heap, 4 * MIB);
    REQUIRE(first && second);
    hak_heap_free(heap, first);
    hak_heap_free(heap, second);
    REQUIRE_THAT(pooled() == 8 * MIB, "%zu bytes wait", pooled());
    REQUIRE(hak_heap_alloc(heap, 100 * KIB)); /* a superslab of 4 MiB */
    REQUIRE_THAT(pooled() == 4 * MIB, "%zu bytes wait", pooled());
    REQUIRE(hak_heap_alloc(heap, 8 * MIB));
    REQUIRE(pooled() == 0);
    hak_heap_destroy(heap);
}

/* What passes the bound waits down to half of it, the heap's profile being kept. */
static void pass_the_bound(void *context)
{
    (void)context;
    char *blocks[5];
    hak_heap *heap = heap_with("retain_least=12m retain_part=0 decay=60000");
    for (size_t i = 0; i < COUNT(blocks); i++) REQUIRE(blocks[i] = hak_heap_alloc(heap, 3 * MIB));
    for (size_t i = 0; i < COUNT(blocks); i++) {
        REQUIRE(pooled() == 0);
        hak_heap_free(heap, blocks[i]);
    }
    REQUIRE_THAT(pooled() == 9 * MIB && support_stats(heap).retained == 6 * MIB,
                 "%zu bytes wait, %zu are retained", pooled(), support_stats(heap).retained);
    hak_heap_destroy(heap);
}

static void what_passes_the_bound_waits(void **state)
{
    (void)state;
    support_in_child(pass_the_bound, NULL, 60);
}

static void new_pages_come_in_place_of_waiting_ones(void **state)
{
    (void)state;
    support_in_child(make_room, NULL, 60);
    support_in_child(make_room_once, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bursts_are_free),
        cmocka_unit_test(idle_programs_get_small),
        cmocka_unit_test(they_wait_for_so_long),
        cmocka_unit_test(what_waits_raises_no_peak),
        cmocka_unit_test(what_passes_the_bound_waits),
        cmocka_unit_test(new_pages_come_in_place_of_waiting_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
