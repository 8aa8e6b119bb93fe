#include "threads/fork.h"

#include "os/os.h"
#include "threads/all.h"
#include "threads/hold.h"

static hak_forking forking;

static bool is_others(const hak_thread_heap *heap)
{
    return heap->owner && heap->owner != &hak__thread;
}

/* One barrier for all of them. */
static void before_fork(void)
{
    if (hak__forking_here(&forking)) return;
    hak__threads_lock();
    for (hak_thread_heap *heap = hak__threads_first(); heap; heap = heap->next) {
        pthread_mutex_lock(&heap->lock);
        if (is_others(heap)) hak__hold_token(heap);
    }
    hak__os_barrier();
    for (hak_thread_heap *heap = hak__threads_first(); heap; heap = heap->next) {
        if (is_others(heap)) hak__hold_settle(heap);
    }
    pthread_mutex_lock(&hak__threads_spare()->lock);
    forking = pthread_self();
}

static void after_fork(void)
{
    if (!hak__forking_here(&forking)) return;
    forking = (pthread_t)0;
    pthread_mutex_unlock(&hak__threads_spare()->lock);
    for (hak_thread_heap *heap = hak__threads_first(); heap; heap = heap->next) {
        if (is_others(heap)) hak__hold_end(heap);
        else pthread_mutex_unlock(&heap->lock);
    }
    hak__threads_unlock();
}

/* The other threads are gone, and their records with them. */
static void in_child(void)
{
    if (hak__forking_here(&forking)) hak__threads_end_others(&hak__thread);
    after_fork();
}

static void register_handlers(void)
{
    hak__heap_respect_fork(); /* first: a thread that is waited for may wait for those locks */
    pthread_atfork(before_fork, after_fork, in_child);
}

void hak__threads_respect_fork(void)
{
    static hak_once once;
    hak__once(&once, register_handlers);
}
