/* Small scale: 1,000 slots; each operation picks one at random and frees its block, or gives it one
 * of 8 bytes to 1 MB, each doubling as likely as any other, and writes its first and last byte. An
 * iteration is 20,000 operations. For allocators that are preloaded. Prints one line of JSON. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure.h"

#define SLOTS      1000
#define OPERATIONS 20000
#define LEAST      8
#define DOUBLINGS  17 /* from 8 bytes to 1 MB */

static size_t any_size(uint32_t *state)
{
    size_t least = (size_t)LEAST << next_random(state) % DOUBLINGS;
    return least + next_random(state) % least;
}

int main(int argc, char **argv)
{
    static char *slots[SLOTS];
    if (argc != 3) {
        fprintf(stderr, "usage: %s SEED ITERATIONS\n", argv[0]);
        return 2;
    }
    uint32_t random = ((uint32_t)atoi(argv[1]) * 2654435761u) | 1;
    uint64_t operations = (uint64_t)atoi(argv[2]) * OPERATIONS;
    double begin = now();
    for (uint64_t i = 0; i < operations; i++) {
        char **slot = &slots[next_random(&random) % SLOTS];
        if (*slot) {
            free(*slot);
            *slot = NULL;
            continue;
        }
        size_t size = any_size(&random);
        *slot = malloc(size);
        if (!*slot) return 3;
        (*slot)[0] = (*slot)[size - 1] = 1;
    }
    double seconds = now() - begin;
    printf("{\"mops\": %.3f, \"peak_rss_kib\": %ld}\n", (double)operations / seconds / 1e6,
           status_kib("VmHWM:"));
    return 0;
}
