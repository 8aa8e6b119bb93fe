/* What allocating and resizing share. */
#ifndef HAK_ALLOC_H
#define HAK_ALLOC_H

#include <errno.h>

#include "heap/blocks.h"
#include "heap/reclaim.h"

/* Tries `allocate`, and again each time that something was found that the heap can do without. */
#define HAK_WITH_RETRY(heap, result, allocate)                                \
    do {                                                                      \
        unsigned step = 0;                                                    \
        (result) = (allocate);                                                \
        while (!(result) && hak__reclaim(heap, &step)) (result) = (allocate); \
        if (!(result)) errno = ENOMEM, (heap)->refusals++;                    \
    } while (0)

/* Whether no memory could ever hold `size` bytes: then none need be looked for. */
static inline bool hak__alloc_impossible(size_t size)
{
    if (size <= PTRDIFF_MAX) return false;
    errno = ENOMEM;
    return true;
}

/* A block of a class, from the nest or its slabs; NULL when there is no memory for it. */
void *hak__alloc_class(hak_heap *heap, hak_bin_class class);

#endif
