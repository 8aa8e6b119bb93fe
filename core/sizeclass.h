/* Size classes: which block size serves a request.
 *
 * Eight classes in steps of the heap's granularity (8 or 16 bytes), and from there on eight to each
 * doubling, so that at most an eighth is wasted, up to 16 KiB. Larger blocks have no class: they
 * are spans of pages. A class is named by its index, from 1 in order of size. */
#ifndef HAK_SIZECLASS_H
#define HAK_SIZECLASS_H

#include <stddef.h>

#include "report.h"

#define HAK_SMALL_MAX  ((size_t)1024)      /* served by the hot path */
#define HAK_MEDIUM_MAX ((size_t)16 * 1024) /* served from slabs */
#ifndef HAK_CLASS_STEPS
#define HAK_CLASS_STEPS ((size_t)8)
#endif
#define HAK_CLASSES        (1 + 9 * HAK_CLASS_STEPS) /* at granularity 8; index 0 is unused */
#define HAK_MEDIUM_FIRST   (1 + 4 * HAK_CLASS_STEPS) /* no medium class is below, at either */
#define HAK_MEDIUM_CLASSES (HAK_CLASSES - HAK_MEDIUM_FIRST)

/* The class of `size` bytes, 0 … HAK_MEDIUM_MAX, at `granularity` 8 or 16. */
static inline unsigned hak__class_of(size_t size, size_t granularity)
{
    size_t base = HAK_CLASS_STEPS * granularity;
    unsigned shift = granularity == 8 ? 3 : 4;
    if (size <= base) return (unsigned)((size + granularity - 1) >> shift) + (size == 0);
    unsigned doubling = (unsigned)(__builtin_clzll(base) - __builtin_clzll(size - 1));
    unsigned step_shift = shift + doubling;
    size_t above = size - (base << doubling);
    size_t steps = (above + ((size_t)1 << step_shift) - 1) >> step_shift;
    return (unsigned)(HAK_CLASS_STEPS * (doubling + 1) + steps);
}

/* By how many bytes a class's blocks are larger than those of the class below. */
static inline size_t hak__class_step(unsigned index, size_t granularity)
{
    return index <= HAK_CLASS_STEPS ? granularity
                                    : granularity << ((index - 1) / HAK_CLASS_STEPS - 1);
}

/* The block size of a class in bytes. */
static inline size_t hak__class_size(unsigned index, size_t granularity)
{
    if (index <= HAK_CLASS_STEPS) return index * granularity;
    size_t doubling = (index - 1) / HAK_CLASS_STEPS - 1;
    size_t steps = HAK_CLASS_STEPS + (index - 1) % HAK_CLASS_STEPS + 1;
    return steps * granularity << doubling;
}

/* The class whose blocks of `size` bytes lie at a multiple of `alignment`, a power of two up to the
 * page, in slabs that begin at a multiple of the page: whose block size is a multiple of it. Both
 * together are at most HAK_MEDIUM_MAX. */
static inline unsigned hak__class_aligned(size_t size, size_t alignment, size_t granularity)
{
    size = (size + alignment - 1) & ~(alignment - 1);
    unsigned index = hak__class_of(size, granularity);
    while (hak__class_size(index, granularity) % alignment) index++;
    return index;
}

/* The largest class whose blocks have at most `size` bytes, the granularity or more. */
static inline unsigned hak__class_within(size_t size, size_t granularity)
{
    if (size <= HAK_CLASS_STEPS * granularity)
        return (unsigned)(size >> (granularity == 8 ? 3 : 4));
    unsigned index = hak__class_of(size, granularity);
    return index - (hak__class_size(index, granularity) > size);
}

#endif
