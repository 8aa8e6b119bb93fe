/* All invariants of a heap: lists against records, records against the accounts, and both against
 * the kernel. In debug builds they are asked now and then; elsewhere there is nothing of it. */
#ifndef HAK_CHECK_H
#define HAK_CHECK_H

#include "heap/blocks.h"

#ifdef HAK_DEBUG

/* Ends the process, with a line that says which, if one does not hold. Reads every free list. */
void hak__heap_check(const hak_heap *heap);

/* The same at the first of so many calls that the time it takes is a small part of theirs. */
void hak__heap_check_now_and_then(const hak_heap *heap);

#else

static inline void hak__heap_check(const hak_heap *heap)
{
    (void)heap;
}

static inline void hak__heap_check_now_and_then(const hak_heap *heap)
{
    (void)heap;
}

#endif
#endif
