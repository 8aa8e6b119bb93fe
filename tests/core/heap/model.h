/* A plain model of a heap: which blocks live, and what is in them. It does random operations on
 * both, and checks that they agree. */
#ifndef HAK_TEST_MODEL_H
#define HAK_TEST_MODEL_H

#include "support.h"

#include "heap/blocks.h"

typedef struct block {
    unsigned char *start;
    size_t size, usable;
    uint64_t stamp;
} block;

typedef struct model {
    hak_heap *heap;
    support_random random;
    block *blocks, *sorted; /* live, and room to sort them */
    size_t count, room;
    size_t bytes;                      /* usable, of all blocks */
    size_t granularity, largest;       /* bytes; sizes asked for */
    size_t most_blocks, most_bytes;    /* where freeing takes over */
    bool may_refuse;                   /* on little memory */
    const unsigned char *memory, *end; /* the caller's, or NULL */
    size_t refused;
} model;

/* Of the heaps of models that are made. */
extern const hak_hints *model_hints;

model model_new(const hak_heap_options *options, uint64_t salt);

/* One operation. The mix swings between filling and emptying, so that slabs come and go. */
void model_step(model *m, size_t time);

/* No two blocks overlap, and the statistics are those of the model. */
void model_checkpoint(model *m);

/* So many operations, with checkpoints. */
void model_run(model *m, size_t operations);

/* Frees all that is left, and destroys the heap. */
void model_end(model *m);

#endif
