/* A heap that is filled with blocks until it refuses more. */
#ifndef HAK_TEST_FILLED_H
#define HAK_TEST_FILLED_H

#include "support.h"

/* Blocks of a heap, so that some can be freed again. */
typedef struct filled {
    hak_heap *heap;
    void **blocks;
    size_t count, room;
} filled;

filled filled_new(const hak_heap_options *options);
void filled_end(filled *in);
size_t up_to_page(size_t n);

/* Allocates blocks of `size` until the heap refuses; returns how many there were. */
size_t fill(filled *in, size_t size);

void free_all(filled *in);

/* A heap that has just refused `size` bytes had no room for them, and holds no more than before. */
void check_full(const filled *in, size_t size);

#endif
