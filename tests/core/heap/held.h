/* Blocks, all of one size, in a list that takes none of the memory it measures. */
#ifndef HAK_TEST_HELD_H
#define HAK_TEST_HELD_H

#include "support.h"

#define NOISE (2 * MIB) /* of the rest of the process, in resident memory */

typedef struct held {
    void **blocks;
    size_t count;
} held;

/* The list of blocks is not on malloc's heap, which would keep it resident. */
held hold(hak_heap *heap, size_t count, size_t size);

void let_go(hak_heap *heap, held *of);

/* Trims, and checks the account of it; returns what was given back. */
size_t trim(hak_heap *heap);

/* Sizes of blocks: of slabs, spans and huge ones. */
static const size_t loads[] = {40, 1000, 10000, 100000, 2 * MIB, 6 * MIB};

/* Blocks of `size` for `bytes` in all, fewer in the debug build where freeing walks lists, but
 * enough for some slabs. */
held hold_bytes(hak_heap *heap, size_t bytes, size_t size);

/* Frees all of `all` but one in `part`. */
void thin_out(hak_heap *heap, held *all, size_t part);

void held_end(hak_heap *heap, held *all, size_t size);

#endif
