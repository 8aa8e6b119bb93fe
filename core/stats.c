/* Statistics, read off the slabs. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "nest.h"
#include "os.h"

#define FIELD(name, unit, help)                      \
    {                                                \
#name, unit, help, offsetof(hak_stats, name) \
    }

const hak_stats_field *hak_stats_fields(size_t *count)
{
    static const hak_stats_field fields[] = {
        FIELD(live_bytes, "bytes", "Bytes of blocks handed out, at their usable size."),
        FIELD(live_blocks, "blocks", "Blocks handed out."),
        FIELD(large_bytes, "bytes",
              "Of the live bytes, those in blocks of whole pages, above 16 KiB."),
        FIELD(large_blocks, "blocks", "Of the live blocks, those of whole pages, above 16 KiB."),
        FIELD(footprint, "bytes", "Bytes of pages that hold or retain blocks."),
        FIELD(footprint_peak, "bytes", "The largest footprint so far."),
        FIELD(retained, "bytes",
              "Of the footprint, bytes of pages without a block, kept for reuse."),
        FIELD(metadata, "bytes", "Bytes of records and of the heap itself, beside the footprint."),
        FIELD(limit, "bytes", "The footprint limit; 0 when there is none."),
        FIELD(superslabs, "superslabs", "Superslabs held."),
        FIELD(refills, "events", "Times a size class got another slab or page."),
        FIELD(retires, "events", "Slabs that became free."),
        FIELD(purges, "events", "Runs of pages given back to the OS."),
    };
    *count = sizeof fields / sizeof *fields;
    return fields;
}

/* Adds a slab or span to the totals; classes are gathered by index first. */
static void add_run(hak_stats *stats, hak_class_stats *classes, const hak_slab *slab)
{
    if (slab->kind == HAK_SPAN) {
        stats->large_blocks++;
        stats->large_bytes += slab->span_size;
    } else if (slab->block_size) {
        hak_class_stats *class = &classes[slab->size_class];
        class->block_size = slab->block_size;
        class->live += hak__slab_live(slab);
        class->slabs++;
        class->footprint += hak__slab_used(slab);
        class->footprint -= (size_t)__builtin_popcount(slab->absent) * HAK_PAGE;
    }
}

/* What a visit to the nest gathers. */
typedef struct nest_visit {
    const hak_heap *heap;
    hak_class_stats *classes;
} nest_visit;

static void add_in_nest(void *context, size_t size, int count)
{
    nest_visit *visit = context;
    size_t granularity = visit->heap->granularity;
    unsigned index = hak__class_within(size, granularity);
    hak_class_stats *class = &visit->classes[index];
    class->block_size = hak__class_size(index, granularity);
    if (count < 0) {
        class->live--;
        return;
    }
    class->live++;
    class->footprint += size;
}

static void add_superslabs(hak_stats *stats, hak_class_stats *classes, const hak_superslab *list)
{
    for (const hak_superslab *super = list; super; super = super->next) {
        const hak_slab *slabs = hak__superslab_slabs(super);
        for (uint64_t rest = ~super->free; rest; rest &= rest - 1) {
            size_t unit = (size_t)__builtin_ctzll(rest);
            size_t index = hak__superslab_index(super) * HAK_SUPERSLAB_UNITS + unit;
            if (index < super->region->units) add_run(stats, classes, &slabs[unit]);
        }
    }
}

void hak_heap_stats(const hak_heap *heap, hak_stats *stats)
{
    hak_class_stats classes[HAK_CLASSES] = {0};
    *stats = (hak_stats){
        .footprint = heap->footprint,
        .footprint_peak = heap->footprint_peak,
        .retained = heap->retained,
        .limit = hak_heap_limit(heap),
        .superslabs = heap->super_count,
        .refills = heap->refills,
        .retires = heap->retires,
        .purges = heap->purges,
    };
    size_t records = HAK_SUPERSLAB_UNITS * sizeof(hak_slab) + sizeof(hak_superslab);
    stats->metadata = sizeof(hak_slab) + heap->super_count * records;
    if (heap->region || heap->nest.run->span_size == 0) stats->metadata += HAK_PAGE;
    hak__nest_visit(heap, add_in_nest, &(nest_visit){heap, classes});
    add_superslabs(stats, classes, heap->supers);
    add_superslabs(stats, classes, heap->supers_full);
    for (const hak_superslab *huge = heap->huge; huge; huge = huge->next) {
        if (huge->huge_retained) continue;
        stats->large_blocks++;
        stats->large_bytes += huge->huge_size;
    }
    stats->live_blocks = stats->large_blocks;
    stats->live_bytes = stats->large_bytes;
    for (size_t i = 0; i < HAK_CLASSES; i++) {
        if (!classes[i].footprint) continue;
        stats->live_blocks += classes[i].live;
        stats->live_bytes += classes[i].live * classes[i].block_size;
        stats->class_stats[stats->classes++] = classes[i];
    }
    hak__os_calls(&stats->os);
}

/* ------------------------------------------------------------------ as JSON */

typedef struct text {
    char *buffer;
    size_t size, length;
} text;

__attribute__((format(printf, 2, 3))) static void put(text *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = out->length < out->size ? out->size - out->length : 0;
    int n = vsnprintf(room ? out->buffer + out->length : NULL, room, format, args);
    va_end(args);
    if (n > 0) out->length += (size_t)n;
}

/* The length of the UTF-8 sequence at `s`, 1 to 4; 0 if it is none. */
static size_t utf8_length(const unsigned char *s)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t more = 0; more < 4; more++) {
        if ((s[0] & forms[more].mask) != forms[more].lead) continue;
        uint32_t code = s[0] & (unsigned char)~forms[more].mask;
        for (size_t i = 1; i <= more; i++) {
            if ((s[i] & 0xc0) != 0x80) return 0;
            code = code << 6 | (s[i] & 0x3f);
        }
        bool surrogate = code >= 0xd800 && code < 0xe000;
        return code < forms[more].least || code > 0x10ffff || surrogate ? 0 : more + 1;
    }
    return 0;
}

/* A string of any bytes: what is not UTF-8 becomes the replacement character. */
static void put_string(text *out, const char *string)
{
    put(out, "\"");
    const unsigned char *s = (const unsigned char *)string;
    while (*s) {
        size_t length = utf8_length(s);
        if (length == 0) put(out, "\\ufffd");
        else if (*s == '"' || *s == '\\') put(out, "\\%c", *s);
        else if (*s < 0x20) put(out, "\\u%04x", *s);
        else put(out, "%.*s", (int)length, (const char *)s);
        s += length ? length : 1;
    }
    put(out, "\"");
}

size_t hak_heap_stats_json(const hak_heap *heap, char *buffer, size_t size)
{
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    text out = {buffer, size, 0};
    put(&out, "{\"version\": \"%s\", \"name\": ", hak_version());
    put_string(&out, hak_heap_name(heap));
    put(&out, ", \"profile\": \"%s\"", hak_heap_profile(heap));

    size_t count;
    const hak_stats_field *field = hak_stats_fields(&count);
    for (; count-- > 0; field++) {
        size_t value;
        memcpy(&value, (const char *)&stats + field->offset, sizeof value);
        put(&out, ", \"%s\": %zu", field->name, value);
    }
    put(&out,
        ", \"os_calls\": {\"mmap\": %" PRIu64 ", \"mprotect\": %" PRIu64 ", \"madvise\": %" PRIu64
        ", \"mremap\": %" PRIu64 ", \"munmap\": %" PRIu64 ", \"failed\": %" PRIu64
        ", \"total\": %" PRIu64 "}, \"classes\": [",
        stats.os.mmap, stats.os.mprotect, stats.os.madvise, stats.os.mremap, stats.os.munmap,
        stats.os.failed, stats.os.total);
    for (size_t i = 0; i < stats.classes; i++) {
        const hak_class_stats *class = &stats.class_stats[i];
        put(&out, "%s{\"size\": %zu, \"live\": %zu, \"slabs\": %zu, \"footprint\": %zu}",
            i ? ", " : "", class->block_size, class->live, class->slabs, class->footprint);
    }
    put(&out, "]}");
    if (size) buffer[out.length < size ? out.length : size - 1] = 0;
    return out.length;
}
