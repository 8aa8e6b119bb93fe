#include "units.h"

#include "hugespace.h"
#include "os.h"
#include "supply.h"

#define AHEAD_FROM ((size_t)32 << 20) /* no heap below that touches ahead */

#define LOOK_AT 16 /* superslabs, for a run of several units */

/* ------------------------------------------------------------------ accounts */

/* The footprint the heap may have now. */
static size_t allowance(const hak_heap *heap)
{
    if (heap->grace == 0) return heap->limit - heap->held_back;
    return heap->grace > SIZE_MAX - heap->limit ? SIZE_MAX : heap->limit + heap->grace;
}

bool hak__may_charge(const hak_heap *heap, size_t bytes)
{
    size_t most = allowance(heap);
    return bytes == 0 || (heap->footprint <= most && bytes <= most - heap->footprint);
}

bool hak__charge(hak_heap *heap, size_t bytes)
{
    if (!hak__may_charge(heap, bytes)) return false;
    heap->footprint += bytes;
    if (heap->footprint > heap->footprint_peak) heap->footprint_peak = heap->footprint;
    if (heap->footprint > heap->limit && heap->footprint - heap->limit > heap->grace_used) {
        heap->grace_used = heap->footprint - heap->limit;
    }
    size_t in_use = heap->footprint - heap->retained;
    if (in_use > heap->recent_peak) heap->recent_peak = in_use;
    if (in_use > heap->peak_in_use) heap->peak_in_use = in_use;
    return true;
}

void hak__discharge(hak_heap *heap, size_t bytes)
{
    HAK_ASSERT(bytes <= heap->footprint);
    heap->footprint -= bytes;
}

/* How many of the first `end` bytes of a run lie in its unit number `i`. */
static size_t part_in_unit(size_t end, size_t i, size_t unit_size)
{
    size_t begin = i * unit_size;
    if (end <= begin) return 0;
    return end - begin < unit_size ? end - begin : unit_size;
}

/* How many of the first `end` bytes of a run have been touched. */
static size_t touched_before(const hak_heap *heap, const hak_slab *run, size_t end)
{
    size_t unit_size = hak__heap_unit_size(heap);
    size_t bytes = 0;
    for (size_t i = 0; i < run->units; i++) {
        size_t part = part_in_unit(end, i, unit_size);
        bytes += part < run[i].touched ? part : run[i].touched;
    }
    return bytes;
}

static void set_dirty(hak_region *region, size_t unit)
{
    region->supers[unit / HAK_SUPERSLAB_UNITS].dirty |= (uint64_t)1 << (unit % HAK_SUPERSLAB_UNITS);
}

size_t hak__units_untouched(const hak_heap *heap, const hak_slab *run, size_t begin, size_t end)
{
    size_t touched = touched_before(heap, run, end) - touched_before(heap, run, begin);
    return end - begin - touched;
}

/* A heap that grows touches some of what it is about to carve, by one call. */
static void touch_ahead(hak_heap *heap, hak_slab *run, size_t end)
{
    size_t unit_size = hak__heap_unit_size(heap), ahead = hak__policy(heap)->ahead;
    if (run->kind != HAK_SLAB_CURRENT || run->units > 1 || heap->footprint < AHEAD_FROM) return;
    if (ahead > unit_size - end) ahead = unit_size - end;
    if (ahead == 0 || run->touched > end || !hak__may_charge(heap, ahead)) return;
    if (!hak__os_touch(run->start + end, ahead)) return;
    run->touched = (uint32_t)(end + ahead);
    heap->retained += ahead;
    hak__charge(heap, ahead);
}

bool hak__units_use(hak_heap *heap, hak_slab *run, size_t begin, size_t end)
{
    HAK_ASSERT(begin <= end && begin % HAK_PAGE == 0 && end % HAK_PAGE == 0);
    size_t more = hak__units_untouched(heap, run, begin, end);
    if (!hak__may_charge(heap, more)) return false;
    heap->retained -= end - begin - more;
    hak__charge(heap, more);
    if (more == 0) return true;
    if (run->kind == HAK_UNIT_NEST && !heap->region) {
        run->touched = (uint32_t)end;
        return true;
    }
    hak_region *region = hak__region_of_run(heap, run);
    size_t unit_size = hak__heap_unit_size(heap);
    for (size_t i = begin / unit_size; i < run->units; i++) {
        size_t part = part_in_unit(end, i, unit_size);
        if (part > run[i].touched) run[i].touched = (uint32_t)part;
        if (part) set_dirty(region, (size_t)(&run[i] - region->slabs));
    }
    if (hak__policy(heap)->ahead && !heap->region) touch_ahead(heap, run, end);
    return true;
}

void hak__units_leave(hak_heap *heap, hak_slab *run, size_t begin, size_t end)
{
    heap->retained += touched_before(heap, run, end) - touched_before(heap, run, begin);
}

/* ------------------------------------------------------------------ superslab lists */

static uint64_t mask_of(size_t count)
{
    return count >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
}

static void unlink_super(hak_superslab **list, hak_superslab *super)
{
    if (super->prev) super->prev->next = super->next;
    else *list = super->next;
    if (super->next) super->next->prev = super->prev;
}

static void link_super(hak_superslab **list, hak_superslab *super)
{
    super->prev = NULL;
    super->next = *list;
    if (*list) (*list)->prev = super;
    *list = super;
}

/* Changes the free units of a superslab and keeps it in the right list. */
static void set_free(hak_heap *heap, hak_superslab *super, uint64_t free)
{
    if (!super->free != !free) {
        unlink_super(free ? &heap->supers_full : &heap->supers, super);
        link_super(free ? &heap->supers : &heap->supers_full, super);
    }
    super->free = free;
}

bool hak__units_adopt(hak_heap *heap, hak_superslab *super)
{
    super->heap = heap;
    link_super(&heap->supers, super);
    heap->super_count++;
    size_t touched = hak__units_retained(super);
    heap->retained += touched;
    heap->footprint += touched;
    if (heap->footprint > allowance(heap) && hak__units_purge(heap, super, touched) < touched &&
        heap->footprint > allowance(heap)) {
        touched = hak__units_drop(heap, super);
        heap->retained -= touched;
        heap->footprint -= touched;
        hak__supply_give(super, touched, SIZE_MAX);
        return false;
    }
    hak__charge(heap, 0);
    if (super->region == hak__region_shared()) {
        size_t end = (hak__superslab_index(super) + 1) * HAK_SUPERSLAB_UNITS;
        if (end > heap->units) heap->units = end;
    }
    return true;
}

size_t hak__units_drop(hak_heap *heap, hak_superslab *super)
{
    hak_slab *slabs = hak__superslab_slabs(super);
    size_t touched = 0;
    for (size_t i = 0; i < HAK_SUPERSLAB_UNITS; i++) {
        touched += slabs[i].touched;
        slabs[i] = (hak_slab){.touched = slabs[i].touched};
    }
    unlink_super(super->free ? &heap->supers : &heap->supers_full, super);
    super->free = ~(uint64_t)0;
    if (heap->hand.super == super) heap->hand.super = NULL;
    heap->super_count--;
    return touched;
}

size_t hak__units_prewarm(hak_heap *heap, size_t bytes)
{
    size_t count = bytes >> HAK_UNIT_SHIFT;
    if (count > HAK_SUPERSLAB_UNITS) count = HAK_SUPERSLAB_UNITS;
    size_t size = count << HAK_UNIT_SHIFT;
    if (count == 0 || !hak__may_charge(heap, size)) return 0;
    hak_superslab *super = hak__supply_take(heap);
    if (!super || !hak__units_adopt(heap, super)) return 0;
    size_t before = hak__units_retained(super); /* from the pool */
    if (!hak__os_touch(hak__superslab_start(super), size)) return 0;
    hak_slab *slabs = hak__superslab_slabs(super);
    for (size_t i = 0; i < count; i++) slabs[i].touched = 1 << HAK_UNIT_SHIFT;
    super->dirty |= mask_of(count);
    size_t more = hak__units_retained(super) - before;
    heap->retained += more;
    hak__charge(heap, more);
    return size;
}

size_t hak__units_return(hak_heap *heap, hak_superslab *super, size_t pool_max)
{
    size_t touched = hak__units_drop(heap, super);
    if (heap->stale) {
        /* What looks clean may not be. */
        hak_slab *slabs = hak__superslab_slabs(super);
        for (size_t i = 0; i < HAK_SUPERSLAB_UNITS; i++) slabs[i].touched = 1 << HAK_UNIT_SHIFT;
        super->dirty = ~(uint64_t)0;
        hak__supply_give(super, HAK_SUPERSLAB_SIZE, 0);
    } else {
        hak__supply_give(super, touched, pool_max);
    }
    return touched;
}

size_t hak__units_drop_huge(hak_heap *heap, hak_superslab *huge)
{
    size_t size = huge->huge_size;
    HAK_ASSERT(huge->huge_retained);
    unlink_super(&heap->huge, huge);
    hak__hugespace_give(huge);
    heap->retained -= size;
    hak__discharge(heap, size);
    heap->purges++;
    return size;
}

size_t hak__units_cut_huge(hak_heap *heap, hak_superslab *huge, size_t size)
{
    HAK_ASSERT(huge->huge_retained && size <= huge->huge_size);
    size_t rest = huge->huge_size - size;
    if (!hak__hugespace_cut(huge, size)) return 0;
    heap->retained -= rest;
    hak__discharge(heap, rest);
    heap->purges++;
    return rest;
}

size_t hak__units_retained(const hak_superslab *super)
{
    const hak_slab *slabs = hak__superslab_slabs(super);
    size_t bytes = 0;
    for (uint64_t rest = super->free & super->dirty; rest; rest &= rest - 1) {
        bytes += slabs[__builtin_ctzll(rest)].touched;
    }
    return bytes;
}

/* ------------------------------------------------------------------ purging */

bool hak__give_pages(hak_heap *heap, void *start, size_t size)
{
    bool lazily = hak__policy(heap)->decommit == HAK_DECOMMIT_FREE && !heap->at_once;
    if (!(lazily ? hak__region_purge_lazily(start, size) : hak__region_purge(start, size))) {
        return false;
    }
    if (lazily) heap->stale = true;
    heap->purges++;
    return true;
}

/* What is to be purged of a superslab: adjacent bytes none of which is in use. */
typedef struct page_gap {
    size_t first, last; /* units */
    size_t begin, end;  /* bytes from the start of the superslab; end == 0: nothing */
    size_t kept;        /* bytes of the first unit that lie before it */
} page_gap;

/* Purges a gap; returns the bytes that were touched in it. */
static size_t purge_gap(hak_heap *heap, hak_superslab *super, const page_gap *gap)
{
    if (gap->end == 0) return 0;
    /* A caller's memory is only no longer counted. */
    if (!heap->region) {
        char *start = hak__superslab_start(super);
        if (!hak__give_pages(heap, start + gap->begin, gap->end - gap->begin)) return 0;
    }
    hak_slab *slabs = hak__superslab_slabs(super);
    size_t kept = gap->kept, given = 0;
    for (size_t i = gap->first; i <= gap->last; i++, kept = 0) {
        given += slabs[i].touched - kept;
        slabs[i].touched = (uint32_t)kept;
        if (kept == 0) super->dirty &= ~((uint64_t)1 << i);
    }
    heap->retained -= given;
    hak__discharge(heap, given);
    return given;
}

/* ------------------------------------------------------------------ runs */

/* The bits at which `count` adjacent set ones begin (1 … 64). */
static uint64_t run_starts(uint64_t bits, size_t count)
{
    /* After each step a set bit stands for `have` adjacent ones from it on. */
    for (size_t have = 1; have < count && bits;) {
        size_t step = count - have < have ? count - have : have;
        bits &= bits >> step;
        have += step;
    }
    return bits;
}

/* Where a run begins. */
typedef struct place {
    hak_superslab *super; /* NULL: nowhere */
    unsigned bit;
} place;

/* On a caller's memory: the first of `count` adjacent free units, across superslabs. */
static place find_across(const hak_region *region, size_t count)
{
    size_t run = 0;
    for (size_t unit = 0; unit < region->units; unit++) {
        run = region->supers[unit / 64].free >> (unit % 64) & 1 ? run + 1 : 0;
        if (run < count) continue;
        size_t first = unit + 1 - count;
        return (place){&region->supers[first / 64], (unsigned)(first % 64)};
    }
    return (place){0};
}

/* On shared regions: where the most of `count` adjacent free units have pages, among the first few
 * superslabs that have such a run. */
static place find_dirtiest(const hak_heap *heap, size_t count)
{
    place best = {0};
    size_t most = 0, looked_at = 0;
    for (hak_superslab *super = heap->supers; super; super = super->next) {
        uint64_t starts = run_starts(super->free, count);
        if (!starts) continue;
        for (uint64_t rest = starts; rest; rest &= rest - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(rest);
            size_t dirty = (size_t)__builtin_popcountll(super->dirty & mask_of(count) << bit);
            if (best.super && dirty <= most) continue;
            best = (place){super, bit};
            most = dirty;
        }
        if (most == count || ++looked_at == LOOK_AT || !heap->retained) break;
    }
    return best;
}

/* Units that have pages already come first: they cost neither a page fault nor footprint. */
static place find_run(const hak_heap *heap, size_t count)
{
    if (count > 1)
        return heap->region ? find_across(heap->region, count) : find_dirtiest(heap, count);
    for (hak_superslab *super = heap->retained ? heap->supers : NULL; super; super = super->next) {
        uint64_t dirty = super->free & super->dirty;
        if (dirty) return (place){super, (unsigned)__builtin_ctzll(dirty)};
    }
    /* A superslab in this list has a free unit. */
    hak_superslab *first = heap->supers;
    return first ? (place){first, (unsigned)__builtin_ctzll(first->free)} : (place){0};
}

/* Marks `count` units from `unit` on as free or taken. */
static void mark(hak_heap *heap, hak_region *region, size_t unit, size_t count, bool free)
{
    while (count > 0) {
        hak_superslab *super = &region->supers[unit / 64];
        size_t here = 64 - unit % 64 < count ? 64 - unit % 64 : count;
        uint64_t mask = mask_of(here) << (unit % 64);
        HAK_ASSERT((super->free & mask) == (free ? 0 : mask));
        set_free(heap, super, free ? super->free | mask : super->free & ~mask);
        unit += here;
        count -= here;
    }
}

static bool all_free(const hak_region *region, size_t unit, size_t count)
{
    for (; count > 0; unit++, count--) {
        if (!(region->supers[unit / 64].free >> (unit % 64) & 1)) return false;
    }
    return true;
}

static void set_interior(hak_slab *run, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        run[i] =
            (hak_slab){.kind = HAK_UNIT_INTERIOR, .units = (uint32_t)i, .touched = run[i].touched};
    }
}

static void set_unused(hak_slab *run, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) run[i] = (hak_slab){.touched = run[i].touched};
}

hak_slab *hak__units_take(hak_heap *heap, size_t count, hak_slab_kind kind)
{
    place found = find_run(heap, count);
    if (!found.super) {
        if (heap->region || count > HAK_SUPERSLAB_UNITS) return NULL;
        found.super = hak__supply_take(heap);
        if (!found.super) return NULL;
        if (!hak__units_adopt(heap, found.super)) return NULL;
    }
    hak_region *region = found.super->region;
    size_t unit = hak__superslab_index(found.super) * HAK_SUPERSLAB_UNITS + found.bit;
    hak_slab *run = &region->slabs[unit];
    mark(heap, region, unit, count, false);
    *run = (hak_slab){
        .start = hak__unit_start(region, unit),
        .touched = run->touched,
        .units = (uint32_t)count,
        .kind = (uint8_t)kind,
    };
    set_interior(run, 1, count);
    return run;
}

void hak__units_give(hak_heap *heap, hak_slab *run)
{
    hak_region *region = hak__region_of_run(heap, run);
    size_t count = run->units;
    size_t unit = (size_t)(run - region->slabs);
    size_t absent = (size_t)__builtin_popcount(run->absent) * HAK_PAGE;
    heap->footprint += absent;
    hak__units_leave(heap, run, 0, hak__slab_used(run));
    set_unused(run, 0, count);
    mark(heap, region, unit, count, true);
    if (absent == 0) return;
    /* A unit is accounted for up to the last page it has touched, without holes. So this one goes
     * back whole. */
    size_t i = unit % HAK_SUPERSLAB_UNITS, begin = i << region->unit_shift;
    page_gap gap = {.first = i, .last = i, .begin = begin, .end = begin + run->touched};
    purge_gap(heap, &region->supers[unit / HAK_SUPERSLAB_UNITS], &gap);
}

bool hak__units_resize(hak_heap *heap, hak_slab *run, size_t count)
{
    hak_region *region = hak__region_of_run(heap, run);
    size_t unit = (size_t)(run - region->slabs);
    size_t had = run->units;
    if (count > had) {
        /* A run stays in its superslab, but on a caller's memory. */
        size_t end = heap->region ? region->units : (unit / 64 + 1) * 64;
        if (unit + count > end || !all_free(region, unit + had, count - had)) return false;
        mark(heap, region, unit + had, count - had, false);
        set_interior(run, had, count);
    } else {
        set_unused(run, count, had);
        mark(heap, region, unit + count, had - count, true);
    }
    run->units = (uint32_t)count;
    return true;
}

size_t hak__units_purge(hak_heap *heap, hak_superslab *super, size_t most)
{
    hak_slab *slabs = hak__superslab_slabs(super);
    size_t unit_size = hak__heap_unit_size(heap);
    size_t given = 0, found = 0;
    page_gap gap = {0};
    for (uint64_t rest = super->dirty; rest && found < most; rest &= rest - 1) {
        size_t i = (size_t)__builtin_ctzll(rest);
        hak_slab *run = hak__slab_head(&slabs[i]);
        size_t kept = part_in_unit(hak__slab_used(run), (size_t)(&slabs[i] - run), unit_size);
        /* What was never touched before it may go along, but not what is in use. */
        if (kept > 0) {
            given += purge_gap(heap, super, &gap);
            gap.end = 0;
        }
        if (kept >= slabs[i].touched) continue;
        if (gap.end == 0) {
            gap.first = i;
            gap.begin = i * unit_size + kept;
            gap.kept = kept;
        }
        gap.last = i;
        gap.end = i * unit_size + slabs[i].touched;
        found += slabs[i].touched - kept;
    }
    return given + purge_gap(heap, super, &gap);
}
