#include "control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char message[384];

const char *control_error(void)
{
    static _Thread_local char read[sizeof message];
    if (!message[0]) return NULL;
    snprintf(read, sizeof read, "%s", message);
    message[0] = 0;
    return read;
}

void control_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
}

const hak_stats *control_stats(hak_heap *heap)
{
    static _Thread_local hak_stats stats;
    hak_heap_stats(heap, &stats);
    return &stats;
}

char *control_stats_json(hak_heap *heap)
{
    size_t size = hak_heap_stats_json(heap, NULL, 0) + 1024;
    char *text = malloc(size);
    if (text) hak_heap_stats_json(heap, text, size);
    else control_fail("not enough memory");
    return text;
}

char *control_process_stats_json(void)
{
    size_t size = hak_process_stats_json(NULL, 0) + 256;
    char *text = malloc(size);
    if (text) hak_process_stats_json(text, size);
    else control_fail("not enough memory");
    return text;
}

void control_heap_map(hak_heap *heap, const char *path)
{
    if (!hak_heap_map(heap, path)) {
        control_fail("heap_map cannot write '%.200s': %s", path, strerror(errno));
    }
}

char *control_observations_json(hak_heap *heap)
{
    size_t size = hak_heap_observations_json(heap, NULL, 0) + 1;
    char *text = size > 1 ? malloc(size) : NULL;
    if (text) hak_heap_observations_json(heap, text, size);
    else control_fail(size > 1 ? "not enough memory" : CONTROL_NOT_OBSERVED);
    return text;
}

void control_trace(hak_heap *heap, const char *path)
{
    if (hak_heap_trace(heap, path)) return;
    if (errno == ENODATA) control_fail(CONTROL_NOT_OBSERVED);
    else control_fail("trace cannot write '%.200s': %s", path, strerror(errno));
}

void control_configure(hak_heap *heap, const char *settings)
{
    char why[sizeof message];
    if (!hak_heap_configure(heap, settings, why, sizeof why)) control_fail("%s", why);
}

const char *control_profile(hak_heap *heap, const char *name)
{
    char why[sizeof message];
    if (name && !hak_profile_valid(name, why, sizeof why)) control_fail("%s", why);
    else if (name) hak_heap_set_profile(heap, name);
    return hak_heap_profile(heap);
}

bool control_is_size(double bytes)
{
    return bytes >= 0 && bytes <= (double)CONTROL_SIZE_MAX && bytes == (double)(size_t)bytes;
}

size_t control_prewarm(hak_heap *heap, double bytes)
{
    if (control_is_size(bytes)) return hak_heap_prewarm(heap, (size_t)bytes);
    control_fail("prewarm takes a whole number of bytes from 0 to 2^53, not %.14g", bytes);
    return 0;
}

double control_limit(hak_heap *heap, double bytes)
{
    if (isnan(bytes)) return (double)hak_heap_limit(heap);
    if (!control_is_size(bytes)) {
        control_fail("limit must be a whole number of bytes from 0 (no limit) to 2^53, not %.14g",
                     bytes);
    } else if (!hak_heap_set_limit(heap, (size_t)bytes)) {
        hak_stats stats;
        hak_heap_stats(heap, &stats);
        control_fail("limit of %.0f bytes is below the %zu bytes in use", bytes,
                     stats.footprint - stats.retained);
    }
    return (double)hak_heap_limit(heap);
}
