/* Snapshots of an observer's counts, and the names of their fields. */
#include <string.h>

#include "insight/fields.h"
#include "insight/observe.h"

#define FIELD(name, unit, help) HAK_STATS_FIELD(hak_observations, name, unit, help)

const hak_stats_field *hak_observations_fields(size_t *count)
{
    static const hak_stats_field fields[] = {
        FIELD(operations, "events", "Allocations, frees and resizes, and those refused."),
        FIELD(allocations, "events", "Blocks allocated."),
        FIELD(frees, "events", "Blocks freed."),
        FIELD(resizes_in_place, "events", "Resizes of blocks that stayed where they were."),
        FIELD(resizes_moved, "events", "Resizes that moved the block."),
        FIELD(refusals, "events", "Allocations and resizes refused."),
        FIELD(hits, "events", "Blocks handed out that lay ready in the bin."),
        FIELD(misses, "events", "Blocks handed out that took the slow way."),
        FIELD(refills, "events", "Slabs or pages that misses gave a bin."),
        FIELD(bytes_requested, "bytes", "Bytes asked for, of the blocks handed out."),
        FIELD(bytes_given, "bytes", "Bytes that these blocks can hold."),
        FIELD(live_blocks, "blocks", "Noted blocks that live."),
        FIELD(born_before, "blocks", "Blocks that lived when observing began."),
        FIELD(unnoted, "blocks", "Blocks whose birth was not noted, for want of memory."),
        FIELD(freed_unknown, "blocks", "Blocks freed whose birth is unknown."),
        FIELD(freed_unseen, "blocks", "Noted blocks freed by calls that do not observe."),
        FIELD(foreign, "events", "Calls passed to the allocator from before."),
        FIELD(traced, "events", "Events in the trace."),
        FIELD(memory, "bytes", "Bytes that the observer takes, beside the heap."),
    };
    *count = sizeof fields / sizeof *fields;
    return fields;
}

#undef FIELD
#define FIELD(name, unit, help) HAK_STATS_FIELD(hak_class_observations, name, unit, help)

const hak_stats_field *hak_class_observations_fields(size_t *count)
{
    static const hak_stats_field fields[] = {
        FIELD(block_size, "bytes", "The size of the blocks; 0: large blocks, above 16 KiB."),
        FIELD(requests, "events", "Blocks handed out."),
        FIELD(hits, "events", "Of these, blocks that lay ready in the bin."),
        FIELD(misses, "events", "Of these, blocks that took the slow way."),
        FIELD(refills, "events", "Slabs or pages that misses gave the bin."),
        FIELD(refusals, "events", "Requests of such a size that were refused."),
        FIELD(bytes_requested, "bytes", "Bytes asked for, of the blocks handed out."),
        FIELD(bytes_given, "bytes", "Bytes that these blocks can hold."),
        FIELD(resizes_in_place, "events", "Resizes of blocks that stayed where they were."),
        FIELD(frees, "events", "Blocks freed, or moved from by a resize."),
        FIELD(live, "blocks", "Noted blocks that live."),
    };
    *count = sizeof fields / sizeof *fields;
    return fields;
}

static bool has_any(const hak_class_observations *class)
{
    return class->requests || class->refusals || class->resizes_in_place || class->frees;
}

static void add_class(hak_observations *snapshot, const hak_class_observations *class, size_t size)
{
    snapshot->hits += class->hits;
    snapshot->misses += class->misses;
    snapshot->refills += class->refills;
    snapshot->bytes_requested += class->bytes_requested;
    snapshot->bytes_given += class->bytes_given;
    if (!has_any(class)) return;
    snapshot->class_observations[snapshot->classes] = *class;
    snapshot->class_observations[snapshot->classes++].block_size = size;
}

static void add_range(hak_observations *snapshot, uint64_t from, uint64_t to, size_t count)
{
    if (count) snapshot->sizes[snapshot->size_ranges++] = (hak_range){from, to, count};
}

static void list_sizes(const hak_heap *heap, hak_observations *snapshot)
{
    const hak_observer *observer = hak__observer_of(heap);
    for (size_t i = 0; i <= HAK_SMALL_MAX / 8; i++) {
        add_range(snapshot, i ? 8 * i - 7 : 0, 8 * i, observer->sizes[i]);
    }
    unsigned index = hak__heap_class_of(heap, HAK_SMALL_MAX) + 1;
    for (size_t below = HAK_SMALL_MAX; index <= hak__heap_last_class(heap); index++) {
        size_t size = hak__heap_class_size(heap, index);
        add_range(snapshot, below + 1, size, observer->sizes_by_class[index]);
        below = size;
    }
    for (unsigned power = 0; power < HAK_POWERS; power++) {
        uint64_t from = hak__power_from(power);
        if (from <= HAK_MEDIUM_MAX) from = HAK_MEDIUM_MAX + 1;
        add_range(snapshot, from, hak__power_to(power), observer->sizes_by_power[power]);
    }
}

static void count_ages(const hak_births *births, hak_observations *snapshot)
{
    for (size_t i = 0; i < births->capacity; i++) {
        const hak_birth *birth = &births->table[i];
        if (birth->block) snapshot->ages[hak__power_of(snapshot->operations - birth->when)]++;
    }
}

const hak_observations *hak_heap_observations(hak_heap *heap)
{
    HAK_GUARDED(heap);
    hak_observer *observer = hak__observer_of(heap);
    if (!observer) return NULL;
    hak_observations *snapshot = &observer->snapshot;
    const hak_class_observations *slots = observer->counts.class_observations;
    *snapshot = observer->counts;
    memset(snapshot->class_observations, 0, sizeof snapshot->class_observations);
    snapshot->observing = observer->on;
    snapshot->live_blocks = observer->births.count;
    snapshot->traced = hak__trace_length(&observer->trace);
    snapshot->memory = hak__observe_memory(observer);
    for (unsigned index = 1; index <= hak__heap_last_class(heap); index++) {
        size_t size = hak__heap_class_size(heap, index);
        add_class(snapshot, &slots[index], size);
    }
    add_class(snapshot, &slots[0], 0);
    list_sizes(heap, snapshot);
    count_ages(&observer->births, snapshot);
    return snapshot;
}
