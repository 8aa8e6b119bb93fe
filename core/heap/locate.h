/* Which slab, span, nest, pack or huge block of a heap a pointer lies in. */
#ifndef HAK_LOCATE_H
#define HAK_LOCATE_H

#include "heap/blocks.h"

/* The place of a pointer. All NULL: it is not in this heap. */
typedef struct hak_location {
    hak_slab *slab;      /* first unit of a slab or span, or the nest */
    hak_superslab *huge; /* huge block */
    hak_superslab *pack;
} hak_location;

hak_location hak__locate(const hak_heap *heap, const void *p);

/* The kind of the block at that place. */
unsigned hak__location_kind(const hak_heap *heap, const hak_location *at, const void *block);

/* Bytes that the block at `p` can hold; 0 if there is none. */
size_t hak__location_size(const hak_heap *heap, hak_location at, const void *p);

#endif
