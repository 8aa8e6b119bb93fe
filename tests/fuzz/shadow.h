/* The shadow of a heap: what the program of the fuzzer knows of it, and what must hold between the
 * two. Every call of the core goes through here or through settings.h, with what its contract in
 * hakmem.h says checked at once. */
#ifndef FUZZ_SHADOW_H
#define FUZZ_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hakmem.h"

#define HEAPS          4
#define BLOCKS_MOST    4096                /* of a heap */
#define BYTES_MOST     ((size_t)640 << 20) /* of a heap */
#define ALIGNMENT_MOST ((size_t)1 << 40)   /* of hak_heap_aligned_alloc */
#define LARGEST        ((size_t)512 << 20) /* block */
#define ABSURD         ((size_t)1 << 46)   /* no memory could hold a block from this size on */

typedef struct block {
    unsigned char *start; /* NULL: freed, and to be left out by shadow_compact */
    size_t size, usable, alignment;
    uint64_t stamp;
    unsigned kind;
} block;

typedef struct shadow {
    hak_heap *heap; /* NULL: none */
    block blocks[BLOCKS_MOST];
    size_t count;
    size_t bytes; /* usable, of all blocks */
    size_t granularity;
    const char *name;
    bool kinds;
    unsigned char *allocation; /* of the caller's memory, or NULL */
    unsigned char *memory;
    size_t memory_size;
    size_t limit, grace; /* 0: none */
    size_t
        prewarmed;  /* bytes, since the last trim: so many may be retained when memory is refused */
    size_t ceiling; /* what the footprint may be, since a grace has ended above the limit */
    size_t grace_seen; /* the most above the limit that was seen in this grace */
} shadow;

extern shadow shadows[HEAPS];

/* What the input may still do, in about nanoseconds / 10: an input is not to take long. */
extern size_t shadow_time_left;
void shadow_spend(size_t time);

#define CALL_TIME 8 /* of a call of the core, beside the contents */

/* A new heap in a free place; false if it was refused. `offset` is where in its page the caller's
 * memory begins. */
bool shadow_new(shadow *s, hak_heap_options options, bool for_vm, size_t offset);
void shadow_destroy(shadow *s);

bool shadow_alloc(shadow *s, size_t size, unsigned kind);
bool shadow_zalloc(shadow *s, size_t count, size_t size);
bool shadow_aligned(shadow *s, size_t alignment, size_t size);
void shadow_realloc(shadow *s, size_t index, size_t size);
void shadow_realloc_null(shadow *s, size_t size);
void shadow_free(shadow *s, size_t index);

/* A block of `size` bytes comes and goes, so many times. */
void shadow_churn(shadow *s, size_t size, size_t times);

/* Leaves out blocks that were freed. To be called before anything else is done with the heap. */
void shadow_compact(shadow *s);

/* Whether there is room and time for a block of `size` bytes. */
bool shadow_has_room(const shadow *s, size_t size);

/* What was allowed for the footprint changes with limit and grace. */
void shadow_set_ceiling(shadow *s);

hak_stats shadow_stats(const shadow *s);

/* The heap's statistics are those of the shadow, and agree with each other. */
void shadow_check(shadow *s);

/* That the first `size` bytes of a block, at `start` now, are as they were written. */
void shadow_check_block(const block *b, const void *start, size_t size);

/* All contents, and that no two blocks overlap. */
void shadow_check_blocks(void);

/* The statistics of the process are those of its heaps, and the kernel has no more pages. */
void shadow_check_process(void);

#endif
