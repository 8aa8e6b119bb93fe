/* What is done once is done by one thread while the others wait; and anew by the child of a fork
 * that happened meanwhile, where nobody else would go on with it. */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/once.h"

static hak_once once;
static atomic_int begun, ended;
static atomic_bool may_end;

static void run(void)
{
    atomic_fetch_add(&begun, 1);
    while (!atomic_load(&may_end)) sched_yield();
    atomic_fetch_add(&ended, 1);
}

/* How many had ended it when this thread went on. */
static void *do_once(void *seen)
{
    hak__once(&once, run);
    *(int *)seen = atomic_load(&ended);
    return NULL;
}

static void threads_wait_and_a_child_does_it_again(void *context)
{
    (void)context;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int seen[THREADS] = {0};
    for (size_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, do_once, &seen[i]) == 0);
    while (!atomic_load(&begun)) sched_yield();
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        alarm(20);
        atomic_store(&may_end, true);
        hak__once(&once, run);
        hak__once(&once, run);
        _exit(atomic_load(&begun) == 2 && atomic_load(&ended) == 1 ? 0 : 1);
    }
    int status;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE_THAT(status == 0, "signal %d, code %d", WTERMSIG(status), WEXITSTATUS(status));
    REQUIRE(atomic_load(&begun) == 1);
    atomic_store(&may_end, true);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        REQUIRE(seen[i] == 1);
    }
    REQUIRE(atomic_load(&begun) == 1);
}

static void it_is_done_once(void **state)
{
    (void)state;
    support_in_child(threads_wait_and_a_child_does_it_again, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_done_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
