/* Looking through the small blocks of a heap. */
#ifndef HAK_EACH_H
#define HAK_EACH_H

#include "heap/blocks.h"

/* Returns false to end the visit. */
typedef bool hak_each_block(void *context, const void *block);

/* Calls `each` for every block that holds `size` bytes, at most HAK_SMALL_MAX, and that other sizes
 * may share; those that are free too, whose first word is not theirs. What was purged is left out.
 * Returns false if `each` did. The cost grows with these blocks, not with the others. */
bool hak__heap_each_block(const hak_heap *heap, size_t size, hak_each_block *each, void *context);

/* Whether a live block of this heap, of a size up to HAK_MEDIUM_MAX that rounds up as `size` does,
 * begins at `p`, which may be any address. The cost grows with the blocks of its slab. */
bool hak__heap_is_live(const hak_heap *heap, const void *p, size_t size);

#endif
