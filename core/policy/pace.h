/* When a heap looks for memory that it can do without, before it grows beyond its peak, and how
 * much that has to be. Numbers in, numbers out.
 *
 * A look is paid for by the program: by bytes allocated, which the allocation clock counts, and by
 * bytes of a new peak. What has been paid is the sum of both. */
#ifndef HAK_PACE_H
#define HAK_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/hints.h"

/* Bytes that matter: the least worth a system call, and the least to be paid between two looks. A
 * program that allocates fewer between two collections is at rest. */
#define HAK_PACE_LEAST ((size_t)32 * 1024)

/* Bytes to be paid for each free block read and each unit passed. */
#define HAK_PACE_READ ((size_t)128)

/* Free blocks read and units passed by one call: few, so that it does not take long. */
#define HAK_PACE_READS 512

/* Before a large block, any page is worth giving back: its new bytes pay for the reads of a call,
 * which take about as long as its page faults. */
#define HAK_PACE_LARGE (HAK_PACE_READS * HAK_PACE_READ)

/* A sixty-fourth, as a shift: of the peak, a step; and where a heap grows in earnest, full slabs
 * are used again of which a sixty-fourth is free. */
#define HAK_PACE_PART 6

typedef struct hak_pace {
    size_t clock;        /* the allocation clock: bytes, as far as refills tell */
    size_t next_scan;    /* what has to be paid before the next look */
    size_t stepped_peak; /* the last peak that was a step above the one before */
    ptrdiff_t loose_at;  /* the bytes of partial slabs at which to look for holes in all of them;
                          * below 0: such a look goes on, and that is what is left of it */
} hak_pace;

/* A heap that is about to touch `bytes` more. */
typedef struct hak_growth {
    size_t footprint, peak, retained, bytes;
    size_t paid;  /* so far: hak__look_paid */
    bool is_work; /* the clock counts each byte of a block of that size: hints.h */
} hak_growth;

/* A step above a peak, in bytes: what makes the next one new. */
size_t hak__pace_step(size_t peak);

/* Whether a heap that grows beyond its peak does so in earnest, and has not come to a rare extreme
 * of a steady state: then the last look, which was at a peak too, is not paid for yet. */
bool hak__pace_in_earnest(const hak_pace *pace, size_t paid);

/* How many bytes a heap that grows beyond its peak must find to give back; SIZE_MAX: it does not
 * look. It looks once at each step, so that what is retained adds little to the peak. Otherwise it
 * looks when enough was paid since the last look: for a large block, any page is enough; for others
 * it is a step. So a program in a steady state makes hardly any calls. */
size_t hak__pace_least_gain(hak_pace *pace, const hak_growth *growth);

/* Whether a large block pays for the look before it. */
bool hak__pace_pays_for_itself(const hak_growth *growth);

/* How many bytes to give back then: what is above the last peak. For small blocks it is a step at
 * least, so that the peak is not reached again at once. */
size_t hak__pace_target(const hak_growth *growth);

/* How far `count` new blocks of `size` bytes move the allocation clock on. */
size_t hak__pace_work(const hak_hints *hints, size_t size, size_t count);

/* Puts off the next look, when `paid` was paid so far, by what this one has cost: the bytes given
 * back, and HAK_PACE_READ for each free block read. */
void hak__pace_charge(hak_pace *pace, size_t paid, size_t given, size_t read);

/* A look has found nothing: the next one waits until as much was paid as the heap has. */
void hak__pace_in_vain(hak_pace *pace, size_t footprint);

/* The VM has collected its garbage: the next look need not wait. */
void hak__pace_hope(hak_pace *pace, size_t paid);

/* What is left of a look for holes in all partial slabs: units and superslabs that it has still to
 * come to; 0: none goes on, and the next is to be put off. */
static inline uint32_t hak__pace_left(const hak_pace *pace)
{
    return pace->loose_at < 0 ? (uint32_t)-pace->loose_at : 0;
}

static inline void hak__pace_set_left(hak_pace *pace, uint32_t left)
{
    pace->loose_at = left ? -(ptrdiff_t)left : PTRDIFF_MAX;
}

/* Puts off the next such look at `loose` bytes of partial slabs until there is a quarter more, so
 * that a program with many of them does not look at all for each. */
void hak__pace_put_off(hak_pace *pace, size_t loose, size_t bound);

#endif
