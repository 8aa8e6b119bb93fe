/* What is done to the heaps of all threads. */
#ifndef HAK_EACH_THREAD_H
#define HAK_EACH_THREAD_H

#include "threads/thread.h"

/* Calls `visit` for each heap, holds it meanwhile, and takes in what has been freed remotely. Not
 * for a thread that holds a heap. */
typedef void hak_thread_visitor(void *context, hak_thread_heap *heap);
void hak__threads_each(hak_thread_visitor *visit, void *context);

#endif
