/* Statistics and observations as JSON text. */
#include "insight/observe.h"
#include "insight/tell.h"

size_t hak_heap_stats_json(const hak_heap *heap, char *buffer, size_t size)
{
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    hak_json out = hak__json_begin(buffer, size);
    hak__tell_stats(&out.sink, hak_heap_name(heap), hak_heap_profile(heap), &stats);
    return hak__json_end(&out);
}

size_t hak_process_stats_json(char *buffer, size_t size)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    hak_json out = hak__json_begin(buffer, size);
    hak__tell_process_stats(&out.sink, &stats);
    return hak__json_end(&out);
}

size_t hak_threads_stats_json(char *buffer, size_t size)
{
    hak_threads_stats stats;
    hak_threads_stats_read(&stats);
    hak_json out = hak__json_begin(buffer, size);
    hak__tell_threads_stats(&out.sink, &stats);
    return hak__json_end(&out);
}

size_t hak_heap_observations_json(hak_heap *heap, char *buffer, size_t size)
{
    HAK_GUARDED(heap);
    const hak_observations *snapshot = hak_heap_observations(heap);
    if (!snapshot) return 0;
    hak_json out = hak__json_begin(buffer, size);
    hak__tell_observations(&out.sink, hak_heap_name(heap), snapshot);
    return hak__json_end(&out);
}
