/* All thread heaps of the process: how they are made, and lists of them. */
#ifndef HAK_ALL_H
#define HAK_ALL_H

#include "threads/thread.h"

/* The thread heap that a heap is; NULL: a heap of another kind. Any thread may call it. */
hak_thread_heap *hak__thread_heap_of(const hak_heap *heap);

/* A heap without a thread: the one that became so last, or a new one. NULL: out of memory. */
hak_thread_heap *hak__threads_take_idle(void);

/* Adds a heap whose thread has left it. */
void hak__threads_add_idle(hak_thread_heap *heap);

/* Guards the lists. Not to be taken by who holds a heap. */
void hak__threads_lock(void);
void hak__threads_unlock(void);

/* The profile and the options that heaps are made with: what the environment says, until the first
 * call. With the lock. False, with a message as from hak_heap_configure, for unknown settings. */
bool hak__threads_set_profile(const char *name);
bool hak__threads_refine(const char *settings, char *message, size_t size);
const char *hak__threads_profile(void);

/* Has a heap, which the caller may use, follow them. */
void hak__threads_follow(hak_thread_heap *of);

/* The first of all; the others follow by `next`. With the lock. */
hak_thread_heap *hak__threads_first(void);

/* In the child of a fork, which has only the thread `me`: all other heaps become idle. With the
 * lock. */
void hak__threads_end_others(const hak_thread *me);

/* A heap beside them, for calls from within a slow path and of threads that have ended: locked, or
 * NULL with errno ENOMEM. */
hak_thread_heap *hak__threads_lock_spare(void);

/* The same heap as it is; its `heap` is NULL until it is first used. */
hak_thread_heap *hak__threads_spare(void);

#endif
