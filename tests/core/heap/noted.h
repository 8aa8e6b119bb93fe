/* Blocks that a test notes as it gets them: it may write to all that they hold, and they lie apart.
 */
#ifndef HAK_TEST_NOTED_H
#define HAK_TEST_NOTED_H

#include "support.h"

typedef struct noted {
    unsigned char *start;
    size_t usable;
} noted;

#define BLOCKS_MAX 4096

extern noted blocks[BLOCKS_MAX];
extern size_t block_count;

/* Notes a block, and writes to the first and last byte it may hold. */
void note(hak_heap *heap, void *start, size_t size, size_t alignment);

/* No two of the blocks overlap; their number and bytes are the heap's. Frees them all. */
void noted_end(hak_heap *heap);

/* All powers of two up to `most`, at all sizes up to `largest`, `together` blocks alive at once. */
void aligned_fits(hak_heap *heap, size_t most, size_t largest, size_t together);

/* What a test that failed has left. For the setup of the next. */
int noted_forget(void **state);

#endif
