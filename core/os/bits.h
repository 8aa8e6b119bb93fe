/* Rounding up, and runs of adjacent bits in a word of 64: free units of a superslab, places of a
 * row, pages of a slab. */
#ifndef HAK_BITS_H
#define HAK_BITS_H

#include <stddef.h>
#include <stdint.h>

#define HAK_BITS ((size_t)64)

/* The next multiple of `step`, a power of two, from `n` on. */
static inline size_t hak__up(size_t n, size_t step)
{
    return (n + step - 1) & ~(step - 1);
}

/* `count` bits (0 … 64) from bit `first` on; together they are at most 64. */
static inline uint64_t hak__bits(size_t first, size_t count)
{
    return (count >= HAK_BITS ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1) << first;
}

/* The bits at which `count` adjacent set ones begin (1 … 64). */
static inline uint64_t hak__bits_run_starts(uint64_t bits, size_t count)
{
    /* After each step a set bit stands for `have` adjacent ones from it on. */
    for (size_t have = 1; have < count && bits;) {
        size_t step = count - have < have ? count - have : have;
        bits &= bits >> step;
        have += step;
    }
    return bits;
}

/* The lowest run of adjacent set bits. */
static inline uint64_t hak__bits_lowest_run(uint64_t bits)
{
    return bits & ~(bits + (bits & -bits));
}

#endif
