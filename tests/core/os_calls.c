/* What os_calls.sh counts under strace: with an argument, a heap is put to work in all the ways
 * that make system calls, and the counts of the statistics are printed; without, nothing is done.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hakmem.h"

#define COUNT 3000

static void *blocks[COUNT];

static void work(hak_heap *heap)
{
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = 1 + i * 7919 % (i % 50 ? 3000 : 300000);
            blocks[i] = hak_heap_alloc(heap, size);
            if (blocks[i]) memset(blocks[i], 1, size);
        }
        char *growing = NULL;
        for (size_t size = 1000; size < (size_t)64 << 20; size *= 2) {
            char *other = hak_heap_realloc(heap, growing, size);
            if (!other) break;
            growing = other;
            growing[size - 1] = 1;
            hak_heap_free(heap, hak_heap_zalloc(heap, 1, size / 3 + 1));
        }
        hak_heap_free(heap, growing);
        hak_heap_prewarm(heap, 1 << 20);
        for (size_t i = 0; i < COUNT; i++) hak_heap_free(heap, blocks[i]);
        hak_heap_trim(heap);
    }
}

int main(int argc, char **argv)
{
    hak_process_stats stats = {0};
    (void)argv;
    if (argc > 1) {
        for (size_t i = 0; i < 3; i++) {
            hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = i ? "lean" : "speed"});
            work(heap);
            hak_heap_destroy(heap);
        }
        hak_process_stats_read(&stats);
    }
    printf("mmap %" PRIu64 "\nmadvise %" PRIu64 "\nmremap %" PRIu64 "\nmunmap %" PRIu64 "\n",
           stats.os.mmap, stats.os.madvise, stats.os.mremap, stats.os.munmap);
    return 0;
}
