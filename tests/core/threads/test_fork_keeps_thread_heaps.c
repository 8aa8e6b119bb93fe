/* fork() while other threads allocate, free, and free for each other, without pause: the child has
 * all heaps whole, and what it had of blocks; the parent goes on. */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 3
#define SLOTS   2000

static atomic_bool stop;
static size_t largest = 100000;
static _Atomic(char *) slots[SLOTS];

static void *churn(void *seed)
{
    support_random random = {(uintptr_t)seed};
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        size_t size = 16 + support_below(&random, support_below(&random, 50) ? 2000 : largest);
        char *block = hak_malloc(size);
        REQUIRE(block);
        block[0] = 77;
        hak_free(atomic_exchange(&slots[support_below(&random, SLOTS)], block));
        if (support_below(&random, 20) == 0) {
            char *grown = hak_realloc(hak_malloc(20), 2 * size);
            REQUIRE(grown);
            hak_free(grown);
        }
    }
    return NULL;
}

static void *one_more(void *context)
{
    for (size_t i = 0; i < 1000; i++) {
        char *block = hak_malloc(i);
        REQUIRE(block);
        hak_free(block);
    }
    return context;
}

/* Frees all that the child has inherited, from heaps whose threads it does not have. */
static void go_on(void)
{
    alarm(20);
    for (size_t i = 0; i < SLOTS; i++) {
        char *block = atomic_exchange(&slots[i], NULL);
        if (block && block[0] != 77) _exit(5);
        hak_free(block);
    }
    one_more(NULL);
    pthread_t thread; /* takes one of the heaps that were left */
    if (pthread_create(&thread, NULL, one_more, NULL) != 0) _exit(6);
    pthread_join(thread, NULL);
    hak_threads_stats stats;
    hak_threads_stats_read(&stats);
    if (stats.threads != 1) _exit(7);
}

static void fork_among_threads(void *context)
{
    (void)context;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, churn, (void *)(support_seed() + i)) == 0);
    size_t forks = support_scaled(500);
    for (size_t i = 0; i < forks; i++) {
        one_more(NULL);
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            go_on();
            _exit(0);
        }
        int status;
        REQUIRE(waitpid(pid, &status, 0) == pid);
        REQUIRE_THAT(status == 0, "fork %zu: signal %d, code %d", i, WTERMSIG(status),
                     WEXITSTATUS(status));
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void forks_under_load(void **state)
{
    (void)state;
    support_in_child(fork_among_threads, NULL, 120);
}

/* Threads wait in a slow path for the thread that gives memory back to be made, or ended. */
static void while_pages_wait(void *context)
{
    setenv("HAKMEM_DECAY", "1", 1);
    largest = 9 * MIB;
    fork_among_threads(context);
}

static void forks_while_pages_wait(void **state)
{
    (void)state;
    support_in_child(while_pages_wait, NULL, 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forks_under_load),
        cmocka_unit_test(forks_while_pages_wait),
    };
    return cmocka_run_group_tests_name("fork keeps thread heaps", tests, NULL, NULL);
}
