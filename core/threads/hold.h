/* Holding the heap of another thread, or of none: thread.h has the protocol. */
#ifndef HAK_HOLD_H
#define HAK_HOLD_H

#include "threads/thread.h"

/* Holds a heap, so that the caller may use it. False: its owner is in a slow path, or somebody else
 * holds it. Not for the calling thread's own heap. */
bool hak__hold_try(hak_thread_heap *heap);

/* The same, and waits. The caller holds no other heap, and no lock that is taken while a heap is
 * used. */
void hak__hold(hak_thread_heap *heap);

/* Ends it. */
void hak__hold_end(hak_thread_heap *heap);

/* The two steps of holding many at once, for fork: takes the token, waiting for it; and, after a
 * barrier, waits until the owner has left its call. `lock` is held. */
void hak__hold_token(hak_thread_heap *heap);
void hak__hold_settle(hak_thread_heap *heap);

#endif
