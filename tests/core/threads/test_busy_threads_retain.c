/* A thread that frees large blocks and takes others keeps their pages, up to about what it has in
 * use. What it does not need again goes back with the first free a second later. */
#include "support.h"

#include <unistd.h>

enum { BLOCKS = 200, ROUNDS = 4000, LEAST = 64 * KIB, REST_US = 1200 * 1000 };
enum { GROWING = 32, GROWN = 64 * KIB, STEPS = 200000, CALLS = 1500 };

static void *blocks[BLOCKS];

static size_t any_size(support_random *random)
{
    return LEAST + support_below(random, 8 * LEAST);
}

static uint64_t calls(void)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    return stats.os.madvise;
}

static size_t retained(void)
{
    hak_threads_stats stats;
    hak_threads_stats_read(&stats);
    return stats.retained;
}

static void swing(support_random *random)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        void **block = &blocks[support_below(random, BLOCKS)];
        hak_free(*block);
        *block = support_below(random, 2) ? hak_malloc(any_size(random)) : NULL;
    }
}

static void pages_stay_while_the_thread_is_busy(void *context)
{
    (void)context;
    support_random random = {support_seed()};
    REQUIRE(hak_threads_set_profile("balanced"));
    swing(&random);
    uint64_t before = calls();
    swing(&random);
    REQUIRE_THAT(calls() - before < ROUNDS / 20, "%lu calls", calls() - before);
    REQUIRE(retained() > 8 * MIB);
    usleep(REST_US);
    for (size_t i = 0; i < BLOCKS; i++) {
        if (!blocks[i]) continue;
        hak_free(blocks[i]);
        blocks[i] = NULL;
        break;
    }
    REQUIRE_THAT(retained() < 8 * MIB, "%zu bytes", retained());
}

/* Blocks that grow by half until they are large, as the buffers of a program do. */
static void pages_of_a_small_heap_stay_too(void *context)
{
    (void)context;
    static size_t sizes[GROWING];
    support_random random = {support_seed()};
    REQUIRE(hak_threads_set_profile("balanced"));
    for (size_t i = 0; i < STEPS; i++) {
        size_t at = support_below(&random, GROWING);
        sizes[at] = sizes[at] < GROWN ? sizes[at] + sizes[at] / 2 + 16 : 16;
        if (sizes[at] == 16) {
            hak_free(blocks[at]);
            blocks[at] = NULL;
        }
        REQUIRE(blocks[at] = hak_realloc(blocks[at], sizes[at]));
        support_fill_pages(blocks[at], sizes[at], i);
    }
    REQUIRE_THAT(calls() < CALLS, "%lu calls", calls());
}

static void and_what_is_far_more_than_in_use_does_not(void *context)
{
    (void)context;
    support_random random = {support_seed()};
    REQUIRE(hak_threads_set_profile("balanced"));
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = hak_malloc(any_size(&random));
    for (size_t i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    REQUIRE_THAT(retained() < 16 * MIB, "%zu bytes", retained());
}

static void busy_threads_retain(void **state)
{
    (void)state;
    if (support_profile_is_fixed()) skip();
    support_in_child(pages_stay_while_the_thread_is_busy, NULL, 60);
}

static void small_heaps_retain(void **state)
{
    (void)state;
    if (support_profile_is_fixed()) skip();
    support_in_child(pages_of_a_small_heap_stay_too, NULL, 60);
}

static void the_rest_goes_back(void **state)
{
    (void)state;
    if (support_profile_is_fixed()) skip();
    support_in_child(and_what_is_far_more_than_in_use_does_not, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_threads_retain),
        cmocka_unit_test(small_heaps_retain),
        cmocka_unit_test(the_rest_goes_back),
    };
    return cmocka_run_group_tests_name("busy threads retain", tests, NULL, NULL);
}
