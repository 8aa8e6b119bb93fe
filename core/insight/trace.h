/* The last events of an observed heap: a ring in memory from the OS. */
#ifndef HAK_TRACE_H
#define HAK_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum hak_event_kind { HAK_EVENT_ALLOC, HAK_EVENT_FREE, HAK_EVENT_RESIZE } hak_event_kind;

typedef enum hak_event_how {
    HAK_HOW_NONE, /* of a free */
    HAK_HOW_HIT,
    HAK_HOW_MISS,
    HAK_HOW_IN_PLACE,
    HAK_HOW_REFUSED
} hak_event_how;

/* Each operation is one event, so its number follows from its index. */
typedef struct hak_event {
    uint64_t block; /* number of the operation that handed the block out; 0: unknown */
    uint64_t size;
    uint64_t old_size : 56;
    uint64_t kind : 4; /* hak_event_kind */
    uint64_t how : 4;  /* hak_event_how */
} hak_event;

typedef struct hak_trace {
    hak_event *events;
    size_t capacity;
    uint64_t count; /* all events, also those overwritten */
} hak_trace;

/* Allocates `capacity` events; none if the OS refuses. */
void hak__trace_open(hak_trace *trace, size_t capacity);

void hak__trace_add(hak_trace *trace, hak_event event);

/* Events that can be read. */
size_t hak__trace_length(const hak_trace *trace);

/* Writes the events to a file as CSV with a header. False with errno. */
bool hak__trace_write(const hak_trace *trace, const char *path);

/* Bytes of memory of the ring. */
static inline size_t hak__trace_memory(const hak_trace *trace)
{
    return (trace->capacity * sizeof(hak_event) + 4095) & ~(size_t)4095;
}

/* Unmaps the ring. */
void hak__trace_drop(hak_trace *trace);

#endif
