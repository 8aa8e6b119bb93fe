/* Where a heap has a decay time, whole superslabs and huge blocks that it lets go wait for so long
 * before their pages go back to the OS: a program that works in bursts takes them again without a
 * call. A thread gives them back, also while the program does nothing; a fork never meets it. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DECAY_MS   100
#define PATIENCE_S 20 /* for what takes a tenth of a second on an idle machine */
#define NOTHING    "retain_least=0 retain_part=0 retain_busy=0 "
#define SHORT      NOTHING "decay=100"
#define LONG       NOTHING "decay=60000"
#define BURST      (24 * MIB)
#define LITTLE     (2 * MIB)

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

static size_t pooled(void)
{
    hak_process_stats process;
    hak_process_stats_read(&process);
    return process.pooled;
}

static size_t os_calls(void)
{
    hak_process_stats process;
    hak_process_stats_read(&process);
    return process.os.total;
}

static size_t page_faults(void)
{
    struct rusage usage;
    REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
    return (size_t)usage.ru_minflt;
}

/* Whether there are so many threads beside the program's own. A sanitizer has some too. */
static bool threads_are(size_t count)
{
    size_t now = support_status("Threads:") / KIB; /* it counts in KiB */
    return support_sanitized || now == count + 1;
}

static size_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (size_t)now.tv_sec * 1000 + (size_t)now.tv_nsec / 1000000;
}

static void sleep_ms(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Waits until that is so, or too long. */
#define WITHIN(seconds, holds)                                                        \
    do {                                                                              \
        for (int looks = (seconds)*100; !(holds) && looks > 0; looks--) sleep_ms(10); \
        REQUIRE_THAT(holds, "after %d s; %zu bytes wait", seconds, pooled());         \
    } while (0)
#define UNTIL(holds) WITHIN(PATIENCE_S, holds)

static hak_heap *heap_with(const char *settings)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = settings});
    REQUIRE(heap);
    return heap;
}

typedef struct burst {
    size_t size;
    void *blocks[BURST / 640];
} burst;

/* Blocks of `size` bytes, written to. */
static void begin(hak_heap *heap, burst *in, size_t size)
{
    in->size = size;
    for (size_t i = 0; i < BURST / size; i++) {
        REQUIRE(in->blocks[i] = hak_heap_alloc(heap, size));
        support_fill_pages(in->blocks[i], size, i);
    }
}

static void end(hak_heap *heap, burst *in)
{
    for (size_t i = 0; i < BURST / in->size; i++) {
        REQUIRE(support_intact_pages(in->blocks[i], in->size, i) == in->size);
        hak_heap_free(heap, in->blocks[i]);
    }
}

static burst held;
static const size_t sizes[] = {640, 100 * KIB, 12 * MIB};

/* They are no part of the heap meanwhile. */
static void bursts_cost_no_calls(void *context)
{
    size_t size = *(const size_t *)context;
    hak_heap *heap = heap_with(LONG);
    for (size_t i = 0; i < 3; i++) {
        begin(heap, &held, size);
        end(heap, &held);
    }
    REQUIRE_THAT(support_stats(heap).footprint < 2 * 4 * MIB, "%zu", support_stats(heap).footprint);
    REQUIRE_THAT(pooled() > BURST / 2, "%zu bytes wait", pooled());
    size_t calls = os_calls();
    begin(heap, &held, size);
    REQUIRE(pooled() < BURST / 2);
    end(heap, &held);
    REQUIRE_THAT(os_calls() <= calls + 4, "%zu calls", os_calls() - calls);
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

static void pages_go_while_nothing_happens(void *context)
{
    size_t size = *(const size_t *)context, before = support_resident();
    hak_heap *heap = heap_with(SHORT);
    begin(heap, &held, size);
    end(heap, &held);
    size_t retained = support_stats(heap).footprint;
    UNTIL(pooled() == 0);
    REQUIRE_THAT(support_sanitized || support_resident() < before + retained + LITTLE, "%zu",
                 support_resident());
    begin(heap, &held, size);
    end(heap, &held);
    REQUIRE(threads_are(1));
    if (size == sizes[0]) {
        UNTIL(pooled() == 0);
        size_t idle = now_ms();
        UNTIL(threads_are(0));
        REQUIRE_THAT(support_sanitized || now_ms() - idle > 1000, "%zu ms", now_ms() - idle);
        REQUIRE(pooled() == 0);
    }
    begin(heap, &held, size); /* it can be had again */
    end(heap, &held);
    UNTIL(pooled() == 0);
    hak_heap_destroy(heap);
}

static void in_children(void (*run)(void *context))
{
    for (size_t i = 0; i < COUNT(sizes); i++) {
        support_in_child(run, (void *)&sizes[i], 120);
    }
}

static void bursts_are_free(void **state)
{
    (void)state;
    in_children(bursts_cost_no_calls);
}

static void idle_programs_get_small(void **state)
{
    (void)state;
    in_children(pages_go_while_nothing_happens);
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
        /* But for SIGKILL, SIGSTOP and the two of libc's own. */
        size_t free = ~blocked_by(task->d_name) & ~((size_t)1 << 8 | (size_t)1 << 18);
        REQUIRE_THAT(support_sanitized || !(free & ~((size_t)3 << 31)), "%zx", free);
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

/* ------------------------------------------------------------------ what takes them at once */

static void others_want_them(void *context)
{
    (void)context;
    hak_heap *heap = heap_with(LONG);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        begin(heap, &held, sizes[i]);
        end(heap, &held);
        size_t before = pooled() + support_stats(heap).footprint;
        REQUIRE(pooled() > BURST / 2);
        size_t given = hak_heap_trim(heap), left = support_stats(heap).footprint;
        REQUIRE_THAT(given == before - left, "%zu given, not %zu", given, before - left);
        REQUIRE(pooled() == 0 && given > BURST / 2);

        begin(heap, &held, sizes[i]);
        end(heap, &held);
        hak_heap_settle(heap);
        REQUIRE(pooled() > BURST / 2);
        hak_heap_settle(heap); /* the program is at rest */
        REQUIRE(pooled() == 0);

        begin(heap, &held, sizes[i]);
        end(heap, &held);
        REQUIRE(hak_heap_set_profile(heap, support_profile("lean")));
        REQUIRE(pooled() == 0);
        REQUIRE(hak_heap_configure(heap, LONG, NULL, 0));
    }
    /* Another heap takes them over, within its limit. */
    begin(heap, &held, 640);
    end(heap, &held);
    size_t waiting = pooled();
    hak_heap *other = hak_heap_new(&(hak_heap_options){.limit = 8 * MIB});
    while (hak_heap_alloc(other, 1000)) continue;
    REQUIRE(support_stats(other).footprint <= 8 * MIB);
    REQUIRE(pooled() < waiting);
    hak_heap_destroy(other);
    hak_heap_destroy(heap);
}

static void trims_rests_profiles_and_limits_take_them(void **state)
{
    (void)state;
    support_in_child(others_want_them, NULL, 60);
}

/* A block that waits is nobody's, and is all zero when it is asked for so. */
static void used_again(void *context)
{
    (void)context;
    hak_heap *heap = heap_with(LONG);
    enum { SIZE = 10 * MIB };
    char *block = hak_heap_alloc(heap, SIZE);
    REQUIRE(block);
    memset(block, 1, SIZE);
    hak_heap_free(heap, block);
    REQUIRE(pooled() == SIZE);
    for (size_t at = 0; at < SIZE; at += MIB) {
        REQUIRE(!hak_owns(block + at) && !hak_heap_owns(heap, block + at));
    }
    hak_heap *other = heap_with(LONG);
    char *zeros = hak_heap_zalloc(other, 1, SIZE);
    REQUIRE(zeros == block && support_zeros(zeros, SIZE) == SIZE);
    REQUIRE(pooled() == 0 && hak_heap_owns(other, zeros + 5 * MIB));
    for (size_t at = 0; at < SIZE; at += MIB) REQUIRE(hak_owns(zeros + at));
    REQUIRE(support_stats(other).footprint >= SIZE);
    hak_heap_free(other, zeros);
    /* It may be a little larger than what is asked for; one that is too large goes. */
    block = hak_heap_alloc(other, SIZE - MIB);
    REQUIRE(block == zeros && pooled() == 0);
    REQUIRE(hak_heap_usable_size(other, block) == SIZE);
    hak_heap_free(other, block);
    char *small = hak_heap_alloc(other, 5 * MIB);
    REQUIRE(small && pooled() == 0);
    hak_heap_destroy(other);
    hak_heap_destroy(heap);
}

static void huge_blocks_are_used_again(void **state)
{
    (void)state;
    support_in_child(used_again, NULL, 60);
}

/* A block that grows to `size` bytes, little by little, with others freed meanwhile. */
static char *grown(hak_heap *heap, size_t size)
{
    char *block = hak_heap_alloc(heap, 10 * KIB);
    for (size_t now = 10 * KIB; block && now < size; now += 4 * KIB) {
        hak_heap_free(heap, hak_heap_alloc(heap, 100 * KIB));
        block = hak_heap_realloc(heap, block, now + 4 * KIB);
        if (block) block[now + 4 * KIB - 1] = 1;
    }
    return block;
}

static void grow_again(void *context)
{
    (void)context;
    enum { SIZE = 12 * MIB };
    hak_heap *heap = heap_with(LONG);
    for (size_t i = 0; i < 5; i++) {
        size_t faults = page_faults(), peak = support_stats(heap).footprint_peak;
        char *block = grown(heap, SIZE);
        REQUIRE_THAT(block && pooled() < SIZE / 2, "%zu bytes wait", pooled());
        hak_heap_free(heap, block);
        REQUIRE_THAT(pooled() >= SIZE, "%zu bytes wait", pooled());
        if (i == 0) continue;
        faults = page_faults() - faults;
        REQUIRE_THAT(support_sanitized || faults < SIZE / PAGE / 4, "%zu faults", faults);
        REQUIRE(support_stats(heap).footprint_peak <= peak + peak / 16);
    }
    /* What it has not grown into goes when its time is over. */
    REQUIRE(hak_heap_configure(heap, NOTHING "decay=500", NULL, 0));
    hak_heap_free(heap, grown(heap, SIZE));
    char *block = grown(heap, 3 * MIB);
    size_t with = support_stats(heap).footprint;
    REQUIRE_THAT(with > SIZE, "%zu", with);
    sleep_ms(600);
    hak_heap_free(heap, hak_heap_alloc(heap, 100 * KIB));
    REQUIRE_THAT(support_stats(heap).footprint < 5 * MIB, "%zu", support_stats(heap).footprint);
    hak_heap_free(heap, block);
    /* One that is much too large is not taken: a program that does nothing more would keep it. */
    block = grown(heap, MIB);
    hak_heap_free(heap, hak_heap_alloc(heap, 300 * MIB));
    REQUIRE(block = hak_heap_realloc(heap, block, 3 * MIB));
    REQUIRE_THAT(support_stats(heap).footprint < 6 * MIB, "%zu", support_stats(heap).footprint);
    hak_heap_free(heap, block);
    /* A limit is for what the heap holds: it takes only what it needs. */
    REQUIRE(hak_heap_configure(heap, LONG, NULL, 0));
    hak_heap_free(heap, grown(heap, SIZE));
    REQUIRE(hak_heap_set_limit(heap, SIZE));
    block = grown(heap, 3 * MIB);
    REQUIRE_THAT(support_stats(heap).footprint < 6 * MIB, "%zu", support_stats(heap).footprint);
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

static void growing_blocks_use_them_again(void **state)
{
    (void)state;
    support_in_child(grow_again, NULL, 60);
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
    begin(heap, &held, 640);
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

/* ------------------------------------------------------------------ forks, and no threads */

/* Neither process has a thread of ours then, nor anything that waits for one. */
static void fork_and_look(void *context)
{
    (void)context;
    hak_heap *heap = heap_with(LONG);
    begin(heap, &held, 640);
    end(heap, &held);
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
    begin(heap, &held, 640);
    end(heap, &held);
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
        begin(heap, &held, sizes[i]);
        errno = EXDEV;
        end(heap, &held);
        REQUIRE(errno == EXDEV);
        REQUIRE_THAT(pooled() == 0 && threads_are(0), "%zu bytes wait", pooled());
        size_t left = before + support_stats(heap).footprint + LITTLE;
        REQUIRE_THAT(support_sanitized || support_resident() < left, "%zu", support_resident());
    }
    refusing = false;
    begin(heap, &held, 640);
    end(heap, &held);
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
        begin(heap, &held, 640);
        end(heap, &held);
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
        begin(heap, own, sizes[i % COUNT(sizes)]);
        end(heap, own);
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
        cmocka_unit_test(bursts_are_free),
        cmocka_unit_test(idle_programs_get_small),
        cmocka_unit_test(they_wait_for_so_long),
        cmocka_unit_test(the_thread_is_in_nobodys_way),
        cmocka_unit_test(what_waits_raises_no_peak),
        cmocka_unit_test(trims_rests_profiles_and_limits_take_them),
        cmocka_unit_test(huge_blocks_are_used_again),
        cmocka_unit_test(growing_blocks_use_them_again),
        cmocka_unit_test(what_passes_the_bound_waits),
        cmocka_unit_test(new_pages_come_in_place_of_waiting_ones),
        cmocka_unit_test(forks_do_not_meet_the_thread),
        cmocka_unit_test(where_there_is_no_thread_nothing_waits),
        cmocka_unit_test(no_thread_without_a_decay_time),
        cmocka_unit_test(heaps_of_several_threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
