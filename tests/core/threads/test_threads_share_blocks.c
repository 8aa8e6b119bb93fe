/* Any thread may free, resize or ask about any block of hak_malloc: nothing is lost, mixed up or,
 * under ThreadSanitizer, raced for; and when all blocks are freed, whoever freed them, none is
 * left. */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define THREADS 4
#define SHARED  512 /* blocks that all threads exchange */

typedef struct block {
    size_t size;
    uint64_t stamp;
} block;

static _Atomic(block *) shared[SHARED];

/* Mostly small; now and then a medium, a large or a huge one. */
static size_t draw_size(support_random *random)
{
    static const size_t most[] = {100, 1100, 1100, 1100, 9000, 40 * KIB};
    size_t bound = most[support_below(random, COUNT(most))];
    if (support_below(random, 2000) == 0) bound = 5 * MIB;
    return sizeof(block) + 8 + support_below(random, bound);
}

static void stamp(block *made, size_t size, uint64_t with)
{
    *made = (block){size, with};
    memcpy((char *)made + size - 8, &with, 8);
}

static void check(const block *found)
{
    REQUIRE_THAT(memcmp((const char *)found + found->size - 8, &found->stamp, 8) == 0,
                 "%zu bytes at %p", found->size, (const void *)found);
    REQUIRE(hak_usable_size(found) >= found->size);
    REQUIRE(hak_owns(found));
}

static block *make(support_random *random)
{
    size_t size = draw_size(random);
    block *made;
    switch (support_below(random, 3)) {
    case 0: made = hak_malloc(size); break;
    case 1:
        made = hak_calloc(1, size);
        REQUIRE(made && support_zeros(made, size) == size);
        break;
    default: made = hak_aligned_alloc((size_t)16 << support_below(random, 9), size);
    }
    REQUIRE(made && (uintptr_t)made % 16 == 0);
    stamp(made, size, support_next(random));
    return made;
}

/* One that some other thread may have made. */
static block *resize(support_random *random, block *found)
{
    uint64_t with = found->stamp;
    size_t had = found->size, size = draw_size(random);
    block *resized = hak_realloc(found, size);
    REQUIRE(resized && resized->stamp == with && resized->size == had);
    stamp(resized, size, with + 1);
    return resized;
}

static void *work(void *seed)
{
    support_random random = {(uintptr_t)seed};
    size_t operations = support_scaled(300000);
    for (size_t i = 0; i < operations; i++) {
        _Atomic(block *) *place = &shared[support_below(&random, SHARED)];
        block *found = atomic_exchange(place, NULL);
        if (found) check(found);
        if (!found) found = make(&random);
        else if (support_below(&random, 4) == 0) found = resize(&random, found);
        else hak_free(found), found = NULL;
        if (found) found = atomic_exchange(place, found);
        if (found) check(found), hak_free(found);
    }
    return NULL;
}

static void all_threads_all_blocks(void *context)
{
    (void)context;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, work, (void *)(support_seed() + i)) == 0);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < SHARED; i++) {
        block *left = atomic_exchange(&shared[i], NULL);
        if (left) check(left), hak_free(left);
    }
    hak_threads_stats stats;
    hak_threads_stats_read(&stats);
    REQUIRE_THAT(stats.live_blocks == 0, "%zu blocks of %zu bytes", stats.live_blocks,
                 stats.live_bytes);
    REQUIRE(stats.remote_frees > 0 && stats.threads <= 1 && stats.heaps <= THREADS + 1);
}

static void blocks_are_everybodys(void **state)
{
    (void)state;
    support_in_child(all_threads_all_blocks, NULL, 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_are_everybodys)};
    return cmocka_run_group_tests_name("threads share blocks", tests, NULL, NULL);
}
