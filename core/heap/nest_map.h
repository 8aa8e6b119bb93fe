/* The map of a nest: a bit for each 8 bytes, set where a block begins. */
#ifndef HAK_NEST_MAP_H
#define HAK_NEST_MAP_H

#include "heap/kinds.h"

#define HAK_NEST_STEP ((size_t)8)
#define HAK_NEST_PAIR (2 * HAK_NEST_STEP)

/* Bytes of the heap's lists in the nest. */
static inline uint32_t hak__nest_lists_size(const hak_heap *heap)
{
    return (uint32_t)hak__up(hak__kinds_lists_size(hak__heap_keeps_kinds(heap)), 2 * HAK_NEST_STEP);
}

static inline uint64_t *hak__nest_word(hak_nest *nest, size_t offset)
{
    return &nest->starts[offset / HAK_NEST_STEP / 64];
}

static inline uint64_t hak__nest_bit(size_t offset)
{
    return (uint64_t)1 << offset / HAK_NEST_STEP % 64;
}

/* Whether an offset or a size is an odd multiple of 8. Other sizes are multiples of 16, and their
 * blocks begin at a multiple of 16: C gives a type that needs this alignment such a size. */
static inline bool hak__nest_is_odd(size_t n)
{
    return n % HAK_NEST_PAIR;
}

/* Where the block at `offset` ends. */
static inline size_t hak__nest_end_of(const hak_nest *nest, size_t offset)
{
    size_t word = offset / HAK_NEST_STEP / 64;
    uint64_t rest = nest->starts[word] & ~(hak__nest_bit(offset) | (hak__nest_bit(offset) - 1));
    size_t last = (nest->carved - 1) / HAK_NEST_STEP / 64;
    while (!rest && word < last) rest = nest->starts[++word];
    return rest ? (word * 64 + (size_t)__builtin_ctzll(rest)) * HAK_NEST_STEP : nest->carved;
}

/* Sets where the next block will begin. Another thread may ask meanwhile whether a block that it
 * keeps alive, which lies before, is in the nest. */
static inline void hak__nest_set_carved(hak_nest *nest, size_t offset)
{
    __atomic_store_n(&nest->carved, (uint32_t)offset, __ATOMIC_RELAXED);
}

static inline void hak__nest_begin_block(hak_nest *nest, size_t offset)
{
    *hak__nest_word(nest, offset) |= hak__nest_bit(offset);
}

static inline bool hak__nest_begins_at(const hak_nest *nest, size_t offset)
{
    if (offset < nest->begin || offset >= nest->carved || offset % HAK_NEST_STEP) return false;
    return nest->starts[offset / HAK_NEST_STEP / 64] & hak__nest_bit(offset);
}

static inline size_t hak__nest_offset(const hak_heap *heap, const void *p)
{
    return (size_t)((const char *)p - heap->nest.start);
}

/* Offset of the heap's lists; 0: they do not lie among the blocks. */
size_t hak__nest_lists_offset(const hak_heap *heap);

/* Makes all space free; there is no live block. The lists move to the front of it. */
void hak__nest_reset(hak_heap *heap);

/* Opens the nest on a caller's memory, with the first request: an eighth of its units, at most the
 * bytes of a unit of the shared region. False elsewhere, or if there are no such units. */
bool hak__nest_open_run(hak_heap *heap);

#endif
