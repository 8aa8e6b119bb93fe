#include "threads/hold.h"

#include <sched.h>
#include <time.h>

#include "os/os.h"

#define YIELDS   20    /* to an owner in its hot path: if it runs, it takes some nanoseconds */
#define SLEEP_NS 50000 /* then: an owner of lower priority would not run otherwise */

static bool take_token(hak_thread_heap *heap)
{
    return atomic_exchange_explicit(&heap->owner->heap, &hak__no_heap, memory_order_acq_rel) !=
           &hak__no_heap;
}

static void put_token(hak_thread_heap *heap)
{
    atomic_store_explicit(&heap->owner->heap, heap->heap, memory_order_release);
}

static bool is_busy(const hak_thread_heap *heap)
{
    return atomic_load_explicit(&heap->owner->busy, memory_order_acquire);
}

/* Waits for an owner. */
static void wait_some(unsigned *waited)
{
    if (++*waited < YIELDS) sched_yield();
    else nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
}

bool hak__hold_try(hak_thread_heap *heap)
{
    if (pthread_mutex_trylock(&heap->lock) != 0) return false;
    if (!heap->owner) return true;
    if (!take_token(heap)) {
        pthread_mutex_unlock(&heap->lock);
        return false;
    }
    hak__os_barrier();
    hak__hold_settle(heap);
    return true;
}

void hak__hold(hak_thread_heap *heap)
{
    pthread_mutex_lock(&heap->lock);
    if (!heap->owner) return;
    hak__hold_token(heap);
    hak__os_barrier();
    hak__hold_settle(heap);
}

void hak__hold_end(hak_thread_heap *heap)
{
    if (heap->owner) put_token(heap);
    pthread_mutex_unlock(&heap->lock);
}

void hak__hold_token(hak_thread_heap *heap)
{
    unsigned waited = 0;
    while (!take_token(heap)) wait_some(&waited);
}

void hak__hold_settle(hak_thread_heap *heap)
{
    unsigned waited = 0;
    while (is_busy(heap)) wait_some(&waited);
}
