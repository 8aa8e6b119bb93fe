/* Size classes: which block size serves a request.
 *
 * Up to 1,024 bytes in steps of the heap's granularity (8 or 16), above that in eight steps to each
 * doubling, so that at most an eighth is wasted, up to 16 KiB. Larger blocks have no class: they
 * are spans of pages.
 *
 * A class is named by its index: small ones by size / 8 at either granularity (a heap of
 * granularity 16 uses the even ones only), medium ones from 129 on. */
#ifndef HAK_SIZECLASS_H
#define HAK_SIZECLASS_H

#include <stddef.h>

#include "report.h"

#define HAK_SMALL_MAX ((size_t)1024)
#define HAK_MEDIUM_MAX ((size_t)16 * 1024)
#define HAK_SMALL_CLASSES (HAK_SMALL_MAX / 8) /* 1 … 128; index 0 serves size 0 */
#define HAK_MEDIUM_CLASSES ((size_t)32)       /* 8 for each of 2, 4, 8, 16 KiB */
#define HAK_CLASSES (1 + HAK_SMALL_CLASSES + HAK_MEDIUM_CLASSES)

/* The class of `size` bytes, 0 … HAK_MEDIUM_MAX, at `granularity` 8 or 16. */
static inline unsigned hak__class_of(size_t size, size_t granularity)
{
    if (size <= HAK_SMALL_MAX) {
        if (size == 0) size = 1;
        return (unsigned)((size + granularity - 1) / granularity * (granularity / 8));
    }
    unsigned doubling = (unsigned)(63 - __builtin_clzll(size - 1)) - 10; /* above 1 KiB << doubling */
    size_t base = HAK_SMALL_MAX << doubling;
    size_t step = base / 8;
    return (unsigned)(HAK_SMALL_CLASSES + 8 * doubling + (size - base + step - 1) / step);
}

/* The block size of a class in bytes. */
static inline size_t hak__class_size(unsigned index)
{
    if (index <= HAK_SMALL_CLASSES) return (size_t)index * 8;
    unsigned medium = index - HAK_SMALL_CLASSES - 1;
    size_t base = HAK_SMALL_MAX << (medium / 8);
    return base + (medium % 8 + 1) * (base / 8);
}

#endif
