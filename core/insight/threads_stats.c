/* Statistics of the heaps of threads. */
#include "heap/heap.h"
#include "insight/fields.h"
#include "threads/threads.h"

#define FIELD(name, unit, help) HAK_STATS_FIELD(hak_threads_stats, name, unit, help)

const hak_stats_field *hak_threads_stats_fields(size_t *count)
{
    static const hak_stats_field fields[] = {
        FIELD(threads, "threads", "Threads that have a heap."),
        FIELD(heaps, "heaps", "Heaps of threads, with those that ended threads have left."),
        FIELD(live_bytes, "bytes", "Bytes of live blocks, with what waits to be taken in."),
        FIELD(live_blocks, "blocks", "Live blocks, with those that wait to be taken in."),
        FIELD(footprint, "bytes", "Bytes of pages of these heaps."),
        FIELD(footprint_peak, "bytes", "The sum of each heap's most bytes so far."),
        FIELD(retained, "bytes", "Of these, bytes of pages without a block."),
        FIELD(remote_frees, "events", "Blocks freed by a thread that did not allocate them."),
    };
    *count = sizeof fields / sizeof *fields;
    return fields;
}

static void add(void *context, hak_thread_heap *heap)
{
    hak_threads_stats *sums = context;
    hak_stats of;
    hak_heap_stats(heap->heap, &of);
    sums->heaps++;
    sums->threads += heap->owner != NULL;
    sums->live_blocks += of.live_blocks;
    sums->live_bytes += of.live_bytes;
    sums->footprint += of.footprint;
    sums->footprint_peak += of.footprint_peak;
    sums->retained += of.retained;
    sums->remote_frees += heap->remote_frees;
}

void hak_threads_stats_read(hak_threads_stats *stats)
{
    *stats = (hak_threads_stats){0};
    hak__threads_each(add, stats);
}
