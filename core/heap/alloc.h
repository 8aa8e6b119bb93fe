/* What alloc.c and resize.c share. */
#ifndef HAK_ALLOC_H
#define HAK_ALLOC_H

#include <errno.h>

#include "heap/blocks.h"
#include "heap/reclaim.h"

/* Evaluates `allocate` until it gives a block or hak__reclaim finds no more memory. Then errno is
 * ENOMEM, and a refusal is counted. */
#define HAK_WITH_RETRY(heap, result, allocate)                                \
    do {                                                                      \
        unsigned step = 0;                                                    \
        (result) = (allocate);                                                \
        while (!(result) && hak__reclaim(heap, &step)) (result) = (allocate); \
        if (!(result)) errno = ENOMEM, (heap)->refusals++;                    \
    } while (0)

/* Whether `size` exceeds any possible memory: then reclaiming is pointless. Sets errno. */
static inline bool hak__alloc_impossible(size_t size)
{
    if (size <= PTRDIFF_MAX) return false;
    errno = ENOMEM;
    return true;
}

/* A block of a class, from the nest or a slab; NULL: out of memory. */
void *hak__alloc_class(hak_heap *heap, hak_bin_class class);

#endif
