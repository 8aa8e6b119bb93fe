/* What the programs of the suites share: random numbers, and what they measure. */
#ifndef HAK_BENCH_MEASURE_H
#define HAK_BENCH_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint32_t next_random(uint32_t *state) /* xorshift, G. Marsaglia, 2003 */
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* A field of /proc/self/status in KiB: ru_maxrss would show what exec inherited. */
static inline long status_kib(const char *field)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, field, strlen(field)) == 0) kib = atol(line + strlen(field));
    }
    if (status) fclose(status);
    return kib;
}

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
