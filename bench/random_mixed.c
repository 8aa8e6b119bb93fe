/* Random Mixed: a working set of slots; each operation picks one at random and frees its block, or
 * gives it one of 16 to 1,024 bytes, uniformly, and writes the first byte. The predecessor of this
 * project and its peers were measured with this loop.
 *
 * One source, compiled once for each allocator (-DALLOCATOR="name", and HAKMEM, NULL_FLOOR or, for
 * the peers, nothing: they are linked in place of malloc). Prints one line of JSON, hakmem also
 * which build it is and in which profile it ran.
 *
 * The floor is the same loop with, in place of an allocator, a cache line that belongs to the
 * slot. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure.h"

#if defined(HAKMEM)

#define OBSERVATIONS " [--observations FILE]"

#include "hakmem.h"
typedef hak_heap *source;
#define ALLOCATE(from, slot, size) hak_heap_alloc(from, size)
#define RELEASE(from, block)       hak_heap_free(from, block)

static source source_new(uint32_t slots)
{
    (void)slots;
    return hak_heap_new(&(hak_heap_options){.name = "random-mixed"});
}

static uint64_t os_calls(source from)
{
    static hak_stats stats;
    hak_heap_stats(from, &stats);
    return stats.os.total;
}

/* With a library built to observe (-DHAK_OBSERVE): what it has seen, as JSON. */
static int write_observations(source from, const char *path)
{
    size_t size = hak_heap_observations_json(from, NULL, 0) + 1;
    char *text = malloc(size);
    FILE *file = fopen(path, "w");
    if (size == 1) fprintf(stderr, "--observations: this library was not built to observe\n");
    if (!file) perror(path);
    if (size == 1 || !text || !file) return 1;
    hak_heap_observations_json(from, text, size);
    int failed = fputs(text, file) < 0;
    return fclose(file) != 0 || failed;
}

#elif defined(NULL_FLOOR)

typedef char *source;
#define ALLOCATE(from, slot, size) line_of(from, slot, size)
#define RELEASE(from, block)       __asm__ volatile("" : : "r"(block))

static inline void *line_of(source from, uint32_t slot, size_t size)
{
    __asm__ volatile("" : : "r"(size)); /* the size is computed here too */
    return from + (size_t)slot * 64;
}

static source source_new(uint32_t slots)
{
    return aligned_alloc(64, (size_t)slots * 64);
}

#else

typedef int source;
#define ALLOCATE(from, slot, size) malloc(size)
#define RELEASE(from, block)       free(block)

static source source_new(uint32_t slots)
{
    return (int)slots;
}

#endif

#ifndef OBSERVATIONS
#define OBSERVATIONS ""
#endif

__attribute__((noinline)) static uint32_t run(source from, void **slots, uint32_t count,
                                              uint64_t operations, uint32_t random)
{
    (void)from;
    for (uint64_t i = 0; i < operations; i++) {
        uint32_t r = next_random(&random);
        uint32_t slot = (uint32_t)((uint64_t)r * count >> 32);
        void *block = slots[slot];
        if (block) {
            slots[slot] = NULL; /* first: behind the call, compilers join it with the other store */
            RELEASE(from, block);
        } else {
            size_t size = 16 + ((r & 0xffff) * 1009 >> 16);
            block = ALLOCATE(from, slot, size);
            if (!block) exit(3);
            *(unsigned char *)block = (unsigned char)r;
            slots[slot] = block;
        }
    }
    return random;
}

int main(int argc, char **argv)
{
    uint32_t count = 400, seed = 1;
    uint64_t operations = 20000000;
#ifdef HAKMEM
    const char *observations = NULL;
#endif
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--ws") == 0) count = (uint32_t)value;
        else if (strcmp(argv[i], "--ops") == 0) operations = value;
        else if (strcmp(argv[i], "--seed") == 0) seed = (uint32_t)value;
#ifdef HAKMEM
        else if (strcmp(argv[i], "--observations") == 0) observations = argv[i + 1];
#endif
        else argc = 0;
    }
    if (argc % 2 == 0 || count == 0) {
        fprintf(stderr, "usage: %s [--ws SLOTS] [--ops OPERATIONS] [--seed N]%s\n", argv[0],
                OBSERVATIONS);
        return 2;
    }
    void **slots = calloc(count, sizeof *slots);
    source from = source_new(count);
    uint32_t random = (seed * 2654435761u) | 1;

    uint64_t warm_up = operations / 10 + 10 * (uint64_t)count;
    random = run(from, slots, count, warm_up, random);
#ifdef HAKMEM
    uint64_t calls = os_calls(from);
#endif
    double begin = now();
    random = run(from, slots, count, operations, random);
    double seconds = now() - begin;

    printf("{\"allocator\": \"%s\", \"mops\": %.2f, \"peak_rss_kib\": %ld, \"end_rss_kib\": %ld",
           ALLOCATOR, (double)operations / seconds / 1e6, status_kib("VmHWM:"),
           status_kib("VmRSS:"));
#ifdef HAKMEM
    printf(", \"os_calls\": %" PRIu64 ", \"os_calls_warm\": %" PRIu64, os_calls(from),
           os_calls(from) - calls);
    printf(", \"build\": \"%s\", \"profile\": \"%s\"", hak_build(), hak_heap_profile(from));
#endif
    printf("}\n");
#ifdef HAKMEM
    if (observations && write_observations(from, observations)) return 1;
#endif
    return random == 0; /* never: it keeps the generator */
}
