/* Random sequences of what Lua may ask of a lua_Alloc, with every block's contents checked. Written
 * against the contract of lua_Alloc in the Lua manual, so that it holds for every kind of heap,
 * also for one that took over another allocator's blocks. */
#ifndef HAK_TESTS_LUA_TRIAL_H
#define HAK_TESTS_LUA_TRIAL_H

#include "support.h"

/* ------------------------------------------------------------------ random numbers */

static uint64_t random_state;

static inline uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static inline size_t below(size_t n)
{
    return (size_t)(random_bits() % n);
}

/* ------------------------------------------------------------------ blocks and their contents */

typedef struct block {
    unsigned char *p;
    size_t size;
    uint32_t seed;
} block;

/* Large blocks are written and checked in pages far apart, and at both ends. */
static inline size_t next_offset(size_t offset, size_t size)
{
    if (size <= 8 * KIB) return offset + 1;
    if (offset % 4096 < 8) return offset + 1;
    size_t pages = size > MIB ? 16 : 1;
    size_t step = offset / 4096 * 4096 + pages * 4096;
    return step >= size - 16 && offset < size - 16 ? size - 16 : step;
}

static inline unsigned char expected_byte(uint32_t seed, size_t offset)
{
    return (unsigned char)((seed + offset) * 2654435761u >> 24);
}

static inline void fill(const block *b)
{
    for (size_t i = 0; i < b->size; i = next_offset(i, b->size)) {
        b->p[i] = expected_byte(b->seed, i);
    }
}

/* Whether the first `size` bytes are as fill() left them in a block of `filled` bytes. */
static inline void check(const block *b, size_t size, size_t filled)
{
    for (size_t i = 0; i < size; i = next_offset(i, filled)) {
        if (b->p[i] != expected_byte(b->seed, i)) {
            fail_msg("block of %zu bytes at %p: byte %zu is wrong", filled, (void *)b->p, i);
        }
    }
}

/* ------------------------------------------------------------------ the model */

typedef struct trial {
    hak_heap *heap;
    size_t slots, operations, largest;
    bool may_fail;   /* there is a limit to be reached */
    counted *before; /* the allocator before the heap, whose blocks are given too; or NULL */
} trial;

static inline size_t random_size(const trial *t)
{
    size_t r = below(1000);
    size_t most = r < 700   ? 512
                  : r < 900 ? 4 * KIB
                  : r < 980 ? 40 * KIB
                  : r < 997 ? 400 * KIB
                            : 7 * MIB;
    if (most > t->largest) most = t->largest;
    return 1 + below(most);
}

static inline void must_not_fail(const trial *t, const void *p, size_t size)
{
    if (!p && !t->may_fail) fail_msg("no memory for %zu bytes", size);
}

static inline void check_new(const trial *t, const block *b)
{
    if ((uintptr_t)b->p % 8) fail_msg("%zu bytes at %p are not aligned", b->size, (void *)b->p);
    if (!hak_heap_owns(t->heap, b->p) && !t->before) fail_msg("a block outside the heap");
}

/* The function that the trials are for. */
static lua_Alloc alloc = hak_lua_alloc;

static inline void allocate(const trial *t, block *b)
{
    b->size = random_size(t);
    b->seed = (uint32_t)random_bits();
    bool foreign = t->before && below(3) == 0;
    /* For a new block, Lua passes the kind of object as the old size. */
    b->p = foreign ? counted_alloc(t->before, NULL, 0, b->size)
                   : alloc(t->heap, NULL, below(12), b->size);
    must_not_fail(t, b->p, b->size);
    if (!b->p) return;
    check_new(t, b);
    fill(b);
}

static inline void release(const trial *t, block *b)
{
    check(b, b->size, b->size);
    if (alloc(t->heap, b->p, b->size, 0) != NULL) fail_msg("freeing returned a block");
    b->p = NULL;
}

static inline size_t another_size(const trial *t, size_t size)
{
    switch (below(4)) {
    case 0: return size * 2 <= t->largest ? size * 2 : size; /* as vectors grow */
    case 1: return size / 2 + 1;
    case 2: return 1 + below(size); /* as buffers end */
    default: return random_size(t);
    }
}

static inline void resize(const trial *t, block *b)
{
    size_t size = another_size(t, b->size);
    check(b, b->size, b->size);
    unsigned char *p = alloc(t->heap, b->p, b->size, size);
    if (!p) {
        if (size <= b->size) fail_msg("shrinking %zu to %zu bytes failed", b->size, size);
        must_not_fail(t, p, size);
        check(b, b->size, b->size);
        return;
    }
    b->p = p;
    check(b, size < b->size ? size : b->size, b->size);
    b->size = size;
    check_new(t, b);
    fill(b);
}

static inline void run_trial(const trial *t)
{
    block *blocks = calloc(t->slots, sizeof *blocks);
    assert_non_null(blocks);
    size_t refused = 0, busy = 0;
    size_t operations = t->operations / scale();
    for (size_t i = 0; i < operations; i++) {
        /* Now and then most of it goes, so that slabs empty and are taken again. */
        if (i % (operations / 7) == 0) busy = 1 + below(t->slots);
        block *b = &blocks[below(t->slots)];
        if (!b->p) {
            if ((size_t)(b - blocks) < busy) allocate(t, b);
            refused += !b->p;
        } else if ((size_t)(b - blocks) >= busy || below(3) == 0) {
            release(t, b);
        } else {
            resize(t, b);
        }
        if (t->may_fail && i % 64 == 0) {
            hak_stats stats;
            hak_heap_stats(t->heap, &stats);
            if (stats.limit) assert_true(stats.footprint <= stats.limit);
        }
    }
    if (t->may_fail) assert_true(refused > 0);
    for (size_t i = 0; i < t->slots; i++) {
        if (blocks[i].p) release(t, &blocks[i]);
    }
    free(blocks);
}

#endif
