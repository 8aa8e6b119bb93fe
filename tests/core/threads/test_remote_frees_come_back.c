/* What one thread allocates and another frees does not pile up: neither while both go on, nor when
 * the one that allocated is idle, nor when it is gone. */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define RING  4096
#define BLOCK ((size_t)256)
#define BURST (64 * MIB / BLOCK) /* blocks */
#define SOME  (4 * MIB)          /* what may remain of a burst */

static _Atomic(void *) ring[RING];
static size_t passed; /* blocks that go through the ring */

static void *produce(void *context)
{
    for (size_t i = 0; i < passed; i++) {
        void *block = hak_malloc(BLOCK);
        REQUIRE(block);
        memset(block, 1, BLOCK);
        while (atomic_load(&ring[i % RING])) sched_yield();
        atomic_store(&ring[i % RING], block);
    }
    return context;
}

static void consume(void)
{
    for (size_t i = 0; i < passed; i++) {
        void *block;
        while (!(block = atomic_exchange(&ring[i % RING], NULL))) sched_yield();
        hak_free(block);
    }
}

static void while_both_go_on(void *context)
{
    (void)context;
    pthread_t producer;
    passed = support_scaled(2000000);
    REQUIRE(pthread_create(&producer, NULL, produce, NULL) == 0);
    consume();
    pthread_join(producer, NULL);
    hak_threads_stats stats;
    hak_threads_stats_read(&stats);
    REQUIRE_THAT(stats.footprint_peak < RING * BLOCK + SOME, "%zu bytes", stats.footprint_peak);
    REQUIRE(stats.remote_frees > passed / 2);
}

static void *blocks[BURST];
static atomic_int phase; /* 1: the burst is there; 2: the thread may end */

static void *allocate_burst(void *waits)
{
    for (size_t i = 0; i < BURST; i++) {
        blocks[i] = hak_malloc(BLOCK);
        REQUIRE(blocks[i]);
        memset(blocks[i], 1, BLOCK);
    }
    atomic_store(&phase, 1);
    while (waits && atomic_load(&phase) < 2) sched_yield();
    return NULL;
}

/* Frees what another thread has allocated; what is left of it then. */
static size_t footprint_after_burst(bool is_idle)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, allocate_burst, is_idle ? &thread : NULL) == 0);
    while (atomic_load(&phase) < 1) sched_yield();
    if (!is_idle) pthread_join(thread, NULL);
    for (size_t i = 0; i < BURST; i++) hak_free(blocks[i]);
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    atomic_store(&phase, 2);
    if (is_idle) pthread_join(thread, NULL);
    return stats.footprint + stats.pooled;
}

static void when_the_owner_is_idle(void *context)
{
    (void)context;
    size_t left = footprint_after_burst(true);
    REQUIRE_THAT(left < 16 * MIB, "%zu bytes", left);
}

static void when_the_owner_is_gone(void *context)
{
    (void)context;
    size_t left = footprint_after_burst(false);
    REQUIRE_THAT(left < 16 * MIB, "%zu bytes", left);
}

static void producer_and_consumer(void **state)
{
    (void)state;
    support_in_child(while_both_go_on, NULL, 60);
}

static void idle_owner(void **state)
{
    (void)state;
    support_in_child(when_the_owner_is_idle, NULL, 60);
}

static void ended_owner(void **state)
{
    (void)state;
    support_in_child(when_the_owner_is_gone, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(producer_and_consumer),
        cmocka_unit_test(idle_owner),
        cmocka_unit_test(ended_owner),
    };
    return cmocka_run_group_tests_name("remote frees come back", tests, NULL, NULL);
}
