#include "insight/tell.h"

#include <string.h>

#include "insight/observe.h"

/* ------------------------------------------------------------------ statistics */

static void tell_fields(hak_sink *sink, const void *stats, const hak_stats_field *field,
                        size_t count)
{
    for (; count-- > 0; field++) {
        size_t value;
        memcpy(&value, (const char *)stats + field->offset, sizeof value);
        sink->count(sink, field->name, value);
    }
}

static void tell_os_calls(hak_sink *sink, const hak_os_calls *os)
{
    sink->begin(sink, "os_calls", HAK_SINK_OBJECT, 6);
    sink->count(sink, "mmap", os->mmap);
    sink->count(sink, "madvise", os->madvise);
    sink->count(sink, "mremap", os->mremap);
    sink->count(sink, "munmap", os->munmap);
    sink->count(sink, "failed", os->failed);
    sink->count(sink, "total", os->total);
    sink->end(sink);
}

static void tell_class(hak_sink *sink, const hak_class_stats *class)
{
    sink->begin(sink, NULL, HAK_SINK_OBJECT, 5);
    sink->count(sink, "size", class->block_size);
    sink->count(sink, "live", class->live);
    sink->count(sink, "slabs", class->slabs);
    sink->count(sink, "footprint", class->footprint);
    sink->part(sink, "fragmentation", class->fragmentation);
    sink->end(sink);
}

static void tell_kind(hak_sink *sink, const hak_kind_stats *kind)
{
    sink->begin(sink, NULL, HAK_SINK_OBJECT, 3);
    sink->text(sink, "name", kind->name);
    sink->count(sink, "live_bytes", kind->live_bytes);
    sink->count(sink, "live_blocks", kind->live_blocks);
    sink->end(sink);
}

void hak__tell_stats(hak_sink *sink, const char *name, const char *profile, const hak_stats *stats)
{
    size_t count;
    const hak_stats_field *fields = hak_stats_fields(&count);
    sink->begin(sink, NULL, HAK_SINK_OBJECT, count + 7);
    sink->text(sink, "version", hak_version());
    sink->text(sink, "name", name);
    sink->text(sink, "profile", profile);
    tell_fields(sink, stats, fields, count);
    sink->part(sink, "fragmentation", stats->fragmentation);
    tell_os_calls(sink, &stats->os);
    sink->begin(sink, "classes", HAK_SINK_LIST, stats->classes);
    for (size_t i = 0; i < stats->classes; i++) tell_class(sink, &stats->class_stats[i]);
    sink->end(sink);
    sink->begin(sink, "kinds", HAK_SINK_LIST, stats->kinds);
    for (size_t i = 0; i < stats->kinds; i++) tell_kind(sink, &stats->kind_stats[i]);
    sink->end(sink);
    sink->end(sink);
}

void hak__tell_process_stats(hak_sink *sink, const hak_process_stats *stats)
{
    size_t count;
    const hak_stats_field *fields = hak_process_stats_fields(&count);
    sink->begin(sink, NULL, HAK_SINK_OBJECT, count + 2);
    sink->text(sink, "version", hak_version());
    tell_fields(sink, stats, fields, count);
    tell_os_calls(sink, &stats->os);
    sink->end(sink);
}

void hak__tell_threads_stats(hak_sink *sink, const hak_threads_stats *stats)
{
    size_t count;
    const hak_stats_field *fields = hak_threads_stats_fields(&count);
    sink->begin(sink, NULL, HAK_SINK_OBJECT, count + 1);
    sink->text(sink, "version", hak_version());
    tell_fields(sink, stats, fields, count);
    sink->end(sink);
}

/* ------------------------------------------------------------------ observations
 *
 * Of a histogram, only entries with a count are written, each with its range of numbers. */

static void tell_range(hak_sink *sink, hak_range range)
{
    sink->begin(sink, NULL, HAK_SINK_OBJECT, 3);
    sink->count(sink, "from", range.from);
    sink->count(sink, "to", range.to);
    sink->count(sink, "count", range.count);
    sink->end(sink);
}

static void tell_powers(hak_sink *sink, const char *name, const size_t *counts)
{
    sink->begin(sink, name, HAK_SINK_LIST, 0);
    for (unsigned power = 0; power < HAK_POWERS; power++) {
        if (counts[power]) tell_range(sink, hak__power_range(power, counts[power]));
    }
    sink->end(sink);
}

static void tell_observed_class(hak_sink *sink, const hak_class_observations *class)
{
    size_t count;
    const hak_stats_field *fields = hak_class_observations_fields(&count);
    sink->begin(sink, NULL, HAK_SINK_OBJECT, count + 1);
    sink->count(sink, "size", class->block_size); /* the first field, under a shorter name */
    tell_fields(sink, class, fields + 1, count - 1);
    tell_powers(sink, "lifetimes", class->lifetimes);
    sink->end(sink);
}

void hak__tell_observations(hak_sink *sink, const char *name, const hak_observations *snapshot)
{
    size_t count;
    const hak_stats_field *fields = hak_observations_fields(&count);
    sink->begin(sink, NULL, HAK_SINK_OBJECT, count + 7);
    sink->text(sink, "version", hak_version());
    sink->text(sink, "name", name);
    sink->flag(sink, "observing", snapshot->observing);
    tell_fields(sink, snapshot, fields, count);
    sink->begin(sink, "sizes", HAK_SINK_LIST, snapshot->size_ranges);
    for (size_t i = 0; i < snapshot->size_ranges; i++) tell_range(sink, snapshot->sizes[i]);
    sink->end(sink);
    tell_powers(sink, "lifetimes", snapshot->lifetimes);
    tell_powers(sink, "ages", snapshot->ages);
    sink->begin(sink, "classes", HAK_SINK_LIST, snapshot->classes);
    for (size_t i = 0; i < snapshot->classes; i++) {
        tell_observed_class(sink, &snapshot->class_observations[i]);
    }
    sink->end(sink);
    sink->end(sink);
}

/* ------------------------------------------------------------------ options */

void hak__tell_options(hak_sink *sink, const hak_option *options, size_t count)
{
    sink->begin(sink, NULL, HAK_SINK_LIST, count);
    for (const hak_option *option = options; option < options + count; option++) {
        sink->begin(sink, NULL, HAK_SINK_OBJECT, 7);
        sink->text(sink, "name", option->name);
        sink->text(sink, "variable", option->variable);
        sink->text(sink, "type", option->type);
        sink->text(sink, "range", option->range);
        sink->text(sink, "help", option->help);
        sink->text(sink, "value", option->value);
        sink->text(sink, "origin", option->origin);
        sink->end(sink);
    }
    sink->end(sink);
}
