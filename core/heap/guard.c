#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* a mutex that spins for a while */
#endif
#include "heap/guard.h"

#include "heap/kinds.h"
#include "os/os.h"
#include "pages/pages.h"

/* ------------------------------------------------------------------ locking */

static void make_lock(pthread_mutex_t *lock)
{
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    *lock = (pthread_mutex_t)PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
#else
    pthread_mutex_init(lock, NULL);
#endif
}

hak_guard *hak__guard_lock(hak_guard *guard)
{
    pthread_t me = pthread_self();
    if (atomic_load_explicit(&guard->user, memory_order_relaxed) == me) {
        guard->depth++;
    } else {
        pthread_mutex_lock(&guard->lock);
        atomic_store_explicit(&guard->user, me, memory_order_relaxed);
    }
    return guard;
}

void hak__guard_unlock(hak_guard *guard)
{
    if (guard->depth) {
        guard->depth--;
        return;
    }
    atomic_store_explicit(&guard->user, (pthread_t)0, memory_order_relaxed);
    pthread_mutex_unlock(&guard->lock);
}

/* ------------------------------------------------------------------ forks */

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static hak_guard *guards;
static hak_forking forking;

static void before_fork(void)
{
    if (hak__forking_here(&forking)) return;
    pthread_mutex_lock(&list_lock);
    forking = pthread_self();
    for (hak_guard *guard = guards; guard; guard = guard->next) hak__guard_lock(guard);
}

static void after_fork(void)
{
    if (!hak__forking_here(&forking)) return;
    for (hak_guard *guard = guards; guard; guard = guard->next) hak__guard_unlock(guard);
    forking = (pthread_t)0;
    pthread_mutex_unlock(&list_lock);
}

static void register_handlers(void)
{
    hak__reaper_respect_fork(); /* first: these locks are taken by who has locked a guard */
    pthread_atfork(before_fork, after_fork, after_fork);
}

static void add(hak_guard *guard)
{
    static hak_once once;
    hak__once(&once, register_handlers);
    pthread_mutex_lock(&list_lock);
    guard->next = guards;
    if (guards) guards->previous = guard;
    guards = guard;
    pthread_mutex_unlock(&list_lock);
}

static void take_out(hak_guard *guard)
{
    pthread_mutex_lock(&list_lock);
    if (guard->previous) guard->previous->next = guard->next;
    else guards = guard->next;
    if (guard->next) guard->next->previous = guard->previous;
    pthread_mutex_unlock(&list_lock);
}

/* ------------------------------------------------------------------ beginning and ending */

void hak__guard_begin(hak_heap *heap, hak_guard *guard)
{
    *guard = (hak_guard){.reach = heap->reach, .bins = heap->bins};
    make_lock(&guard->lock);
    heap->reach = (hak_reach){.base = HAK_NO_BASE};
    for (unsigned kind = 0; kind < HAK_KINDS; kind++) {
        guard->sets[kind] = heap->sets[kind] == &heap->bins ? &guard->bins : heap->sets[kind];
    }
    hak__kinds_close_bins(heap);
    heap->sets = guard->sets;
    add(guard);
}

void hak__guard_end(hak_heap *heap)
{
    hak_guard *guard = hak__guard_of(heap);
    take_out(guard);
    heap->reach = guard->reach;
    heap->bins = guard->bins;
    for (unsigned kind = 0; kind < HAK_KINDS; kind++) {
        heap->open[kind] = guard->sets[kind] == &guard->bins ? &heap->bins : guard->sets[kind];
    }
    heap->sets = heap->open;
    pthread_mutex_destroy(&guard->lock);
}
