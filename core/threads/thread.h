/* A heap for each thread, so that malloc needs no lock. The heaps are the same as a VM's; this room
 * makes sure that each has one user at a time.
 *
 * Who may use a heap. A thread heap's *token* is the address of the heap in the record of its
 * thread (`hak_thread.heap`). Who has the token may use the heap:
 *
 *   - The owner's hot path leaves the token where it is. It sets `busy`, reads the token, uses the
 *     heap, and clears `busy`.
 *   - The owner's slow path takes the token: it exchanges it for hak__no_heap, and puts it back at
 *     the end. So a call of malloc from within (libc's, in pthread_create) does not find the heap
 *     half changed: hak__no_heap has no block, and what is asked of it takes the slow path too.
 *   - Another thread *holds* the heap (hold.h). It locks `lock`, exchanges the token for
 *     hak__no_heap, makes all processors see that (membarrier), and waits until `busy` is clear.
 *     An owner that comes meanwhile finds hak__no_heap, takes the slow path, and waits for `lock`.
 *
 * Memory order. The owner's store to `busy` and its load of the token may be exchanged by the
 * processor: no barrier is between them, since the hot path must not pay for one. The barrier that
 * the holder makes all threads of the process execute stands in for it (asymmetric fences; Dice,
 * Huang and Yang, 2001). After it, either the owner has read hak__no_heap, or the holder sees
 * `busy`. What the owner has written reaches the holder by the release store that clears `busy` and
 * the holder's acquire load; what the holder has written reaches the owner by the release store
 * that puts the token back, and the owner's acquire load of it.
 *
 * A block that another thread frees goes to the heap's list (remote.h). */
#ifndef HAK_THREAD_H
#define HAK_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "heap/heap.h"

typedef struct hak_thread hak_thread;

#define HAK_BUNDLE_BLOCKS 14  /* so that a bundle is two cache lines */
#define HAK_BUNDLES       256 /* of a heap */
#define HAK_OUTGOING      8   /* bundles being filled: heaps are told apart by so many */

/* Blocks of another heap that this heap's thread has freed: remote.h. */
typedef struct hak_bundle {
    union {
        struct hak_thread_heap *to; /* being filled */
        uintptr_t next;             /* sent: the list behind it */
    };
    uint32_t count;      /* blocks */
    atomic_uint is_sent; /* cleared by who takes it in */
    void *blocks[HAK_BUNDLE_BLOCKS];
} hak_bundle;

/* A bundle that is being filled, and for which heap: told by its pages. */
typedef struct hak_outgoing {
    const hak_pages *owner; /* NULL: none */
    hak_bundle *bundle;
} hak_outgoing;

/* A thread heap. It outlives its thread, as its blocks do, and then waits for another thread. The
 * record is never given back. */
typedef struct hak_thread_heap {
    hak_heap *heap;
    pthread_mutex_t lock;              /* of who holds the heap, beside its owner */
    _Atomic(hak_thread *) owner;       /* NULL: no thread. Changed under `lock` */
    struct hak_thread_heap *next;      /* of all: all.c */
    struct hak_thread_heap *next_idle; /* of those without a thread */
    size_t remote_frees;               /* blocks that other threads have freed, taken in so far */
    hak_outgoing outgoing[HAK_OUTGOING];
    unsigned next_bundle; /* where to look for one that is not sent */
    /* Written by other threads, and so in lines of their own. */
    _Alignas(128) atomic_uintptr_t remote; /* remote.h */
    _Alignas(128) hak_bundle bundles[HAK_BUNDLES];
} hak_thread_heap;

/* The record of a thread. */
struct hak_thread {
    _Atomic(hak_heap *) heap; /* the token, or &hak__no_heap */
    atomic_uint busy;         /* 1: in a call that uses what it has read from `heap` */
    bool inside;              /* in a slow path: the thread itself has taken the token */
    bool ended;               /* its heap has been left to others for good */
    hak_thread_heap *own;     /* NULL: none */
};

HAK_HIDDEN extern HAK_THREAD_LOCAL hak_thread hak__thread;

/* What a thread without a heap allocates from: no block, no unit. Never written. */
HAK_HIDDEN extern hak_heap hak__no_heap;

/* Begins a call: the heap that it may use until hak__thread_leave. */
static inline hak_heap *hak__thread_enter(void)
{
    atomic_store_explicit(&hak__thread.busy, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    return atomic_load_explicit(&hak__thread.heap, memory_order_acquire);
}

static inline void hak__thread_leave(void)
{
    atomic_store_explicit(&hak__thread.busy, 0, memory_order_release);
}

/* Begins a slow path of a thread that is in no call: returns the heap that it may use until
 * hak__thread_end. That is its own, made if it has none, with what other threads have freed taken
 * in; or the spare one, for a call from within a slow path, or of a thread that has ended.
 * NULL with errno ENOMEM. */
hak_thread_heap *hak__thread_begin(void);
void hak__thread_end(hak_thread_heap *heap);

/* The same in the middle of a call on `heap`, which hak__thread_enter has returned. */
bool hak__thread_take(void);
void hak__thread_put(hak_heap *heap, bool taken);

/* Makes a heap for a thread that has none, but blocks of others to free. */
void hak__thread_need_bundles(void);

#endif
