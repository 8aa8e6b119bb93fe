/* Statistics of the process, gathered from all rooms. */
#include "heap/heap.h"
#include "insight/fields.h"
#include "os/os.h"
#include "pages/pages.h"

#define FIELD(name, unit, help) HAK_STATS_FIELD(hak_process_stats, name, unit, help)

const hak_stats_field *hak_process_stats_fields(size_t *count)
{
    static const hak_stats_field fields[] = {
        FIELD(heaps, "heaps", "Heaps, but for those on a caller's memory."),
        FIELD(footprint, "bytes", "Bytes of pages of all heaps."),
        FIELD(retained, "bytes", "Of these, bytes of pages without a block."),
        FIELD(pooled, "bytes", "Bytes that destroyed heaps have left for new ones."),
        FIELD(committed, "bytes", "Bytes of address space that are mapped for blocks."),
        FIELD(reserved, "bytes", "The same with the records."),
        FIELD(resident, "bytes", "Bytes of the whole process, its other memory too."),
        FIELD(page_faults, "events", "Page faults of the whole process that needed no disk."),
        FIELD(major_faults, "events", "Page faults of the whole process that needed one."),
        FIELD(superslabs_taken, "events", "Superslabs taken by heaps."),
        FIELD(superslabs_given, "events", "Superslabs that heaps gave back."),
        FIELD(huge_blocks_taken, "events", "Huge blocks given address space."),
        FIELD(huge_blocks_refused, "events", "Huge blocks refused for want of it."),
        FIELD(spill_regions, "events", "Regions made beside the large one."),
        FIELD(madvise_enomem, "events", "Calls of madvise refused for want of memory."),
        FIELD(madvise_other, "events", "Calls of madvise refused for other reasons."),
        FIELD(madvise_disabled, "events",
              "Calls of madvise not made, since they would have reached memory of others."),
    };
    *count = sizeof fields / sizeof *fields;
    return fields;
}

void hak_process_stats_read(hak_process_stats *stats)
{
    /* One hold of the lock for both: a heap that is destroyed meanwhile must not count twice, as a
     * heap and as pooled bytes. */
    hak__region_lock();
    hak_heaps_sums heaps = hak__heaps_sums();
    hak_pages_counts counts = hak__counts();
    hak__region_unlock();
    hak_advice_refused refused = hak__os_advice_refused();
    hak_os_usage usage = hak__os_usage();
    *stats = (hak_process_stats){
        .heaps = heaps.heaps,
        .footprint = heaps.footprint,
        .retained = heaps.retained,
        .pooled = counts.supply.pooled,
        .committed = counts.region.committed,
        .reserved = counts.region.reserved,
        .resident = usage.resident,
        .page_faults = usage.page_faults,
        .major_faults = usage.major_faults,
        .superslabs_taken = counts.supply.superslabs_taken,
        .superslabs_given = counts.supply.superslabs_given,
        .huge_blocks_taken = counts.huge.taken,
        .huge_blocks_refused = counts.huge.refused,
        .spill_regions = counts.region.spill_regions,
        .madvise_enomem = refused.enomem,
        .madvise_other = refused.other,
        .madvise_disabled = counts.region.purges_elsewhere,
    };
    hak__os_calls(&stats->os);
}
