/* A heap that several threads come to. A lock makes sure that it has one user at a time; a heap
 * without a guard has none, and pays for that with a test on its slow paths.
 *
 * The hot path of a guarded heap finds nothing: its bins are empty and no address is in its reach.
 * These fields do not change any more, so any thread may read them. So each call takes a slow
 * path, which locks the guard. What the hot path had is in the guard. */
#ifndef HAK_GUARD_H
#define HAK_GUARD_H

#include <pthread.h>
#include <stdatomic.h>

#include "heap/blocks.h"

typedef struct hak_guard {
    pthread_mutex_t lock;
    _Atomic(pthread_t) user;           /* who has locked it; 0: nobody */
    unsigned depth;                    /* how often, beside the first time */
    struct hak_guard *next, *previous; /* list of the process's guards */
    hak_reach reach;                   /* what the heap's hot path had */
    hak_bins bins;
    hak_bins *sets[HAK_KINDS];
} hak_guard;

/* Guards a heap. `guard`, of the caller's memory, must last until the heap is destroyed or
 * hak__guard_end. No other thread may be using the heap meanwhile. */
void hak__guard_begin(hak_heap *heap, hak_guard *guard);

/* The heap has one user again: the calling thread, which has not locked the guard. */
void hak__guard_end(hak_heap *heap);

hak_guard *hak__guard_lock(hak_guard *guard);
void hak__guard_unlock(hak_guard *guard);

/* The guard of a heap; NULL: it has one user at a time. The slow paths find the bins in the guard
 * then. */
static inline hak_guard *hak__guard_of(const hak_heap *heap)
{
    if (HAK_LIKELY(heap->sets == heap->open)) return NULL;
    return (hak_guard *)((char *)heap->sets - offsetof(hak_guard, sets));
}

static inline hak_guard *hak__guard_enter(const hak_heap *heap)
{
    hak_guard *guard = hak__guard_of(heap);
    return guard ? hak__guard_lock(guard) : NULL;
}

static inline void hak__guard_leave(hak_guard **entered)
{
    if (HAK_UNLIKELY(*entered != NULL)) hak__guard_unlock(*entered);
}

/* The record of the unit that `p` lies in; NULL: it lies where the hot path would not find it.
 * The guard is locked. */
static inline hak_slab *hak__guard_slab_of(const hak_heap *heap, const void *p)
{
    const hak_reach *reach = &hak__guard_of(heap)->reach;
    size_t unit = ((uintptr_t)p - reach->base) >> HAK_UNIT_SHIFT;
    return unit < reach->units ? &reach->slabs[unit] : NULL;
}

/* From here to the end of the block, the calling thread is the heap's only user. A thread may do so
 * more than once. */
#define HAK_GUARDED(heap)                                                         \
    __attribute__((cleanup(hak__guard_leave), unused)) hak_guard *guard_entered = \
        hak__guard_enter(heap)

#endif
