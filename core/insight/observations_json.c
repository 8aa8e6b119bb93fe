/* Observations as JSON, which docs/observations.schema.json describes. Of a histogram, the entries
 * with a count are told, each with the range of numbers that it stands for. */
#include <inttypes.h>

#include "insight/observe.h"
#include "os/os.h"

static void put_range(hak_json *out, bool *begun, hak_range range)
{
    if (range.count == 0) return;
    hak__json_put(out, "%s{\"from\": %" PRIu64 ", \"to\": %" PRIu64 ", \"count\": %zu}",
                  *begun ? ", " : "", range.from, range.to, range.count);
    *begun = true;
}

static void put_powers(hak_json *out, const char *name, const size_t *counts)
{
    bool begun = false;
    hak__json_put(out, ", \"%s\": [", name);
    for (unsigned power = 0; power < HAK_POWERS; power++) {
        put_range(out, &begun, hak__power_range(power, counts[power]));
    }
    hak__json_put(out, "]");
}

static void put_sizes(hak_json *out, const hak_observations *told)
{
    bool begun = false;
    hak__json_put(out, ", \"sizes\": [");
    for (size_t i = 0; i < told->size_ranges; i++) put_range(out, &begun, told->sizes[i]);
    hak__json_put(out, "]");
}

static void put_class(hak_json *out, const hak_class_observations *class)
{
    size_t count;
    const hak_stats_field *fields = hak_class_observations_fields(&count);
    hak__json_put(out, "{\"size\": %zu", class->block_size);
    hak__json_fields(out, class, fields + 1, count - 1);
    put_powers(out, "lifetimes", class->lifetimes);
    hak__json_put(out, "}");
}

size_t hak_heap_observations_json(hak_heap *heap, char *buffer, size_t size)
{
    const hak_observations *told = hak_heap_observations(heap);
    if (!told) return 0;
    size_t count;
    const hak_stats_field *fields = hak_observations_fields(&count);
    hak_json out = {buffer, size, 0};
    hak__json_put(&out, "{\"version\": \"%s\", \"name\": ", hak_version());
    hak__json_string(&out, hak_heap_name(heap));
    hak__json_put(&out, ", \"observing\": %s", told->observing ? "true" : "false");
    hak__json_fields(&out, told, fields, count);
    put_sizes(&out, told);
    put_powers(&out, "lifetimes", told->lifetimes);
    put_powers(&out, "ages", told->ages);
    hak__json_put(&out, ", \"classes\": [");
    for (size_t i = 0; i < told->classes; i++) {
        if (i) hak__json_put(&out, ", ");
        put_class(&out, &told->class_observations[i]);
    }
    hak__json_put(&out, "]}");
    return hak__json_end(&out);
}
