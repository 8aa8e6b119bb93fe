#include "heap/heaps.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/os.h"
#include "pages/pages.h"
#include "policy/policy.h"

static hak_heap *heaps; /* under the region's lock */

/* The line that is asked for by HAKMEM_SS_OS_STATS, with the names it has always had. */
static void tell_os_calls(void)
{
    hak_process_stats stats;
    char line[320];
    hak_process_stats_read(&stats);
    int n = snprintf(line, sizeof line,
                     "[SS_OS_STATS] alloc=%zu free=%zu madvise=%zu madvise_enomem=%zu "
                     "madvise_other=%zu madvise_disabled=%zu mmap_total=%zu fallback_mmap=%zu "
                     "huge_alloc=%zu huge_fail=%zu\n",
                     stats.superslabs_taken, stats.superslabs_given, (size_t)stats.os.madvise,
                     stats.madvise_enomem, stats.madvise_other, stats.madvise_disabled,
                     (size_t)stats.os.mmap, stats.spill_regions, stats.huge_blocks_taken,
                     stats.huge_blocks_refused);
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) return; /* nobody listens */
}

void hak__heaps_add(hak_heap *heap)
{
    static bool asked;
    bool telling = hak__options_os_stats();
    hak__region_lock();
    heap->previous_heap = NULL;
    heap->next_heap = heaps;
    if (heaps) heaps->previous_heap = heap;
    heaps = heap;
    bool first = !asked;
    asked = true;
    hak__region_unlock();
    if (telling && first) atexit(tell_os_calls);
}

void hak__heaps_remove(hak_heap *heap)
{
    hak__region_lock();
    if (heap->previous_heap) heap->previous_heap->next_heap = heap->next_heap;
    else heaps = heap->next_heap;
    if (heap->next_heap) heap->next_heap->previous_heap = heap->previous_heap;
    hak__region_unlock();
}

void hak_process_stats_read(hak_process_stats *stats)
{
    *stats = (hak_process_stats){0};
    hak__region_lock();
    for (hak_heap *heap = heaps; heap; heap = heap->next_heap) {
        stats->heaps++;
        stats->footprint += __atomic_load_n(&heap->pages.footprint, __ATOMIC_RELAXED);
        stats->retained += __atomic_load_n(&heap->pages.retained, __ATOMIC_RELAXED);
    }
    hak__supply_count(stats);
    hak__hugespace_count(stats);
    hak__region_count(stats);
    hak__region_unlock();
    hak_advice_refused refused = hak__os_advice_refused();
    hak_os_usage usage = hak__os_usage();
    hak__os_calls(&stats->os);
    stats->madvise_enomem = refused.enomem;
    stats->madvise_other = refused.other;
    stats->resident = usage.resident;
    stats->page_faults = usage.page_faults;
    stats->major_faults = usage.major_faults;
}
