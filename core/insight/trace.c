#include "insight/trace.h"

#include <inttypes.h>

#include "os/os.h"

void hak__trace_open(hak_trace *trace, size_t capacity)
{
    *trace = (hak_trace){.capacity = capacity};
    if (capacity) trace->events = hak__os_map(hak__trace_memory(trace));
    if (!trace->events) trace->capacity = 0;
}

void hak__trace_add(hak_trace *trace, hak_event event)
{
    if (trace->capacity) trace->events[trace->count % trace->capacity] = event;
    trace->count++;
}

size_t hak__trace_length(const hak_trace *trace)
{
    return trace->count < trace->capacity ? (size_t)trace->count : trace->capacity;
}

static void put_event(hak_file *out, uint64_t operation, const hak_event *event)
{
    static const char *const kinds[] = {"alloc", "free", "resize"};
    static const char *const hows[] = {"", "hit", "miss", "in_place", "refused"};
    hak__file_put(out, "%" PRIu64 ",%s,", operation, kinds[event->kind]);
    if (event->block) hak__file_put(out, "%" PRIu64, event->block);
    hak__file_put(out, ",%" PRIu64 ",%" PRIu64 ",%s,", event->size, (uint64_t)event->old_size,
                  hows[event->how]);
    if (event->kind == HAK_EVENT_FREE && event->block)
        hak__file_put(out, "%" PRIu64, operation - event->block);
    hak__file_put(out, "\n");
}

bool hak__trace_write(const hak_trace *trace, const char *path)
{
    hak_file out;
    if (!hak__file_open(&out, path)) return false;
    hak__file_put(&out, "operation,event,block,size,old_size,how,lifetime\n");
    for (uint64_t i = trace->count - hak__trace_length(trace); i < trace->count; i++) {
        put_event(&out, i + 1, &trace->events[i % trace->capacity]);
    }
    return hak__file_close(&out);
}

void hak__trace_drop(hak_trace *trace)
{
    if (trace->capacity) hak__os_unmap(trace->events, hak__trace_memory(trace));
    *trace = (hak_trace){0};
}
