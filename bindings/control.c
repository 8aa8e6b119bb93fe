#include "control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void control_fail(control_failure *failure, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(failure->message, sizeof failure->message, format, args);
    va_end(args);
}

char *control_stats_json(hak_heap *heap, control_failure *failure)
{
    size_t size = hak_heap_stats_json(heap, NULL, 0) + 1024;
    char *text = malloc(size);
    if (text) hak_heap_stats_json(heap, text, size);
    else control_fail(failure, "not enough memory");
    return text;
}

char *control_process_stats_json(control_failure *failure)
{
    size_t size = hak_process_stats_json(NULL, 0) + 256;
    char *text = malloc(size);
    if (text) hak_process_stats_json(text, size);
    else control_fail(failure, "not enough memory");
    return text;
}

void control_heap_map(hak_heap *heap, control_failure *failure, const char *path)
{
    if (!hak_heap_map(heap, path)) {
        control_fail(failure, "heap_map cannot write '%.200s': %s", path, strerror(errno));
    }
}

char *control_observations_json(hak_heap *heap, control_failure *failure)
{
    size_t size = hak_heap_observations_json(heap, NULL, 0) + 1;
    char *text = size > 1 ? malloc(size) : NULL;
    if (text) hak_heap_observations_json(heap, text, size);
    else control_fail(failure, size > 1 ? "not enough memory" : CONTROL_NOT_OBSERVED);
    return text;
}

void control_trace(hak_heap *heap, control_failure *failure, const char *path)
{
    if (hak_heap_trace(heap, path)) return;
    if (errno == ENODATA) control_fail(failure, CONTROL_NOT_OBSERVED);
    else control_fail(failure, "trace cannot write '%.200s': %s", path, strerror(errno));
}

void control_configure(hak_heap *heap, control_failure *failure, const char *settings)
{
    hak_heap_configure(heap, settings, failure->message, sizeof failure->message);
}

const char *control_profile(hak_heap *heap, control_failure *failure, const char *name)
{
    if (name && hak_profile_valid(name, failure->message, sizeof failure->message))
        hak_heap_set_profile(heap, name);
    return hak_heap_profile(heap);
}

bool control_is_size(double bytes)
{
    return bytes >= 0 && bytes <= (double)CONTROL_SIZE_MAX && bytes == (double)(size_t)bytes;
}

size_t control_prewarm(hak_heap *heap, control_failure *failure, double bytes)
{
    if (control_is_size(bytes)) return hak_heap_prewarm(heap, (size_t)bytes);
    control_fail(failure, "prewarm takes a whole number of bytes from 0 to 2^53, not %.14g", bytes);
    return 0;
}

double control_limit(hak_heap *heap, control_failure *failure, double bytes)
{
    if (isnan(bytes)) return (double)hak_heap_limit(heap);
    if (!control_is_size(bytes)) {
        control_fail(failure,
                     "limit must be a whole number of bytes from 0 (no limit) to 2^53, not %.14g",
                     bytes);
    } else if (!hak_heap_set_limit(heap, (size_t)bytes)) {
        hak_stats stats;
        hak_heap_stats(heap, &stats);
        control_fail(failure, "limit of %.0f bytes is below the %zu bytes in use", bytes,
                     stats.footprint - stats.retained);
    }
    return (double)hak_heap_limit(heap);
}
