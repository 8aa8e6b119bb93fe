/* The statistics of the process are of one moment: a heap that is destroyed while they are read
 * counts as a heap or as what it leaves to the next one, and not as both.
 *
 * The linker puts the function below in place of the one that ends a hold of the core's lock
 * (--wrap): the heap is destroyed as soon as the lock is free for the first time. */
#include "support.h"

#include <pthread.h>

static hak_heap *to_destroy;

int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int result = __real_pthread_mutex_unlock(mutex);
    hak_heap *heap = to_destroy;
    to_destroy = NULL;
    hak_heap_destroy(heap);
    return result;
}

static void a_heap_counts_once(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "speed"});
    for (size_t i = 0; i < 2000; i++) REQUIRE(hak_heap_alloc(heap, 1000));
    hak_process_stats before, meanwhile, after;
    hak_process_stats_read(&before);
    to_destroy = heap;
    hak_process_stats_read(&meanwhile);
    REQUIRE(!to_destroy);
    hak_process_stats_read(&after);
    REQUIRE(before.heaps == 1 && before.footprint > MIB);
    REQUIRE(after.heaps == 0 && after.footprint == 0 && after.pooled > before.pooled + MIB);
    REQUIRE(meanwhile.heaps == before.heaps && meanwhile.footprint == before.footprint);
    REQUIRE_THAT(meanwhile.pooled == before.pooled, "%zu bytes pooled, %zu before",
                 meanwhile.pooled, before.pooled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_heap_counts_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
