/* Where in a nest its blocks begin: a bit for each eight bytes. */
#ifndef HAK_NEST_MAP_H
#define HAK_NEST_MAP_H

#include "heap/kinds.h"

#define HAK_NEST_STEP ((size_t)8)
#define HAK_NEST_PAIR (2 * HAK_NEST_STEP)

/* Bytes that the heap's lists take. */
static inline uint32_t hak__nest_lists_size(const hak_heap *heap)
{
    return (uint32_t)hak__up(hak__kinds_lists_size(heap->kinds), 2 * HAK_NEST_STEP);
}

static inline uint64_t *hak__nest_word(hak_nest *nest, size_t offset)
{
    return &nest->starts[offset / HAK_NEST_STEP / 64];
}

static inline uint64_t hak__nest_bit(size_t offset)
{
    return (uint64_t)1 << offset / HAK_NEST_STEP % 64;
}

/* Whether an offset or a size is no multiple of 16. Blocks whose size is one begin at one: where
 * blocks have a member that must, C makes their size a multiple, too. */
static inline bool hak__nest_is_odd(size_t n)
{
    return n % HAK_NEST_PAIR;
}

/* Where the block behind the one at `offset` begins. */
static inline size_t hak__nest_end_of(const hak_nest *nest, size_t offset)
{
    size_t word = offset / HAK_NEST_STEP / 64;
    uint64_t rest = nest->starts[word] & ~(hak__nest_bit(offset) | (hak__nest_bit(offset) - 1));
    size_t last = (nest->carved - 1) / HAK_NEST_STEP / 64;
    while (!rest && word < last) rest = nest->starts[++word];
    return rest ? (word * 64 + (size_t)__builtin_ctzll(rest)) * HAK_NEST_STEP : nest->carved;
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

/* Where the lists are; 0: not among the blocks. */
size_t hak__nest_lists_offset(const hak_heap *heap);

/* Makes all room free again. The lists move in front of it. */
void hak__nest_reset(hak_heap *heap);

/* On a caller's memory: an eighth of it, when the first block is asked for. */
bool hak__nest_open_run(hak_heap *heap);

#endif
