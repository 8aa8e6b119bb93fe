/* What threads do with an allocator. Each case is run by a number of threads, pinned nowhere, and
 * counts the blocks allocated and freed.
 *
 *   local     each thread has slots of its own and gives them blocks of 16 to 1,024 bytes at random
 *   pairs     one half allocates, the other frees: every free is another thread's
 *   exchange  threads give blocks to slots of all threads, and free what they find there (as Larson
 *             and Krishnan, 1998, had the connections of a server do)
 *   bursts    threads that allocate 2,000 blocks, free them and end, one after the other
 *   growth    blocks that grow by realloc, by half each time, from 16 bytes to 64 KiB
 *
 * One source, compiled once for each allocator (-DALLOCATOR="name", and HAKMEM for this one; the
 * peers are linked in place of malloc). Prints one line of JSON. */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure.h"

#ifdef HAKMEM
#include "hakmem.h"
#define malloc  hak_malloc
#define free    hak_free
#define realloc hak_realloc
#endif

#define THREADS_MAX 64
#define SLOTS       1000  /* of a thread */
#define BURST       2000  /* blocks */
#define RING        1024  /* blocks on the way from one thread to another */
#define GROWING     64    /* blocks of a thread */
#define GROWN       65536 /* bytes */

static unsigned thread_count;
static uint64_t operations; /* of each thread */
static atomic_bool go;

static size_t any_size(uint32_t random)
{
    return 16 + ((random & 0xffff) * 1009 >> 16);
}

static void *take(size_t size)
{
    unsigned char *block = malloc(size);
    if (!block) exit(3);
    *block = (unsigned char)size;
    return block;
}

static uint32_t seed_of(uintptr_t thread)
{
    return ((uint32_t)thread * 2654435761u) | 1;
}

/* ------------------------------------------------------------------ the cases */

static void local(uintptr_t thread)
{
    static void *all[THREADS_MAX][SLOTS + 16]; /* and no line of another's */
    void **slots = all[thread];
    uint32_t random = seed_of(thread + 1);
    for (uint64_t i = 0; i < operations; i++) {
        uint32_t r = next_random(&random);
        void **slot = &slots[(uint64_t)r * SLOTS >> 32];
        if (*slot) {
            free(*slot);
            *slot = NULL;
        } else {
            *slot = take(any_size(r));
        }
    }
    for (size_t i = 0; i < SLOTS; i++) free(slots[i]);
}

static struct ring {
    _Alignas(128) _Atomic(void *) blocks[RING];
} rings[THREADS_MAX / 2];

/* Waits for another thread, which may need this processor. */
static void wait_some(unsigned *waited)
{
    if (++*waited % 256 == 0) sched_yield();
#ifdef __x86_64__
    else __builtin_ia32_pause();
#endif
}

/* With one thread: it allocates a ring full of blocks, and frees them. */
static void pairs(uintptr_t thread)
{
    struct ring *ring = &rings[thread / 2];
    bool both = thread_count == 1, allocates = both || thread % 2 == 0;
    unsigned waited = 0;
    uint32_t random = seed_of(thread + 1);
    for (uint64_t i = 0; i < operations; i++) {
        if (both && i % (2 * RING) >= RING) allocates = false;
        else if (both) allocates = true;
        _Atomic(void *) *place = &ring->blocks[i % RING];
        void *block;
        if (allocates) {
            block = take(any_size(next_random(&random)));
            while (atomic_load_explicit(place, memory_order_acquire)) wait_some(&waited);
            atomic_store_explicit(place, block, memory_order_release);
        } else {
            while (!(block = atomic_load_explicit(place, memory_order_acquire))) wait_some(&waited);
            atomic_store_explicit(place, NULL, memory_order_release);
            free(block);
        }
    }
}

static _Atomic(void *) shared[THREADS_MAX * SLOTS];

static void exchange(uintptr_t thread)
{
    uint32_t random = seed_of(thread + 1);
    for (uint64_t i = 0; i < operations; i += 2) {
        uint32_t r = next_random(&random);
        _Atomic(void *) *slot = &shared[(uint64_t)r * (thread_count * SLOTS) >> 32];
        void *block = take(any_size(r));
        free(atomic_exchange_explicit(slot, block, memory_order_acq_rel));
    }
}

static void *burst(void *seed)
{
    void *blocks[BURST];
    uint32_t random = (uint32_t)(uintptr_t)seed | 1;
    for (size_t i = 0; i < BURST; i++) blocks[i] = take(any_size(next_random(&random)));
    for (size_t i = 0; i < BURST; i++) free(blocks[i]);
    return NULL;
}

static void bursts(uintptr_t thread)
{
    uint32_t random = seed_of(thread + 1);
    for (uint64_t i = 0; i < operations; i += 2 * BURST) {
        pthread_t one;
        void *seed = (void *)(uintptr_t)next_random(&random);
        if (pthread_create(&one, NULL, burst, seed) != 0) exit(4);
        pthread_join(one, NULL);
    }
}

static void growth(uintptr_t thread)
{
    struct {
        char *block;
        size_t size;
    } grown[GROWING] = {0};
    uint32_t random = seed_of(thread + 1);
    for (uint64_t i = 0; i < operations; i++) {
        size_t at = (size_t)((uint64_t)next_random(&random) * GROWING >> 32);
        size_t size = grown[at].size + grown[at].size / 2;
        if (size > GROWN) {
            free(grown[at].block);
            grown[at].block = NULL;
            size = 0;
        }
        if (size == 0) size = 16;
        char *block = realloc(grown[at].block, size);
        if (!block) exit(3);
        block[size - 1] = 1;
        grown[at].block = block;
        grown[at].size = size;
    }
    for (size_t i = 0; i < GROWING; i++) free(grown[i].block);
}

static const struct workload {
    const char *name;
    void (*run)(uintptr_t thread);
    uint64_t operations; /* of all threads */
} workloads[] = {
    {"local", local, 40000000},   {"pairs", pairs, 20000000},  {"exchange", exchange, 20000000},
    {"bursts", bursts, 40000000}, {"growth", growth, 4000000},
};

/* ------------------------------------------------------------------ running them */

static const struct workload *workload;

static void *run_thread(void *thread)
{
    while (!atomic_load_explicit(&go, memory_order_acquire)) sched_yield();
    workload->run((uintptr_t)thread);
    return NULL;
}

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s CASE THREADS [PER-CENT]\ncases:", program);
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        fprintf(stderr, " %s", workloads[i].name);
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    for (size_t i = 0; argc > 2 && i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(argv[1], workloads[i].name) == 0) workload = &workloads[i];
    }
    if (!workload) return usage(argv[0]);
    thread_count = (unsigned)atoi(argv[2]);
    if (thread_count < 1 || thread_count > THREADS_MAX) return usage(argv[0]);
    if (thread_count > 1 && thread_count % 2) return usage(argv[0]);
    operations = workload->operations * (argc > 3 ? (uint64_t)atoi(argv[3]) : 100) / 100;
    operations = (operations / thread_count + 2 * RING) / (2 * RING) * (2 * RING);

    for (uintptr_t i = 0; i < thread_count; i++) {
        if (pthread_create(&threads[i], NULL, run_thread, (void *)i) != 0) return 4;
    }
    double begin = now();
    atomic_store_explicit(&go, true, memory_order_release);
    for (size_t i = 0; i < thread_count; i++) pthread_join(threads[i], NULL);
    double seconds = now() - begin;

    printf("{\"allocator\": \"%s\", \"mops\": %.2f, \"peak_rss_kib\": %ld, \"end_rss_kib\": %ld}\n",
           ALLOCATOR, (double)operations * thread_count / seconds / 1e6, status_kib("VmHWM:"),
           status_kib("VmRSS:"));
    return 0;
}
