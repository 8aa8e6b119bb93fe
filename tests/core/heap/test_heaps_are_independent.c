/* Heaps may be used by different threads at the same time, and one heap may be handed from thread
 * to thread: nothing is lost, mixed up or, under ThreadSanitizer, raced for. Also where address
 * space is scarce and regions come and go. */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define THREADS 4
#define SLOTS   4000

typedef struct slot {
    char *start;
    size_t size;
    uint64_t stamp;
} slot;

typedef struct worker {
    pthread_t thread;
    hak_heap *heap;
    support_random random;
    slot slots[SLOTS];
    size_t operations;
    size_t largest;
    bool may_refuse;
} worker;

/* Mostly small sizes, and of these mostly the same few, so that slabs fill up and open again; up to
 * `largest`. */
static size_t draw_size(worker *w)
{
    size_t size = (size_t)16 << support_below(&w->random, 20);
    size += support_below(&w->random, size);
    if (support_below(&w->random, 8)) size = 16 + size % 1500;
    if (support_below(&w->random, 2)) size = 500 + size % 3 * 250;
    return size < w->largest ? size : 16 + size % w->largest;
}

static void write_slot(slot *s)
{
    memcpy(s->start, &s->stamp, sizeof s->stamp);
    memcpy(s->start + s->size - 8, &s->stamp, sizeof s->stamp);
}

static void check_slot(const slot *s)
{
    REQUIRE_THAT(memcmp(s->start, &s->stamp, 8) == 0, "%zu bytes", s->size);
    REQUIRE_THAT(memcmp(s->start + s->size - 8, &s->stamp, 8) == 0, "%zu bytes", s->size);
}

static void step(worker *w)
{
    slot *s = &w->slots[support_below(&w->random, SLOTS)];
    if (s->start) {
        check_slot(s);
        REQUIRE(hak_heap_owns(w->heap, s->start) && hak_owns(s->start));
        if (support_below(&w->random, 4)) {
            hak_heap_free(w->heap, s->start);
            s->start = NULL;
            return;
        }
        size_t size = draw_size(w);
        char *start = hak_heap_realloc(w->heap, s->start, size);
        REQUIRE(start || w->may_refuse);
        if (!start) return;
        s->start = start;
        s->size = size;
    } else {
        s->size = draw_size(w);
        s->start = hak_heap_alloc(w->heap, s->size);
        REQUIRE(s->start || w->may_refuse);
        if (!s->start) return;
    }
    REQUIRE(!hak_owns(w) && !hak_owns(&s));
    s->stamp = support_next(&w->random);
    write_slot(s);
}

static void check_worker(const worker *w)
{
    size_t live = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (!w->slots[i].start) continue;
        check_slot(&w->slots[i]);
        live++;
    }
    REQUIRE(support_stats(w->heap).live_blocks == live);
    support_check_stats(w->heap);
}

static atomic_bool may_begin;

static void *work(void *context)
{
    worker *w = context;
    while (!atomic_load(&may_begin)) sched_yield();
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    w->heap = hak_heap_new(NULL);
    REQUIRE(w->heap || w->may_refuse);
    for (size_t i = 0; w->heap && i < w->operations; i++) {
        step(w);
        if (support_below(&w->random, 5000) == 0) {
            check_worker(w);
            hak_heap_trim(w->heap);
            REQUIRE(hak_heap_set_profile(w->heap, profiles[i % 3]));
        }
        if (support_below(&w->random, 20000) == 0) {
            /* All at once, and from the start. */
            check_worker(w);
            hak_heap_destroy(w->heap);
            memset(w->slots, 0, sizeof w->slots);
            w->heap = hak_heap_new(NULL);
            REQUIRE(w->heap || w->may_refuse);
        }
    }
    if (w->heap) check_worker(w);
    hak_heap_destroy(w->heap);
    return NULL;
}

/* They begin once all are there: their stacks need address space too. */
static void work_in_threads(size_t threads, size_t operations, size_t largest, bool may_refuse)
{
    static worker workers[2 * THREADS];
    REQUIRE(threads <= COUNT(workers));
    atomic_store(&may_begin, false);
    for (size_t i = 0; i < threads; i++) {
        workers[i] = (worker){.random = {support_seed() + i},
                              .operations = operations,
                              .largest = largest,
                              .may_refuse = may_refuse};
        REQUIRE(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    atomic_store(&may_begin, true);
    for (size_t i = 0; i < threads; i++) REQUIRE(pthread_join(workers[i].thread, NULL) == 0);
}

static void each_its_own(void *context)
{
    (void)context;
    work_in_threads(THREADS, support_scaled(200000), 6 * MIB, false);
}

static void threads_may_have_a_heap_each(void **state)
{
    (void)state;
    support_seed();
    support_in_child(each_its_own, NULL, 100);
}

/* Spill regions of huge blocks are given back while other threads look their pointers up. */
static void each_its_own_in_little_space(void *context)
{
    size_t limit = *(size_t *)context;
    for (size_t threads = 2; threads <= 2 * THREADS; threads *= 2) {
        struct rlimit space = {0, RLIM_INFINITY};
        space.rlim_cur = support_status("VmSize:") + limit + threads * 9 * MIB; /* stacks */
        REQUIRE(setrlimit(RLIMIT_AS, &space) == 0);
        work_in_threads(threads, support_scaled(60000), 9 * MIB, true);
    }
}

static void threads_may_have_a_heap_each_in_little_space(void **state)
{
    (void)state;
    if (support_sanitized) skip(); /* it needs the space for itself */
    support_in_child(each_its_own_in_little_space, &(size_t){900 * MIB}, 100);
    support_in_child(each_its_own_in_little_space, &(size_t){300 * MIB}, 100);
}

/* ------------------------------------------------------------------ huge blocks */

#define HUGE_BLOCKS 4

static atomic_size_t growing;

/* Blocks that grow by a little, or are cut, or go, in one heap. */
static void *grow_huge_blocks(void *context)
{
    enum { LEAST = 2 * 1024 * 1024 + 1 };
    support_random random = {(uintptr_t)context};
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "retain_least=0 retain_part=0"});
    slot slots[HUGE_BLOCKS] = {{0}};
    REQUIRE(heap);
    atomic_fetch_add(&growing, 1);
    while (atomic_load(&growing) < THREADS) continue;
    for (size_t i = 0; i < 600 / support_scale() + 400; i++) {
        slot *s = &slots[support_below(&random, HUGE_BLOCKS)];
        size_t what = support_below(&random, 16);
        if (s->start) check_slot(s);
        if (s->start && what == 0) {
            hak_heap_free(heap, s->start);
            *s = (slot){0};
            continue;
        }
        size_t size = s->start ? s->size + support_below(&random, MIB) : LEAST;
        if (what == 1 || size > 16 * MIB) size = LEAST;
        char *start = hak_heap_realloc(heap, s->start, size);
        REQUIRE(start && hak_owns(start + size - 1));
        *s = (slot){start, size, support_next(&random)};
        write_slot(s);
    }
    hak_heap_destroy(heap);
    return NULL;
}

static void grow_in_threads(void *context)
{
    (void)context;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, grow_huge_blocks, (void *)(i + 1)) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
}

/* Each in a region of its own, since others have the addresses of the shared one. A sanitizer has
 * them anyway. */
static void grow_in_regions(void *context)
{
    support_take_places();
    grow_in_threads(context);
}

static void huge_blocks_may_grow_at_once(void **state)
{
    (void)state;
    support_in_child(grow_in_threads, NULL, 100);
    if (!support_sanitized) support_in_child(grow_in_regions, NULL, 100);
}

/* ------------------------------------------------------------------ one heap, many threads */

#define QUEUE 3

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    worker *waiting[QUEUE]; /* heaps in nobody's hands */
    size_t count, rounds;   /* how often heaps are still to be handed on */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *hand_on(void *context)
{
    support_random random = {(uintptr_t)context};
    for (;;) {
        pthread_mutex_lock(&queue.lock);
        while (queue.count == 0 && queue.rounds > 0) {
            pthread_cond_wait(&queue.changed, &queue.lock);
        }
        if (queue.rounds == 0) break;
        queue.rounds--;
        worker *mine = queue.waiting[--queue.count];
        pthread_mutex_unlock(&queue.lock);

        for (size_t i = support_below(&random, 300); i > 0; i--) step(mine);
        if (support_below(&random, 50) == 0) hak_heap_trim(mine->heap);

        pthread_mutex_lock(&queue.lock);
        queue.waiting[queue.count++] = mine;
        pthread_cond_broadcast(&queue.changed);
        pthread_mutex_unlock(&queue.lock);
    }
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

static void pass_heaps_around(void *context)
{
    (void)context;
    static worker workers[QUEUE];
    pthread_t threads[THREADS];
    queue.rounds = support_scaled(6000);
    for (size_t i = 0; i < QUEUE; i++) {
        workers[i].heap = hak_heap_new(&(hak_heap_options){.granularity = i % 2 ? 16 : 8});
        workers[i].random.state = support_seed() + i;
        workers[i].largest = 6 * MIB;
        queue.waiting[queue.count++] = &workers[i];
    }
    for (size_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, hand_on, (void *)(i + 1)) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    for (size_t i = 0; i < QUEUE; i++) {
        check_worker(&workers[i]);
        hak_heap_destroy(workers[i].heap);
    }
}

static void a_heap_may_be_handed_from_thread_to_thread(void **state)
{
    (void)state;
    support_in_child(pass_heaps_around, NULL, 100);
}

/* ------------------------------------------------------------------ all at the beginning */

static atomic_size_t ready;

static void *begin_together(void *context)
{
    (void)context;
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < 2 * THREADS) continue;
    static char memory[2 * THREADS][HAK_MEMORY_MIN];
    size_t mine = atomic_fetch_add(&ready, 1) - 2 * THREADS;
    hak_heap *heap = mine % 2 ? hak_heap_new(NULL)
                              : hak_heap_new(&(hak_heap_options){
                                    .memory = memory[mine], .memory_size = sizeof memory[mine]});
    REQUIRE(heap);
    char *block = hak_heap_alloc(heap, 100);
    REQUIRE(block);
    memset(block, 1, 100);
    REQUIRE(hak_owns(block) == (mine % 2 != 0));
    hak_heap_destroy(heap);
    return NULL;
}

static void make_the_first_heaps(void *context)
{
    (void)context;
    pthread_t threads[2 * THREADS];
    for (size_t i = 0; i < COUNT(threads); i++) {
        REQUIRE(pthread_create(&threads[i], NULL, begin_together, NULL) == 0);
    }
    for (size_t i = 0; i < COUNT(threads); i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
}

/* Runs where no heap has been made yet. */
static void all_threads_may_make_the_first_heap(void **state)
{
    (void)state;
    for (size_t i = 0; i < 20; i++) support_in_child(make_the_first_heaps, NULL, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_threads_may_make_the_first_heap),
        cmocka_unit_test(threads_may_have_a_heap_each),
        cmocka_unit_test(threads_may_have_a_heap_each_in_little_space),
        cmocka_unit_test(huge_blocks_may_grow_at_once),
        cmocka_unit_test(a_heap_may_be_handed_from_thread_to_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
