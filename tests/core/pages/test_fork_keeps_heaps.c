/* After fork() parent and child both go on with the same heaps, each with its own copy: contents
 * are kept, neither sees what the other does, and the lock of the shared region is never left held,
 * whatever other threads were doing. */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sizes.h"

#define ROUNDS 2
#define BLOCKS (SIZES - 4) /* not the largest: all of it is written */

typedef struct scene {
    hak_heap *heap;
    void *blocks[BLOCKS];
    uint64_t salt;
} scene;

static scene scene_new(const hak_heap_options *options)
{
    scene made = {.heap = hak_heap_new(options), .salt = 1};
    REQUIRE(made.heap);
    for (size_t i = 0; i < BLOCKS; i++) {
        made.blocks[i] = hak_heap_alloc(made.heap, sizes[i]);
        REQUIRE(made.blocks[i]);
        support_fill(made.blocks[i], sizes[i], i + made.salt);
    }
    return made;
}

/* Checks every block, then frees, allocates and grows some, with new contents. */
static void go_on(scene *on, uint64_t salt)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = sizes[i];
        REQUIRE(support_intact(on->blocks[i], size, i + on->salt) == size);
    }
    on->salt = salt;
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = sizes[i];
        if (i % 3 == 0) {
            hak_heap_free(on->heap, on->blocks[i]);
            on->blocks[i] = hak_heap_zalloc(on->heap, 1, size);
            REQUIRE(on->blocks[i]);
            REQUIRE(support_zeros(on->blocks[i], size) == size);
        } else if (i % 3 == 1) {
            void *grown = hak_heap_realloc(on->heap, on->blocks[i], size * 3 / 2 + 1);
            REQUIRE(grown);
            on->blocks[i] = grown;
        }
        support_fill(on->blocks[i], size, i + salt);
    }
    hak_heap_trim(on->heap);
    support_check_stats(on->heap);
    REQUIRE(support_stats(on->heap).live_blocks == BLOCKS);
}

static void end(scene *on)
{
    for (size_t i = 0; i < BLOCKS; i++) hak_heap_free(on->heap, on->blocks[i]);
    support_check_live(on->heap, 0, 0);
    hak_heap_destroy(on->heap);
}

static void child_goes_on(void *context)
{
    scene *scenes = context;
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t s = 0; s < 2; s++) go_on(&scenes[s], 1000 + round);
        scene other = scene_new(NULL);
        go_on(&other, 7);
        end(&other);
    }
    for (size_t s = 0; s < 2; s++) end(&scenes[s]);
}

static void parent_and_child_have_their_own(void **state)
{
    (void)state;
    scene scenes[2] = {scene_new(NULL), scene_new(&(hak_heap_options){.granularity = 8})};
    for (size_t round = 0; round < ROUNDS; round++) {
        support_in_child(child_goes_on, scenes, 30);
        for (size_t s = 0; s < 2; s++) go_on(&scenes[s], 2000 + round);
    }
    for (size_t s = 0; s < 2; s++) end(&scenes[s]);
}

/* Both at the same time: the parent writes while the child reads what it has inherited. */
static void parent_and_child_at_the_same_time(void **state)
{
    (void)state;
    scene on = scene_new(NULL);
    int gate[2];
    assert_int_equal(pipe(gate), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char go;
        alarm(30);
        if (read(gate[0], &go, 1) != 1) _exit(1);
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t size = sizes[i];
            if (support_intact(on.blocks[i], size, i + 1) != size) _exit(2);
            hak_heap_free(on.heap, on.blocks[i]);
        }
        hak_heap_trim(on.heap);
        _exit(support_stats(on.heap).live_blocks == 0 ? 0 : 3);
    }
    for (size_t round = 0; round < ROUNDS; round++) go_on(&on, 100 + round);
    assert_int_equal(write(gate[1], "!", 1), 1);
    for (size_t round = 0; round < ROUNDS; round++) go_on(&on, 200 + round);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(gate[0]);
    close(gate[1]);
    end(&on);
}

/* ------------------------------------------------------------------ with threads */

static atomic_bool stop;

/* Takes and gives superslabs and huge blocks all the time: mostly under the lock. */
static void *churn(void *context)
{
    (void)context;
    while (!atomic_load(&stop)) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
        REQUIRE(heap);
        void *small = hak_heap_alloc(heap, 100);
        void *huge = hak_heap_alloc(heap, 5 * MIB);
        REQUIRE(small && huge);
        memset(small, 1, 100);
        huge = hak_heap_realloc(heap, huge, 9 * MIB);
        REQUIRE(huge);
        hak_heap_free(heap, huge);
        hak_heap_destroy(heap);
    }
    return NULL;
}

/* In a forked child, where a lock left held is a child that hangs, and is killed. */
static void use_the_lock(hak_heap *inherited)
{
    alarm(20);
    for (size_t i = 0; i < 3; i++) {
        hak_heap *heap = hak_heap_new(NULL);
        if (!heap || !hak_heap_alloc(heap, 3 * MIB)) _exit(4);
        hak_heap_destroy(heap);
        void *block = hak_heap_alloc(inherited, 4 * MIB);
        if (!block) _exit(5);
        hak_heap_free(inherited, block);
        hak_heap_trim(inherited);
    }
}

/* And in a child of that child. */
static void use_the_lock_once_more(hak_heap *inherited)
{
    pid_t pid = fork();
    if (pid == 0) {
        use_the_lock(inherited);
        _exit(0);
    }
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0) _exit(6);
}

static void fork_among_threads(void *context)
{
    (void)context;
    hak_heap *heap = hak_heap_new(NULL);
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT(threads); i++) {
        REQUIRE(pthread_create(&threads[i], NULL, churn, NULL) == 0);
    }
    size_t forks = (support_debug ? 100 : 300) / support_scale();
    for (size_t i = 0; i < forks; i++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            use_the_lock(heap);
            if (i % 10 == 0) use_the_lock_once_more(heap);
            _exit(0);
        }
        int status;
        REQUIRE(waitpid(pid, &status, 0) == pid);
        REQUIRE_THAT(status == 0, "fork %zu: signal %d, code %d", i, WTERMSIG(status),
                     WEXITSTATUS(status));
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNT(threads); i++) pthread_join(threads[i], NULL);
    hak_heap_destroy(heap);
}

static void no_lock_is_left_held(void **state)
{
    (void)state;
    support_in_child(fork_among_threads, NULL, 100);
}

/* The first heap of all being made by another thread at that moment. */
static void *make_the_first(void *context)
{
    (void)context;
    hak_heap_destroy(hak_heap_new(NULL));
    return NULL;
}

static void fork_before_the_first_heap(void *context)
{
    size_t spins = *(size_t *)context;
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, make_the_first, NULL) == 0);
    for (volatile size_t i = 0; i < spins; i++) continue;
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        alarm(20);
        hak_heap *heap = hak_heap_new(NULL);
        if (!heap) _exit(3);
        use_the_lock(heap);
        use_the_lock_once_more(heap);
        _exit(0);
    }
    int status;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE_THAT(status == 0, "signal %d, code %d", WTERMSIG(status), WEXITSTATUS(status));
    pthread_join(thread, NULL);
}

/* Must come before any other test makes a heap. */
static void the_first_heap_may_be_made_meanwhile(void **state)
{
    (void)state;
    /* Some microseconds later each time, so that the fork falls at every point of it. */
    for (size_t i = 0; i < 400; i += support_scale()) {
        support_in_child(fork_before_the_first_heap, &(size_t){i % 200 * 400}, 30);
    }
}

/* The handlers have been registered, but the thread that did it has not gone on, and never does in
 * the child: which registers them once more. */
static atomic_bool registered, to_be_held_up, held_up, go_on_registering;

int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    int result = __real_pthread_atfork(prepare, parent, child);
    atomic_store(&registered, true);
    if (atomic_exchange(&to_be_held_up, false)) {
        atomic_store(&held_up, true);
        while (!atomic_load(&go_on_registering)) sched_yield();
    }
    return result;
}

static void fork_while_registering(void *context)
{
    (void)context;
    pthread_t thread;
    atomic_store(&to_be_held_up, true);
    REQUIRE(pthread_create(&thread, NULL, make_the_first, NULL) == 0);
    while (!atomic_load(&held_up)) sched_yield();
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        alarm(20);
        pthread_t another; /* so that there are threads here too */
        if (pthread_create(&another, NULL, make_the_first, NULL) != 0) _exit(3);
        pthread_join(another, NULL);
        hak_heap *heap = hak_heap_new(NULL);
        if (!heap) _exit(3);
        use_the_lock_once_more(heap);
        use_the_lock(heap);
        _exit(0);
    }
    int status;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE_THAT(status == 0, "signal %d, code %d", WTERMSIG(status), WEXITSTATUS(status));
    atomic_store(&go_on_registering, true);
    pthread_join(thread, NULL);
    hak_heap *heap = hak_heap_new(NULL);
    use_the_lock_once_more(heap);
    hak_heap_destroy(heap);
}

/* Must come before any other test makes a heap. */
static void handlers_may_be_registered_meanwhile(void **state)
{
    (void)state;
    if (atomic_load(&registered)) skip(); /* as the program was loaded */
    support_in_child(fork_while_registering, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handlers_may_be_registered_meanwhile),
        cmocka_unit_test(the_first_heap_may_be_made_meanwhile),
        cmocka_unit_test(no_lock_is_left_held),
        cmocka_unit_test(parent_and_child_have_their_own),
        cmocka_unit_test(parent_and_child_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
