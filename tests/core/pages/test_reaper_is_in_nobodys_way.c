/* The thread that gives back what has waited takes no signal and little room, is there only while
 * something waits, is met by no fork, and is missed by nobody where there can be none. */
#include "bursts.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool refusing; /* threads */
static size_t threads_made, threads_joined;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *argument), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *argument), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *argument), void *argument)
{
    threads_made += !refusing;
    if (!refusing) return __real_pthread_create(thread, attributes, run, argument);
    errno = ENOMEM; /* as where there is no memory for its stack */
    return EAGAIN;
}

int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);

int __wrap_pthread_join(pthread_t thread, void **result)
{
    threads_joined++;
    return __real_pthread_join(thread, result);
}

static burst held;

/* The signals that a thread blocks, a bit for each. */
static size_t blocked_by(const char *thread)
{
    char path[SUPPORT_PATH], line[256];
    unsigned long mask = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof line, status)) sscanf(line, "SigBlk: %lx", &mask);
    if (status) fclose(status);
    return mask;
}

/* The program's signals are the program's, and so is its address space. */
static void make_the_thread(void *context)
{
    (void)context;
    char self[32];
    snprintf(self, sizeof self, "%d", getpid());
    hak_heap *heap = heap_with(LONG);
    char *block = hak_heap_alloc(heap, 5 * MIB);
    size_t mask = blocked_by(self), space = support_status("VmSize:");
    hak_heap_free(heap, block);
    REQUIRE(pooled() == 5 * MIB && threads_are(1));
    REQUIRE(blocked_by(self) == mask);
    REQUIRE_THAT(support_sanitized || support_status("VmSize:") < space + 2 * MIB, "%zu, then %zu",
                 space, support_status("VmSize:"));
    size_t others = 0;
    DIR *tasks = opendir("/proc/self/task");
    REQUIRE(tasks);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        if (task->d_name[0] == '.' || strcmp(task->d_name, self) == 0) continue;
        others++;
        /* But for SIGKILL, SIGSTOP and libc's own: two in glibc, three in musl. */
        size_t libcs = ((size_t)1 << (SIGRTMIN - 1)) - ((size_t)1 << 31);
        size_t free = ~blocked_by(task->d_name) & ~((size_t)1 << 8 | (size_t)1 << 18);
        REQUIRE_THAT(support_sanitized || !(free & ~libcs), "%zx", free);
    }
    closedir(tasks);
    REQUIRE(support_sanitized || others == 1);
    hak_heap_destroy(heap);
}

static void the_thread_is_in_nobodys_way(void **state)
{
    (void)state;
    support_in_child(make_the_thread, NULL, 60);
}

/* ------------------------------------------------------------------ forks, and no threads */

/* Neither process has a thread of ours then, nor anything that waits for one. */
static void fork_and_look(void *context)
{
    (void)context;
    hak_heap *heap = heap_with(LONG);
    burst_begin(heap, &held, 640);
    burst_end(heap, &held);
    REQUIRE(threads_are(1) && pooled() > 0);
    size_t before = now_ms();
    pid_t child = fork();
    REQUIRE(child >= 0);
    REQUIRE(pooled() == 0 && now_ms() - before < PATIENCE_S * 1000);
    WITHIN(1, threads_are(0)); /* sooner than it ends by itself */
    pid_t second = fork();     /* where there is no thread */
    if (second == 0) _exit(pooled() != 0);
    int status;
    REQUIRE(waitpid(second, &status, 0) == second && status == 0);
    REQUIRE(hak_heap_configure(heap, SHORT, NULL, 0));
    burst_begin(heap, &held, 640);
    burst_end(heap, &held);
    UNTIL(pooled() == 0);
    hak_heap_destroy(heap);
    if (child == 0) _exit(0);
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    child = fork(); /* once more: a thread that has ended would count as lost at the exit */
    if (child == 0) _exit(0);
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    REQUIRE(threads_made == 2 && threads_joined == 2); /* each once */
}

static void forks_do_not_meet_the_thread(void **state)
{
    (void)state;
    support_in_child(fork_and_look, NULL, 120);
}

static void without_threads(void *context)
{
    (void)context;
    refusing = true;
    hak_heap *heap = heap_with(LONG);
    size_t before = support_resident();
    for (size_t i = 0; i < COUNT(sizes); i++) {
        burst_begin(heap, &held, sizes[i]);
        errno = EXDEV;
        burst_end(heap, &held);
        REQUIRE(errno == EXDEV);
        REQUIRE_THAT(pooled() == 0 && threads_are(0), "%zu bytes wait", pooled());
        size_t left = before + support_stats(heap).footprint + LITTLE;
        REQUIRE_THAT(support_sanitized || support_resident() < left, "%zu", support_resident());
    }
    refusing = false;
    burst_begin(heap, &held, 640);
    burst_end(heap, &held);
    REQUIRE(pooled() > 0 && threads_are(1));
    hak_heap_destroy(heap);
}

static void where_there_is_no_thread_nothing_waits(void **state)
{
    (void)state;
    support_in_child(without_threads, NULL, 60);
}

/* By default hakmem makes no thread. */
static void nothing_waits(void *context)
{
    (void)context;
    static const char *const settings[] = {NOTHING, NOTHING "decay=0"};
    for (size_t i = 0; i < COUNT(settings); i++) {
        hak_heap *heap = heap_with(settings[i]);
        burst_begin(heap, &held, 640);
        burst_end(heap, &held);
        REQUIRE(pooled() == 0 && threads_are(0));
        hak_heap_destroy(heap);
    }
}

static void no_thread_without_a_decay_time(void **state)
{
    (void)state;
    support_in_child(nothing_waits, NULL, 60);
}

/* ------------------------------------------------------------------ many threads */

static void *work(void *argument)
{
    burst *own = argument;
    hak_heap *heap = heap_with(SHORT);
    for (size_t i = 0; i < 4; i++) {
        burst_begin(heap, own, sizes[i % COUNT(sizes)]);
        burst_end(heap, own);
        sleep_ms((long)(i * DECAY_MS / 2));
    }
    hak_heap_destroy(heap);
    return NULL;
}

static void several(void *context)
{
    (void)context;
    enum { THREADS = 3 };
    pthread_t made[THREADS];
    static burst of[THREADS];
    for (size_t i = 0; i < THREADS; i++) REQUIRE(!pthread_create(&made[i], NULL, work, &of[i]));
    for (size_t i = 0; i < 3; i++) {
        sleep_ms(20);
        pid_t child = fork();
        if (child == 0) _exit(0);
        REQUIRE(waitpid(child, NULL, 0) == child);
    }
    for (size_t i = 0; i < THREADS; i++) pthread_join(made[i], NULL);
    UNTIL(pooled() < LITTLE); /* where the heaps began */
}

static void heaps_of_several_threads_share_it(void **state)
{
    (void)state;
    support_in_child(several, NULL, 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_thread_is_in_nobodys_way),
        cmocka_unit_test(forks_do_not_meet_the_thread),
        cmocka_unit_test(where_there_is_no_thread_nothing_waits),
        cmocka_unit_test(no_thread_without_a_decay_time),
        cmocka_unit_test(heaps_of_several_threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
