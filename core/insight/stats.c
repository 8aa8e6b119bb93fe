/* Statistics, read from the records of slabs. */
#include "heap/heap.h"
#include "insight/fields.h"
#include "os/os.h"

#define FIELD(name, unit, help) HAK_STATS_FIELD(hak_stats, name, unit, help)

const hak_stats_field *hak_stats_fields(size_t *count)
{
    static const hak_stats_field fields[] = {
        FIELD(live_bytes, "bytes", "Bytes of blocks handed out, at their usable size."),
        FIELD(live_blocks, "blocks", "Blocks handed out."),
        FIELD(large_bytes, "bytes", "Of the live bytes, those in large blocks, above 16 KiB."),
        FIELD(large_blocks, "blocks", "Of the live blocks, large blocks, above 16 KiB."),
        FIELD(huge_bytes, "bytes", "Of the large bytes, those with address space of their own."),
        FIELD(huge_blocks, "blocks", "Of the large blocks, those with address space of their own."),
        FIELD(footprint, "bytes", "Bytes of pages that hold or retain blocks."),
        FIELD(footprint_peak, "bytes", "The largest footprint so far."),
        FIELD(retained, "bytes",
              "Of the footprint, bytes of pages without a block, kept for reuse."),
        FIELD(committed, "bytes", "Bytes of address space that can be touched without an OS call."),
        FIELD(metadata, "bytes", "Bytes of records and of the heap itself, beside the footprint."),
        FIELD(limit, "bytes", "The footprint limit; 0 when there is none."),
        FIELD(limit_left, "bytes",
              "Bytes that the footprint may grow by until the limit; 0 when there is none."),
        FIELD(superslabs, "superslabs", "Superslabs held."),
        FIELD(refills, "events", "Times a size class got another slab or page."),
        FIELD(retires, "events", "Slabs that became free."),
        FIELD(purges, "events", "Runs of pages given back to the OS."),
        FIELD(refusals, "events", "Requests refused, for the limit or for want of memory."),
    };
    *count = sizeof fields / sizeof *fields;
    return fields;
}

/* Adds blocks to the sums of their kind. */
static void add_kind(hak_stats *stats, unsigned kind, size_t blocks, size_t bytes)
{
    stats->kind_stats[kind].live_blocks += blocks;
    stats->kind_stats[kind].live_bytes += bytes;
}

/* Adds a slab or span to the totals. `classes` is by index of the class. */
static void add_run(hak_stats *stats, hak_class_stats *classes, const hak_slab *slab)
{
    if (slab->state == HAK_SPAN) {
        stats->large_blocks++;
        stats->large_bytes += slab->span_size;
        add_kind(stats, slab->block_kind, 1, slab->span_size);
    } else if (slab->block_size) {
        hak_class_stats *class = &classes[slab->size_class];
        class->block_size = slab->block_size;
        size_t live = hak__slab_live(slab);
        class->live += live;
        add_kind(stats, slab->block_kind, live, live * slab->block_size);
        class->slabs++;
        class->footprint += hak__slab_used(slab);
        class->footprint -= (size_t)__builtin_popcount(slab->purged) * HAK_PAGE;
    }
}

/* Context of a visit of the nest. */
typedef struct nest_visit {
    const hak_heap *heap;
    hak_stats *stats;
    hak_class_stats *classes;
} nest_visit;

static void add_in_nest(void *context, size_t size, unsigned kind, int count)
{
    nest_visit *visit = context;
    unsigned index = hak__heap_class_within(visit->heap, size);
    hak_class_stats *class = &visit->classes[index];
    class->block_size = hak__heap_class_size(visit->heap, index);
    class->live += (size_t)count;
    add_kind(visit->stats, kind, (size_t)count, (size_t)count * class->block_size);
    if (count > 0) class->footprint += size;
}

static void add_packs(hak_stats *stats, const hak_heap *heap)
{
    for (const hak_superslab *super = heap->pages.supers->packs; super; super = super->next_owned) {
        const hak_pack *pack = hak__pack_of(super);
        stats->committed += hak__pack_mapped_bytes(super);
        for (size_t i = 0; i < pack->count; i++) {
            size_t bytes = pack->blocks[i].end - pack->blocks[i].begin;
            stats->large_blocks++;
            stats->large_bytes += bytes;
            add_kind(stats, 0, 1, bytes);
        }
    }
}

static void add_superslabs(hak_stats *stats, hak_class_stats *classes, const hak_heap *heap)
{
    for (const hak_superslab *super = heap->pages.supers->owned; super; super = super->next_owned) {
        const hak_slab *slabs = hak__superslab_slabs(super);
        stats->committed += hak__superslab_bytes(super);
        for (uint64_t rest = hak__superslab_all(super) & ~super->free; rest; rest &= rest - 1) {
            add_run(stats, classes, &slabs[__builtin_ctzll(rest)]);
        }
    }
}

/* The part of `footprint` bytes in which no block lives, rounded to four places. */
static double part_without_block(size_t footprint, size_t live)
{
    if (footprint <= live) return 0;
    double part = (double)(footprint - live) / (double)footprint;
    return (double)(size_t)(part * 1e4 + 0.5) / 1e4;
}

/* Bytes of records, and of the pages of the heap itself that are not in the footprint. A caller's
 * memory has both before its units. */
static size_t metadata_of(const hak_heap *heap)
{
    const hak_region *own = heap->pages.region;
    if (own) return own->base - (uintptr_t)own;
    size_t of_superslab = HAK_SUPERSLAB_UNITS * sizeof(hak_slab) + sizeof(hak_superslab);
    return sizeof(hak_slab) + heap->pages.super_count * of_superslab +
           (heap->nest.run->span_size ? 0 : hak__nest_own_pages(heap));
}

static void name_kinds(const hak_heap *heap, hak_stats *stats)
{
    stats->kinds = hak__heap_keeps_kinds(heap) ? hak__kinds_of(heap)->count : 0;
    for (unsigned kind = 0; kind < stats->kinds; kind++) {
        stats->kind_stats[kind].name = hak__kinds_name_of(heap, kind);
    }
}

void hak_heap_stats(const hak_heap *heap, hak_stats *stats)
{
    HAK_GUARDED(heap);
    hak_class_stats classes[HAK_CLASSES] = {0};
    *stats = (hak_stats){
        .footprint = heap->pages.footprint,
        .footprint_peak = heap->pages.footprint_peak,
        .retained = heap->pages.retained,
        .limit = hak_heap_limit(heap),
        .metadata = metadata_of(heap),
        .superslabs = heap->pages.super_count,
        .refills = heap->refills,
        .retires = heap->retires,
        .purges = heap->pages.purges,
        .refusals = heap->refusals,
        .committed = heap->pages.region ? 0 : (size_t)1 << HAK_UNIT_SHIFT, /* the nest */
    };
    if (stats->limit && stats->limit > heap->pages.footprint) {
        stats->limit_left = stats->limit - heap->pages.footprint;
    }
    hak__nest_visit(heap, add_in_nest, &(nest_visit){heap, stats, classes});
    add_superslabs(stats, classes, heap);
    add_packs(stats, heap);
    for (unsigned list = 0; list < HAK_KEPT; list++) {
        const hak_superslab *kept = heap->pages.supers->kept[list];
        for (; kept; kept = kept->next) stats->committed += kept->huge_mapped;
    }
    for (const hak_superslab *huge = heap->pages.huge; huge; huge = huge->next) {
        stats->committed += huge->huge_mapped;
        stats->huge_blocks++;
        stats->huge_bytes += huge->huge_size;
        add_kind(stats, huge->block_kind, 1, huge->huge_size);
    }
    stats->large_blocks += stats->huge_blocks;
    stats->large_bytes += stats->huge_bytes;
    stats->live_blocks = stats->large_blocks;
    stats->live_bytes = stats->large_bytes;
    for (size_t i = 0; i < HAK_CLASSES; i++) {
        if (!classes[i].footprint) continue;
        stats->live_blocks += classes[i].live;
        stats->live_bytes += classes[i].live * classes[i].block_size;
        classes[i].fragmentation =
            part_without_block(classes[i].footprint, classes[i].live * classes[i].block_size);
        stats->class_stats[stats->classes++] = classes[i];
    }
    stats->fragmentation =
        part_without_block(stats->footprint - stats->retained, stats->live_bytes);
    name_kinds(heap, stats);
    hak__os_calls(&stats->os);
}
