/* Size classes: the block size for a request.
 *
 * Eight classes in steps of the granularity (8 or 16 bytes), then eight to each doubling up to 16
 * KiB: at most an eighth of a block is wasted. Larger blocks have no class: they are spans of
 * pages. A class is named by its index, from 1, in order of size. In HAK_SPACING_WORDS_MORE, for
 * arrays with a word more than a power of two, the first class of each doubling is just that; there
 * at most a fifth is wasted. */
#ifndef HAK_SIZECLASS_H
#define HAK_SIZECLASS_H

#include <stddef.h>
#include <stdint.h>

#include "os/os.h"

#define HAK_SMALL_MAX      ((size_t)1024)      /* bytes; served by the hot path */
#define HAK_MEDIUM_MAX     ((size_t)16 * 1024) /* bytes; served from slabs */
#define HAK_CLASS_STEPS    8
#define HAK_CLASSES        (1 + 9 * HAK_CLASS_STEPS) /* at granularity 8; index 0 is unused */
#define HAK_MEDIUM_FIRST   (1 + 4 * HAK_CLASS_STEPS) /* lowest medium class, at granularity 16 */
#define HAK_MEDIUM_CLASSES (HAK_CLASSES - HAK_MEDIUM_FIRST)

/* The classes of a heap. Aligned, so that the address of one is a shift. */
typedef struct hak_spacing {
    uint16_t granularity, shift; /* bytes, and its log2 */
    uint16_t sizes[HAK_CLASSES]; /* block sizes in bytes, by class */
} __attribute__((aligned(256))) hak_spacing;

enum { HAK_SPACING_8, HAK_SPACING_16, HAK_SPACING_WORDS_MORE, HAK_SPACINGS };

HAK_HIDDEN extern const hak_spacing hak__spacings[HAK_SPACINGS];

/* The class of `size` bytes, 0 to HAK_MEDIUM_MAX. */
static inline unsigned hak__class_of(size_t size, const hak_spacing *spacing)
{
    size_t granularity = spacing->granularity, base = HAK_CLASS_STEPS * granularity;
    if (size <= base) return (unsigned)((size + granularity - 1) >> spacing->shift) + (size == 0);
    unsigned doubling = (unsigned)(__builtin_clzll(base) - __builtin_clzll(size - 1));
    unsigned shift = spacing->shift + doubling;
    size_t steps = (size - (base << doubling) + ((size_t)1 << shift) - 1) >> shift;
    unsigned index = (unsigned)(HAK_CLASS_STEPS * (doubling + 1) + steps);
    return index + (size > spacing->sizes[index]);
}

/* The block size of a class in bytes. */
static inline size_t hak__class_size(unsigned index, const hak_spacing *spacing)
{
    return spacing->sizes[index];
}

/* Bytes by which the blocks of a class are larger than those of the class below. */
static inline size_t hak__class_step(unsigned index, const hak_spacing *spacing)
{
    return (size_t)spacing->sizes[index] - spacing->sizes[index - 1];
}

/* The class for `size` bytes at a multiple of `alignment`, a power of two up to the page: its block
 * size is a multiple of the alignment, in slabs that begin at a multiple of the page. `size` and
 * `alignment` together are at most HAK_MEDIUM_MAX. */
static inline unsigned hak__class_aligned(size_t size, size_t alignment, const hak_spacing *spacing)
{
    size = (size + alignment - 1) & ~(alignment - 1);
    unsigned index = hak__class_of(size, spacing);
    while (spacing->sizes[index] % alignment) index++;
    return index;
}

/* The largest class whose blocks have at most `size` bytes, which is at least the granularity. */
static inline unsigned hak__class_within(size_t size, const hak_spacing *spacing)
{
    unsigned index = hak__class_of(size, spacing);
    return index - (spacing->sizes[index] > size);
}

#endif
