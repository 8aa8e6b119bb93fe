/* Blocks above 16 KiB: spans of a heap's units up to 2 MiB, huge blocks with address space of their
 * own above that, or where a block grows. Under a limit of address space (RLIMIT_AS) whole units
 * are a waste: blocks up to 1.3 MiB are packed (pages/packs.h), and the others are huge blocks. */
#ifndef HAK_LARGE_H
#define HAK_LARGE_H

#include "heap/blocks.h"

#define HAK_LARGE_ALIGN HAK_PACK_STEP /* bytes; for blocks of which no more is asked */

/* A block of a kind with at least `size` bytes, at most PTRDIFF_MAX, at a multiple of `align`,
 * zeroed if asked. NULL, and no change, when memory or the limit is exhausted. */
void *hak__large_alloc(hak_heap *heap, unsigned kind, size_t size, size_t align, bool zero);

/* The same for a block that has just outgrown its place, and will probably grow on: from 256 KiB up
 * it gets address space of its own, so that this copy is the last. */
void *hak__large_alloc_growing(hak_heap *heap, unsigned kind, size_t size);

void hak__span_free(hak_heap *heap, hak_slab *span, void *block);
void hak__huge_free(hak_heap *heap, hak_superslab *huge, void *block);
void hak__packed_free(hak_heap *heap, hak_superslab *pack, void *block);

/* Makes the block `size` bytes long (above HAK_MEDIUM_MAX) in place, or, a huge one, by moving its
 * pages. NULL when it would have to be copied, or to stay as it is. */
void *hak__span_resize(hak_heap *heap, hak_slab *span, size_t size);
void *hak__huge_resize(hak_heap *heap, hak_superslab *huge, size_t size);
void *hak__packed_resize(hak_heap *heap, hak_superslab *pack, void *block, size_t size);

#endif
