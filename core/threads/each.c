#include "threads/each.h"

#include "threads/all.h"
#include "threads/hold.h"
#include "threads/remote.h"

/* A bundle that is not full would wait for ever if its thread is idle. */
static void flush(hak_thread_heap *heap, bool is_own)
{
    if (is_own) hak__thread_begin();
    else hak__hold(heap);
    hak__remote_flush(heap);
    if (is_own) hak__thread_end(heap);
    else hak__hold_end(heap);
}

static void visit_one(hak_thread_heap *heap, bool is_own, hak_thread_visitor *visit, void *context)
{
    if (is_own) hak__thread_begin();
    else hak__hold(heap);
    if (hak__remote_waits(heap)) hak__remote_take(heap);
    visit(context, heap);
    if (is_own) hak__thread_end(heap);
    else hak__hold_end(heap);
}

/* With the lock. */
static void each(hak_thread_visitor *visit, void *context)
{
    const hak_thread_heap *own = hak__thread.own;
    for (hak_thread_heap *heap = hak__threads_first(); heap; heap = heap->next)
        flush(heap, heap == own);
    for (hak_thread_heap *heap = hak__threads_first(); heap; heap = heap->next)
        visit_one(heap, heap == own, visit, context);
    if (hak__threads_spare()->heap) visit_one(hak__threads_spare(), false, visit, context);
}

void hak__threads_each(hak_thread_visitor *visit, void *context)
{
    hak__threads_lock();
    each(visit, context);
    hak__threads_unlock();
}

/* ------------------------------------------------------------------ profiles */

static void follow(void *nothing, hak_thread_heap *heap)
{
    (void)nothing;
    hak__threads_follow(heap);
}

bool hak_threads_set_profile(const char *name)
{
    hak__threads_lock();
    bool is_known = hak__threads_set_profile(name);
    if (is_known) each(follow, NULL);
    hak__threads_unlock();
    return is_known;
}

bool hak_threads_configure(const char *settings, char *message, size_t size)
{
    hak__threads_lock();
    bool is_valid = hak__threads_refine(settings, message, size);
    if (is_valid) each(follow, NULL);
    hak__threads_unlock();
    return is_valid;
}

const char *hak_threads_profile(void)
{
    hak__threads_lock();
    const char *name = hak__threads_profile();
    hak__threads_unlock();
    return name;
}

/* ------------------------------------------------------------------ trimming */

static void trim(void *given, hak_thread_heap *heap)
{
    *(size_t *)given += hak_heap_trim(heap->heap);
}

size_t hak_threads_trim(void)
{
    size_t given = 0;
    hak__threads_each(trim, &given);
    return given;
}
