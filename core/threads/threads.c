/* The heap of the calling thread: how it gets one and leaves it, and its slow paths. */
#include "os/os.h"
#include "threads/all.h"
#include "threads/fork.h"
#include "threads/remote.h"
#include "threads/thread.h"

hak_heap hak__no_heap = {
    .bins = {.bin = {[0 ... HAK_SMALL_MAX / 8] = (hak_slab *)&hak__no_slab},
             .lists = (hak_lists *)&hak__no_lists},
};

HAK_THREAD_LOCAL hak_thread hak__thread = {.heap = &hak__no_heap};

/* ------------------------------------------------------------------ getting and leaving it */

static pthread_key_t at_end;

static void end_of_thread(void *nothing);

static void make_key(void)
{
    pthread_key_create(&at_end, end_of_thread);
}

/* Gives the thread a heap, whose token it has. */
static bool attach(hak_thread *me)
{
    static hak_once once;
    me->inside = true;
    hak__once(&once, make_key);
    hak__threads_respect_fork();
    hak_thread_heap *heap = hak__threads_take_idle();
    if (heap) {
        pthread_mutex_lock(&heap->lock);
        heap->owner = me;
        pthread_mutex_unlock(&heap->lock);
        me->own = heap;
        pthread_setspecific(at_end, me);
    }
    me->inside = false;
    return heap != NULL;
}

/* Leaves its heap to others. With the lock no one has or gets the token but the thread itself. */
static void detach(hak_thread *me)
{
    hak_thread_heap *heap = me->own;
    pthread_mutex_lock(&heap->lock);
    atomic_store_explicit(&me->heap, &hak__no_heap, memory_order_relaxed);
    heap->owner = NULL;
    pthread_mutex_unlock(&heap->lock);
    me->own = NULL;
    hak__threads_add_idle(heap);
}

/* What a heap without a thread retains is kept for the next one, like that of destroyed heaps. */
static void leave_pages(hak_thread_heap *own)
{
    if (own->heap->pages.retained > hak__policy(own->heap)->pool) hak__heap_rest(own->heap, 0);
}

static void end_of_thread(void *nothing)
{
    (void)nothing;
    hak_thread *me = &hak__thread;
    hak_thread_heap *own = hak__thread_begin();
    if (own) {
        if (own == me->own) {
            hak__remote_flush(own);
            leave_pages(own);
        }
        hak__thread_end(own);
    }
    me->ended = true;
    if (me->own) detach(me);
}

/* ------------------------------------------------------------------ slow paths */

static bool take_token(hak_thread *me)
{
    return atomic_exchange_explicit(&me->heap, &hak__no_heap, memory_order_acquire) !=
           &hak__no_heap;
}

static hak_thread_heap *begin_spare(void)
{
    hak_thread_heap *spare = hak__threads_lock_spare();
    if (spare && hak__remote_waits(spare)) hak__remote_take(spare);
    return spare;
}

hak_thread_heap *hak__thread_begin(void)
{
    hak_thread *me = &hak__thread;
    if (me->inside || me->ended) return begin_spare();
    if (!me->own) {
        if (!attach(me)) return NULL;
    } else {
        while (!take_token(me)) { /* somebody holds the heap */
            pthread_mutex_lock(&me->own->lock);
            pthread_mutex_unlock(&me->own->lock);
        }
    }
    me->inside = true;
    if (hak__remote_waits(me->own)) hak__remote_take(me->own);
    return me->own;
}

void hak__thread_need_bundles(void)
{
    hak_thread *me = &hak__thread;
    if (me->own || me->inside || me->ended || !attach(me)) return;
    hak__thread_end(me->own);
}

void hak__thread_end(hak_thread_heap *heap)
{
    hak_thread *me = &hak__thread;
    if (heap != me->own) {
        pthread_mutex_unlock(&heap->lock);
        return;
    }
    me->inside = false;
    atomic_store_explicit(&me->heap, heap->heap, memory_order_release);
}

/* Who holds the heap by now waits until `busy` is clear, and puts the token back itself. */
bool hak__thread_take(void)
{
    hak__thread.inside = true;
    return take_token(&hak__thread);
}

void hak__thread_put(hak_heap *heap, bool taken)
{
    hak__thread.inside = false;
    if (taken) atomic_store_explicit(&hak__thread.heap, heap, memory_order_release);
}
