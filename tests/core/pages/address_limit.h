/* Jobs with little address space, which a child takes away from itself. */
#ifndef HAK_TEST_ADDRESS_LIMIT_H
#define HAK_TEST_ADDRESS_LIMIT_H

#include "support.h"

typedef struct job {
    size_t limit; /* bytes of address space */
    size_t size;  /* of blocks */
} job;

static const size_t limits[] = {4 * GIB, GIB, 300 * MIB, 100 * MIB};

/* Takes the address space away, but for what the test itself needs first. */
void *limit_to(const job *of, size_t own);

/* Of a refused one, errno says ENOMEM. */
void *block_or_enomem(void *block);

/* Appends blocks of `size` to the `count` there are until the heap refuses; returns how many there
 * are then. */
size_t fill_up(hak_heap *heap, void **blocks, size_t count, size_t room, size_t size);

#endif
