/* What a pointer is: in which slab, span, nest or huge block of a heap it lies, if in any. */
#ifndef HAK_LOCATE_H
#define HAK_LOCATE_H

#include "heap/blocks.h"

/* Where a block lies that is not in the hot path's range. */
typedef struct hak_location {
    hak_slab *slab;      /* of a slab, a span or the nest, or … */
    hak_superslab *huge; /* … a huge block; both NULL: not this heap's */
} hak_location;

hak_location hak__locate(const hak_heap *heap, const void *p);

/* What the block there is for. */
unsigned hak__location_kind(const hak_heap *heap, const hak_location *at, const void *block);

/* How many bytes the block at `p` can hold; 0 if it is not one. */
size_t hak__location_size(const hak_heap *heap, hak_location at, const void *p);

#endif
