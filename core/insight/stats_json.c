/* Statistics as JSON. docs/stats.schema.json describes both texts. */
#include <inttypes.h>

#include "os/os.h"

static void put_os_calls(hak_json *out, const hak_os_calls *os)
{
    hak__json_put(out,
                  ", \"os_calls\": {\"mmap\": %" PRIu64 ", \"mprotect\": %" PRIu64
                  ", \"madvise\": %" PRIu64 ", \"mremap\": %" PRIu64 ", \"munmap\": %" PRIu64
                  ", \"failed\": %" PRIu64 ", \"total\": %" PRIu64 "}",
                  os->mmap, os->mprotect, os->madvise, os->mremap, os->munmap, os->failed,
                  os->total);
}

size_t hak_heap_stats_json(const hak_heap *heap, char *buffer, size_t size)
{
    hak_stats stats;
    size_t count;
    hak_heap_stats(heap, &stats);
    hak_json out = {buffer, size, 0};
    hak__json_put(&out, "{\"version\": \"%s\", \"name\": ", hak_version());
    hak__json_string(&out, hak_heap_name(heap));
    hak__json_put(&out, ", \"profile\": \"%s\"", hak_heap_profile(heap));
    const hak_stats_field *fields = hak_stats_fields(&count);
    hak__json_fields(&out, &stats, fields, count);
    hak__json_put(&out, ", \"fragmentation\": %.4f", stats.fragmentation);
    put_os_calls(&out, &stats.os);
    hak__json_put(&out, ", \"classes\": [");
    for (size_t i = 0; i < stats.classes; i++) {
        const hak_class_stats *class = &stats.class_stats[i];
        hak__json_put(&out,
                      "%s{\"size\": %zu, \"live\": %zu, \"slabs\": %zu, \"footprint\": %zu, "
                      "\"fragmentation\": %.4f}",
                      i ? ", " : "", class->block_size, class->live, class->slabs, class->footprint,
                      class->fragmentation);
    }
    hak__json_put(&out, "], \"kinds\": [");
    for (size_t i = 0; i < stats.kinds; i++) {
        const hak_kind_stats *kind = &stats.kind_stats[i];
        hak__json_put(&out, "%s{\"name\": \"%s\", \"live_bytes\": %zu, \"live_blocks\": %zu}",
                      i ? ", " : "", kind->name, kind->live_bytes, kind->live_blocks);
    }
    hak__json_put(&out, "]}");
    return hak__json_end(&out);
}

size_t hak_process_stats_json(char *buffer, size_t size)
{
    hak_process_stats stats;
    size_t count;
    hak_process_stats_read(&stats);
    hak_json out = {buffer, size, 0};
    hak__json_put(&out, "{\"version\": \"%s\"", hak_version());
    const hak_stats_field *fields = hak_process_stats_fields(&count);
    hak__json_fields(&out, &stats, fields, count);
    put_os_calls(&out, &stats.os);
    hak__json_put(&out, "}");
    return hak__json_end(&out);
}
