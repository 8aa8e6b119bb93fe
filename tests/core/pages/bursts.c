#include "bursts.h"

#include <time.h>

size_t pooled(void)
{
    hak_process_stats process;
    hak_process_stats_read(&process);
    return process.pooled;
}

size_t os_calls(void)
{
    hak_process_stats process;
    hak_process_stats_read(&process);
    return process.os.total;
}

bool threads_are(size_t count)
{
    size_t now = support_status("Threads:") / KIB; /* it counts in KiB */
    return support_sanitized || now == count + 1;
}

size_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (size_t)now.tv_sec * 1000 + (size_t)now.tv_nsec / 1000000;
}

void sleep_ms(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

hak_heap *heap_with(const char *settings)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = settings});
    REQUIRE(heap);
    return heap;
}

void burst_begin(hak_heap *heap, burst *in, size_t size)
{
    in->size = size;
    for (size_t i = 0; i < BURST / size; i++) {
        REQUIRE(in->blocks[i] = hak_heap_alloc(heap, size));
        support_fill_pages(in->blocks[i], size, i);
    }
}

void burst_end(hak_heap *heap, burst *in)
{
    for (size_t i = 0; i < BURST / in->size; i++) {
        REQUIRE(support_intact_pages(in->blocks[i], in->size, i) == in->size);
        hak_heap_free(heap, in->blocks[i]);
    }
}

void burst_in_children(void (*run)(void *context))
{
    for (size_t i = 0; i < COUNT(sizes); i++) {
        support_in_child(run, (void *)&sizes[i], 120);
    }
}
