/* What takes a whole heap: how long it takes, and how much it gives back.
 *
 *     whole_heap snapshot [MIB]
 *         statistics of a heap with so many MiB (1024) of blocks of 64 bytes
 *     whole_heap switch [MIB]
 *         from `speed` to `lean` with so many (500) retained
 *
 * Prints one line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hakmem.h"

#define BLOCK ((size_t)64)

static hak_stats stats;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Links `count` new blocks, so that they need no other memory. */
static void *fill(hak_heap *heap, size_t count)
{
    void *all = NULL;
    while (count-- > 0) {
        void **block = hak_heap_alloc(heap, BLOCK);
        if (!block) exit(3);
        *block = all;
        all = block;
    }
    return all;
}

static void empty(hak_heap *heap, void *all)
{
    while (all) {
        void *next = *(void **)all;
        hak_heap_free(heap, all);
        all = next;
    }
}

static int snapshot(size_t mib)
{
    hak_heap *heap = hak_heap_new(NULL);
    fill(heap, (mib << 20) / BLOCK);
    double begin = now_ms();
    hak_heap_stats(heap, &stats);
    printf("{\"ms\": %.3f, \"live_mib\": %zu}\n", now_ms() - begin, stats.live_bytes >> 20);
    return 0;
}

/* What `speed` retains is bounded; here it is told to keep all. */
static int switch_profile(size_t mib)
{
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.profile = "speed", .settings = "retain_least=1g retain_busy=1g"});
    empty(heap, fill(heap, (mib << 20) / BLOCK));
    hak_heap_stats(heap, &stats);
    size_t retained = stats.retained;
    double begin = now_ms();
    if (!hak_heap_set_profile(heap, "lean")) return 3;
    double took = now_ms() - begin;
    hak_heap_stats(heap, &stats);
    printf("{\"ms\": %.3f, \"retained_mib\": %zu, \"given_percent\": %.2f}\n", took, retained >> 20,
           (double)(retained - stats.retained) / (double)retained * 100);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    size_t mib = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    if (strcmp(what, "snapshot") == 0) return snapshot(mib ? mib : 1024);
    if (strcmp(what, "switch") == 0) return switch_profile(mib ? mib : 500);
    fprintf(stderr, "usage: %s snapshot|switch [MIB]\n", argv[0]);
    return 2;
}
