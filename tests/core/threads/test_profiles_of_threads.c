/* The profile and the options of thread heaps are set for all of them at once: those that there
 * are, whichever thread they belong to, and those made later. */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 3 };

static atomic_int stage;

static void wait_for(int at_least)
{
    while (atomic_load(&stage) < at_least) sched_yield();
}

/* Frees 4 MiB of small blocks; what is retained of them tells the profile. */
static void churn(void)
{
    enum { BLOCKS = 8192, SIZE = 512 };
    static __thread void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) blocks[i] = hak_malloc(SIZE);
    for (int i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
}

static void *use(void *context)
{
    churn();
    atomic_fetch_add(&stage, 1);
    wait_for(THREADS + 1);
    churn();
    atomic_fetch_add(&stage, 1);
    wait_for(2 * THREADS + 2);
    return context;
}

static size_t retained(void)
{
    hak_threads_stats stats;
    hak_threads_stats_read(&stats);
    return stats.retained;
}

static void all_heaps_follow(void *context)
{
    (void)context;
    pthread_t threads[THREADS];
    REQUIRE(hak_threads_set_profile("speed"));
    REQUIRE(strcmp(hak_threads_profile(), "speed") == 0);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, use, NULL);
    wait_for(THREADS);
    size_t most = retained();
    REQUIRE_THAT(most > THREADS * 3 * MIB, "%zu bytes", most);
    REQUIRE(hak_threads_set_profile("lean"));
    REQUIRE(hak_threads_configure("retain_least=64k decay=0", NULL, 0));
    REQUIRE_THAT(retained() < most / 4, "%zu of %zu bytes", retained(), most);
    atomic_fetch_add(&stage, 1);
    wait_for(2 * THREADS + 1);
    churn();
    REQUIRE_THAT(retained() < most / 4, "%zu of %zu bytes", retained(), most);
    atomic_fetch_add(&stage, 1);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void wrong_settings_change_nothing(void *context)
{
    (void)context;
    char why[200] = "";
    REQUIRE(hak_threads_set_profile("lean"));
    REQUIRE(!hak_threads_set_profile("fastest"));
    REQUIRE(!hak_threads_set_profile(NULL));
    REQUIRE(!hak_threads_configure("retain_least=-1", why, sizeof why));
    REQUIRE_THAT(strstr(why, "retain_least"), "%s", why);
    REQUIRE(!hak_threads_configure("retain_most=1", why, sizeof why));
    REQUIRE_THAT(strstr(why, "retain_most"), "%s", why);
    REQUIRE(strcmp(hak_threads_profile(), "lean") == 0);
    REQUIRE(hak_threads_configure("retain_least=1m", why, sizeof why));
    REQUIRE(strcmp(hak_threads_profile(), "custom") == 0);
}

static void a_picture_has_all_heaps(void *context)
{
    (void)context;
    static char text[1 << 20];
    char path[] = "/tmp/hakmem-map-XXXXXX";
    int file = mkstemp(path);
    REQUIRE(file >= 0);
    void *block = hak_malloc(100);
    REQUIRE(hak_threads_map(path));
    REQUIRE(read(file, text, sizeof text - 1) > 1000);
    REQUIRE(strstr(text, "thread") && strstr(text, "</html>"));
    REQUIRE(!hak_threads_map("/nowhere/at/all"));
    hak_free(block);
    unlink(path);
}

static void heaps_follow_a_profile(void **state)
{
    (void)state;
    if (support_profile_is_fixed()) skip();
    support_in_child(all_heaps_follow, NULL, 60);
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    if (support_profile_is_fixed()) skip();
    support_in_child(wrong_settings_change_nothing, NULL, 60);
}

static void a_picture_is_written(void **state)
{
    (void)state;
    support_in_child(a_picture_has_all_heaps, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heaps_follow_a_profile),
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(a_picture_is_written),
    };
    return cmocka_run_group_tests_name("profiles of threads", tests, NULL, NULL);
}
