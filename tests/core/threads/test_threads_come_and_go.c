/* A thread that ends leaves its heap to the next: a program that starts and ends any number of
 * threads does not grow, and their blocks outlive them. */
#include "support.h"

#include <pthread.h>
#include <string.h>

#define FEW 100

static void *allocate_some(void *context)
{
    char *kept = hak_malloc(100), *dropped[50];
    REQUIRE(kept);
    for (size_t i = 0; i < COUNT(dropped); i++) {
        dropped[i] = hak_malloc(10 + 40 * i);
        REQUIRE(dropped[i]);
        memset(dropped[i], 1, 10 + 40 * i);
    }
    for (size_t i = 0; i < COUNT(dropped); i++) hak_free(dropped[i]);
    memset(kept, 5, 100);
    *(char **)context = kept;
    return NULL;
}

static void run_threads(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        char *kept = NULL;
        REQUIRE(pthread_create(&thread, NULL, allocate_some, &kept) == 0);
        pthread_join(thread, NULL);
        REQUIRE(kept && kept[0] == 5 && kept[99] == 5);
        hak_free(kept);
    }
}

static void many_threads(void *context)
{
    (void)context;
    run_threads(FEW);
    size_t before = support_resident();
    hak_threads_stats first, last;
    hak_threads_stats_read(&first);
    run_threads(support_scaled(100000));
    hak_threads_stats_read(&last);
    REQUIRE_THAT(last.heaps == first.heaps, "%zu heaps, then %zu", first.heaps, last.heaps);
    REQUIRE_THAT(last.footprint <= 512 * KIB, "%zu bytes", last.footprint);
    if (!support_sanitized) REQUIRE(support_resident() <= before + 512 * KIB);
}

/* In a destructor that runs after the heap has been left. */
static pthread_key_t late;

static void allocate_late(void *value)
{
    char *block = hak_malloc(1000);
    REQUIRE(block);
    memset(block, 7, 1000);
    block = hak_realloc(block, 5000);
    REQUIRE(block && block[999] == 7);
    hak_free(block);
    hak_free(value);
    static __thread int rounds;
    if (++rounds < 3) pthread_setspecific(late, hak_malloc(50));
}

static void *end_late(void *context)
{
    REQUIRE(pthread_setspecific(late, hak_malloc(50)) == 0);
    return context;
}

static void allocating_after_the_end(void *context)
{
    (void)context;
    hak_free(hak_malloc(1)); /* hakmem's destructor comes first */
    REQUIRE(pthread_key_create(&late, allocate_late) == 0);
    for (size_t i = 0; i < FEW; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, end_late, NULL) == 0);
        pthread_join(thread, NULL);
    }
    hak_threads_stats stats;
    hak_threads_stats_read(&stats);
    REQUIRE_THAT(stats.live_blocks == 0, "%zu blocks", stats.live_blocks);
}

static void heaps_are_left_to_the_next(void **state)
{
    (void)state;
    support_in_child(many_threads, NULL, 120);
}

static void destructors_may_allocate(void **state)
{
    (void)state;
    support_in_child(allocating_after_the_end, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heaps_are_left_to_the_next),
        cmocka_unit_test(destructors_may_allocate),
    };
    return cmocka_run_group_tests_name("threads come and go", tests, NULL, NULL);
}
