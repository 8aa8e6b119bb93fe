/* What is done once in a process, by whichever thread comes first, while the others wait for it: as
 * pthread_once. But a fork may happen meanwhile. Then the child has no thread that goes on with it,
 * and does it again, from the beginning. pthread_once does so in glibc; in musl the child would
 * wait for ever. */
#ifndef HAK_ONCE_H
#define HAK_ONCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "os/config.h"

#define HAK_ONCE_DONE (-1)

typedef struct hak_once {
    atomic_int state; /* 0, the process that is at it, or HAK_ONCE_DONE */
} hak_once;

void hak__once_do(hak_once *once, void (*run)(void));

static inline void hak__once(hak_once *once, void (*run)(void))
{
    int state = atomic_load_explicit(&once->state, memory_order_acquire);
    if (HAK_UNLIKELY(state != HAK_ONCE_DONE)) hak__once_do(once, run);
}

/* The thread that has locked what must not be copied as locked, and forks. Handlers of
 * pthread_atfork are called twice for a fork if they were registered just before an earlier one, in
 * hak__once that was not done yet: the child has registered them once more. They lock if the thread
 * does not fork yet, and unlock if it still does. Changed under the lock. */
typedef _Atomic(pthread_t) hak_forking;

static inline bool hak__forking_here(hak_forking *forking)
{
    return atomic_load(forking) == pthread_self();
}

#endif
