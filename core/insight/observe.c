#include "insight/observe.h"

#include <errno.h>
#include <string.h>

#include "heap/heap.h"
#include "os/os.h"
#include "policy/policy.h"

/* ------------------------------------------------------------------ beginning and ending */

#define OWN_MEMORY ((sizeof(hak_observer) + HAK_PAGE - 1) & ~(HAK_PAGE - 1))

size_t hak__observe_memory(const hak_observer *observer)
{
    return OWN_MEMORY + hak__births_memory(&observer->births) + hak__trace_memory(&observer->trace);
}

/* Called before the heap is destroyed: destroys the observer. */
static void drop(hak_heap *heap)
{
    hak_observer *observer = hak__observer_of(heap);
    heap->destroy_hook = NULL;
    hak__births_drop(&observer->births);
    hak__trace_drop(&observer->trace);
    hak__os_unmap(observer, OWN_MEMORY);
}

static size_t live_blocks(const hak_heap *heap)
{
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    return stats.live_blocks;
}

/* The last snapshot stays: it may be in use. */
static void clear(hak_observer *observer)
{
    hak__births_drop(&observer->births);
    hak__trace_drop(&observer->trace);
    memset(&observer->counts, 0, sizeof observer->counts);
    memset(observer->sizes, 0, sizeof observer->sizes);
    memset(observer->sizes_by_class, 0, sizeof observer->sizes_by_class);
    memset(observer->sizes_by_power, 0, sizeof observer->sizes_by_power);
}

bool hak__observe_begin(hak_heap *heap)
{
    HAK_GUARDED(heap);
    if (hak__observing(heap)) return true;
    hak_observer *observer = hak__observer_of(heap);
    if (observer) clear(observer);
    else observer = hak__os_map(OWN_MEMORY);
    if (!observer) {
        errno = ENOMEM;
        return false;
    }
    observer->destroy_hook.run = drop;
    heap->destroy_hook = &observer->destroy_hook;
    hak__trace_open(&observer->trace, hak__options_trace());
    observer->counts.born_before = live_blocks(heap);
    observer->on = true;
    return true;
}

void hak__observe_end(hak_heap *heap)
{
    HAK_GUARDED(heap);
    if (hak__observer_of(heap)) hak__observer_of(heap)->on = false;
}

/* ------------------------------------------------------------------ counting */

static unsigned slot_of(const hak_heap *heap, size_t size)
{
    return size <= HAK_MEDIUM_MAX ? hak__heap_class_of(heap, size) : 0;
}

/* The slot of a block that can hold `size` bytes. */
static unsigned slot_holding(const hak_heap *heap, size_t size)
{
    return size <= HAK_MEDIUM_MAX ? hak__heap_class_within(heap, size) : 0;
}

static void count_size(const hak_heap *heap, size_t size)
{
    hak_observer *observer = hak__observer_of(heap);
    if (size <= HAK_SMALL_MAX) observer->sizes[(size + 7) / 8]++;
    else if (size <= HAK_MEDIUM_MAX) observer->sizes_by_class[slot_of(heap, size)]++;
    else observer->sizes_by_power[hak__power_of(size)]++;
}

static void trace(hak_observer *observer, hak_event event)
{
    hak__trace_add(&observer->trace, event);
}

/* Notes a live block: born by operation `born`, which is the current one unless it was resized. */
static void note_birth(hak_observer *observer, const void *block, uint64_t born, size_t size,
                       unsigned slot)
{
    hak_birth *stale = hak__births_find(&observer->births, block);
    if (stale) {
        observer->counts.freed_unseen++;
        observer->counts.class_observations[stale->slot].live--;
        hak__births_remove(&observer->births, stale);
    }
    hak_birth birth = {.block = (uintptr_t)block, .when = born, .size = size, .slot = slot};
    if (hak__births_add(&observer->births, birth)) observer->counts.class_observations[slot].live++;
    else observer->counts.unnoted++;
}

/* Counts a block of `slot` that was handed out. */
static void note_request(hak_heap *heap, hak_observer *observer, const hak_probe *before,
                         size_t usable, unsigned slot)
{
    hak_observations *counts = &observer->counts;
    hak_class_observations *class = &counts->class_observations[slot];
    size_t refills = heap->refills - before->refills;
    class->requests++;
    class->hits += before->hit;
    class->misses += !before->hit;
    class->refills += refills;
    class->bytes_requested += before->size;
    class->bytes_given += usable;
}

static hak_event_how how(const hak_probe *before)
{
    return before->hit ? HAK_HOW_HIT : HAK_HOW_MISS;
}

static void note_alloc(hak_heap *heap, const hak_probe *before, const void *block, size_t usable)
{
    hak_observer *observer = hak__observer_of(heap);
    hak_observations *counts = &observer->counts;
    unsigned slot = slot_holding(heap, usable);
    uint64_t now = ++counts->operations;
    counts->allocations++;
    count_size(heap, before->size);
    note_request(heap, observer, before, usable, slot);
    note_birth(observer, block, now, before->size, slot);
    trace(observer,
          (hak_event){
              .block = now, .size = before->size, .kind = HAK_EVENT_ALLOC, .how = how(before)});
}

/* The birth of a block. If it is unknown: `when` 0 and the size that the block can hold. */
static hak_birth birth_of(const hak_heap *heap, const void *block, size_t had)
{
    const hak_birth *birth = hak__births_find(&hak__observer_of(heap)->births, block);
    return birth ? *birth : (hak_birth){.size = had, .slot = slot_holding(heap, had)};
}

static void forget(hak_observer *observer, const void *block)
{
    hak_birth *birth = hak__births_find(&observer->births, block);
    if (!birth) return;
    observer->counts.class_observations[birth->slot].live--;
    hak__births_remove(&observer->births, birth);
}

static void note_free(hak_heap *heap, const void *block, size_t had)
{
    hak_observer *observer = hak__observer_of(heap);
    hak_observations *counts = &observer->counts;
    hak_birth birth = birth_of(heap, block, had);
    hak_class_observations *class = &counts->class_observations[birth.slot];
    uint64_t now = ++counts->operations;
    counts->frees++;
    class->frees++;
    if (birth.when) {
        unsigned power = hak__power_of(now - birth.when);
        counts->lifetimes[power]++;
        class->lifetimes[power]++;
        forget(observer, block);
    } else {
        counts->freed_unknown++;
    }
    trace(observer, (hak_event){.block = birth.when,
                                .old_size = birth.size,
                                .kind = HAK_EVENT_FREE,
                                .how = HAK_HOW_NONE});
}

/* A resized block keeps its birth. */
static void note_resize(hak_heap *heap, const hak_probe *before, const void *result, size_t usable)
{
    hak_observer *observer = hak__observer_of(heap);
    hak_observations *counts = &observer->counts;
    hak_birth birth = birth_of(heap, before->block, before->had);
    unsigned slot = slot_holding(heap, usable);
    bool moved = result != before->block;
    counts->operations++;
    count_size(heap, before->size);
    if (moved) {
        counts->resizes_moved++;
        counts->class_observations[birth.slot].frees++;
        note_request(heap, observer, before, usable, slot);
    } else {
        counts->resizes_in_place++;
        counts->class_observations[slot].resizes_in_place++;
    }
    if (birth.when) {
        forget(observer, before->block);
        note_birth(observer, result, birth.when, before->size, slot);
    }
    trace(observer, (hak_event){.block = birth.when,
                                .size = before->size,
                                .old_size = birth.size,
                                .kind = HAK_EVENT_RESIZE,
                                .how = moved ? how(before) : HAK_HOW_IN_PLACE});
}

static void note_refusal(hak_heap *heap, const hak_probe *before)
{
    hak_observer *observer = hak__observer_of(heap);
    hak_observations *counts = &observer->counts;
    hak_birth birth = {0};
    if (before->block) birth = birth_of(heap, before->block, before->had);
    counts->operations++;
    counts->refusals++;
    count_size(heap, before->size);
    counts->class_observations[slot_of(heap, before->size)].refusals++;
    trace(observer, (hak_event){.block = birth.when,
                                .size = before->size,
                                .old_size = birth.size,
                                .kind = before->block ? HAK_EVENT_RESIZE : HAK_EVENT_ALLOC,
                                .how = HAK_HOW_REFUSED});
}

/* ------------------------------------------------------------------ operations */

bool hak__observe_hit(const hak_heap *heap, unsigned kind, unsigned index)
{
    return hak__heap_current(heap, hak__class_in(heap, kind, index))->free != NULL;
}

hak_probe hak__observe_before(hak_heap *heap, void *block, unsigned kind, size_t size)
{
    HAK_GUARDED(heap);
    if (block && hak__heap_keeps_kinds(heap)) kind = hak__heap_block_kind(heap, block);
    return (hak_probe){
        .block = block,
        .size = size,
        .had = block ? hak__heap_block_size(heap, block) : 0,
        .refills = heap->refills,
        .hit = size <= HAK_MEDIUM_MAX && hak__observe_hit(heap, kind, slot_of(heap, size)),
    };
}

/* Operations that an adapter passes to a previous allocator are not the heap's: they
 * count as foreign. */
void hak__observe_after(hak_heap *heap, const hak_probe *before, const void *result)
{
    HAK_GUARDED(heap);
    if (!hak__observing(heap)) return;
    size_t usable = result ? hak__heap_block_size(heap, result) : 0;
    bool resizes = before->had > 0, foreign = before->block && !resizes;
    if (usable && resizes) note_resize(heap, before, result, usable);
    else if (usable) note_alloc(heap, before, result, usable);
    else if (foreign || (result && !resizes)) hak__observer_of(heap)->counts.foreign++;
    else if (result) note_free(heap, before->block, before->had);
    else note_refusal(heap, before);
}

void hak__observe_free(hak_heap *heap, const void *block)
{
    HAK_GUARDED(heap);
    if (!hak__observing(heap)) return;
    size_t had = hak__heap_block_size(heap, block);
    if (had) note_free(heap, block, had);
    else hak__observer_of(heap)->counts.foreign++;
}

/* ------------------------------------------------------------------ for programs */

bool hak_heap_observe(hak_heap *heap, bool on)
{
    HAK_GUARDED(heap);
    hak__heap_check_now_and_then(heap);
    if (on && !HAK_OBSERVE_BUILD) {
        errno = ENOTSUP;
        return false;
    }
    if (on) return hak__observe_begin(heap);
    hak__observe_end(heap);
    return true;
}

bool hak_heap_observing(const hak_heap *heap)
{
    HAK_GUARDED(heap);
    return hak__observing(heap);
}

bool hak_heap_trace(const hak_heap *heap, const char *path)
{
    HAK_GUARDED(heap);
    if (hak__observer_of(heap)) return hak__trace_write(&hak__observer_of(heap)->trace, path);
    errno = ENODATA;
    return false;
}
