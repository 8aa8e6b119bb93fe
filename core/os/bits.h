/* Rounding up, and runs of adjacent bits in words of 64 bits (units of a superslab, places of a
 * row, pages of a slab). */
#ifndef HAK_BITS_H
#define HAK_BITS_H

#include <stddef.h>
#include <stdint.h>

#define HAK_BITS ((size_t)64)

/* `n` rounded up to a multiple of `step`, a power of two. */
static inline size_t hak__up(size_t n, size_t step)
{
    return (n + step - 1) & ~(step - 1);
}

/* `count` bits (0 to 64) from bit `first` on. `first` + `count` is at most 64. */
static inline uint64_t hak__bits(size_t first, size_t count)
{
    return (count >= HAK_BITS ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1) << first;
}

/* The bits at which `count` adjacent set bits begin; `count` is 1 to 64. */
static inline uint64_t hak__bits_run_starts(uint64_t bits, size_t count)
{
    /* After each step a set bit stands for `have` adjacent set bits from it on. */
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

/* How many bits it has. */
static inline size_t hak__bits_span(uint64_t run)
{
    return HAK_BITS - (size_t)__builtin_clzll(run) - (size_t)__builtin_ctzll(run);
}

#endif
