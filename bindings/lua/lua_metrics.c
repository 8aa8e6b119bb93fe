/* The statistics as OpenMetrics text (the exposition format, version 1.0), with the names that the
 * Python package uses. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "control.h"
#include "lua_control.h"

static void add_line(luaL_Buffer *text, const char *key, const char *name, const char *value)
{
    const char *parts[] = {"# ", key, " ", name, " ", value, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) luaL_addstring(text, parts[i]);
}

/* The head of a family of samples. */
static void add_head(luaL_Buffer *text, const char *name, const char *kind, const char *unit,
                     const char *help)
{
    add_line(text, "TYPE", name, kind);
    if (*unit) add_line(text, "UNIT", name, unit);
    add_line(text, "HELP", name, help);
}

static void add_number(luaL_Buffer *text, const char *sample, const char *labels, size_t number)
{
    char value[32];
    snprintf(value, sizeof value, " %zu\n", number);
    luaL_addstring(text, sample);
    luaL_addstring(text, labels);
    luaL_addstring(text, value);
}

static void add_fields(luaL_Buffer *text, const char *prefix, const void *stats,
                       const hak_stats_field *field, size_t count)
{
    for (; count-- > 0; field++) {
        char name[96], sample[112];
        bool counts = strcmp(field->unit, "events") == 0, bytes = strcmp(field->unit, "bytes") == 0;
        size_t length = strlen(field->name);
        bool ends = length > 6 && strcmp(field->name + length - 6, "_bytes") == 0;
        snprintf(name, sizeof name, "%s_%s%s", prefix, field->name, bytes && !ends ? "_bytes" : "");
        snprintf(sample, sizeof sample, "%s%s", name, counts ? "_total" : "");
        add_head(text, name, counts ? "counter" : "gauge", bytes ? "bytes" : "", field->help);
        size_t number;
        memcpy(&number, (const char *)stats + field->offset, sizeof number);
        add_number(text, sample, "", number);
    }
}

static void add_os_calls(luaL_Buffer *text, const hak_os_calls *os)
{
    const struct {
        const char *labels;
        uint64_t count;
    } calls[] = {
        {"{call=\"mmap\"}", os->mmap},
        {"{call=\"madvise\"}", os->madvise},
        {"{call=\"mremap\"}", os->mremap},
        {"{call=\"munmap\"}", os->munmap},
    };
    add_head(text, "hakmem_os_calls", "counter", "", "Calls to the OS for memory, by kind.");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        add_number(text, "hakmem_os_calls_total", calls[i].labels, calls[i].count);
    }
    add_head(text, "hakmem_os_failures", "counter", "", "Calls to the OS for memory that failed.");
    add_number(text, "hakmem_os_failures_total", "", os->failed);
}

/* A family with a sample for each size class. */
static void add_classes(luaL_Buffer *text, const hak_stats *stats, const char *name,
                        const char *unit, size_t offset, const char *help)
{
    add_head(text, name, "gauge", unit, help);
    for (size_t i = 0; i < stats->classes; i++) {
        const hak_class_stats *class = &stats->class_stats[i];
        char labels[48];
        size_t number;
        memcpy(&number, (const char *)class + offset, sizeof number);
        snprintf(labels, sizeof labels, "{size=\"%zu\"}", class->block_size);
        add_number(text, name, labels, number);
    }
}

/* Both snapshots are taken first, since the text takes memory of the heap that it describes. */
int hak_lua_control_openmetrics(lua_State *L)
{
    luaL_argcheck(L, lua_gettop(L) == 0, 1, "no value expected");
    hak_heap *heap = hak_lua_heap(L);
    if (!heap) return luaL_error(L, "%s", HAK_LUA_NOT_INSTALLED);
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    hak_process_stats process;
    hak_process_stats_read(&process);
    hak_threads_stats threads;
    control_thread_stats(&threads);

    size_t count;
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    char about[160];
    snprintf(about, sizeof about, "{version=\"%s\",build=\"%s\",profile=\"%s\"}", hak_version(),
             hak_build(), hak_heap_profile(heap));
    add_head(&text, "hakmem", "info", "",
             "The version of hakmem, its build, and the heap's profile.");
    add_number(&text, "hakmem_info", about, 1);
    add_head(&text, "hakmem_installed", "gauge", "",
             "Whether new objects come from hakmem: 1, or 0 where it is not installed.");
    add_number(&text, "hakmem_installed", "", 1);
    const hak_stats_field *fields = hak_stats_fields(&count);
    add_fields(&text, "hakmem", &stats, fields, count);
    fields = hak_process_stats_fields(&count);
    add_fields(&text, "hakmem_process", &process, fields, count);
    fields = hak_threads_stats_fields(&count);
    add_fields(&text, "hakmem_thread", &threads, fields, count);
    char line[80];
    add_head(&text, "hakmem_fragmentation_ratio", "gauge", "ratio",
             "The part of the pages with blocks that holds none.");
    snprintf(line, sizeof line, "hakmem_fragmentation_ratio %.9f\n", stats.fragmentation);
    luaL_addstring(&text, line);
    add_os_calls(&text, &stats.os);
    add_classes(&text, &stats, "hakmem_class_live_blocks", "", offsetof(hak_class_stats, live),
                "Blocks handed out, by size.");
    add_classes(&text, &stats, "hakmem_class_slabs", "", offsetof(hak_class_stats, slabs),
                "Slabs, by the size of their blocks.");
    add_classes(&text, &stats, "hakmem_class_footprint_bytes", "bytes",
                offsetof(hak_class_stats, footprint),
                "Bytes of pages in slabs, by the size of their blocks.");
    luaL_addstring(&text, "# EOF\n");
    luaL_pushresult(&text);
    return 1;
}
