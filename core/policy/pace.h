/* When a heap looks for what it can do without, and what that has to be worth: before a new peak,
 * and as often as the program's work pays for it. Numbers in, numbers out. */
#ifndef HAK_PACE_H
#define HAK_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/hints.h"

typedef struct hak_pace {
    size_t work;              /* what the program has done, as far as refills tell */
    size_t look_at;           /* what has to have been paid until the next look */
    size_t loose_at;          /* the bytes of partial slabs at which to look for holes in them */
    size_t stepped_peak;      /* the last peak that was a step above the one before … */
    uint32_t stepped_refills; /* … and the refills until then */
    uint8_t looks_in_vain;    /* in a row */
} hak_pace;

/* A heap that is about to touch `bytes` more. */
typedef struct hak_growth {
    size_t footprint, peak, retained, bytes;
    size_t refills; /* so far */
    size_t paid;    /* by work, and by growing: hak__look_paid */
    bool searching; /* a search has begun, which has been paid for: it goes on */
    bool is_work;   /* to take them is as much work: where work is bytes, and not blocks */
} hak_growth;

/* Whether a heap has come to a new `peak` by taking new pages, and not by a rare extreme of a
 * steady state. */
bool hak__pace_in_earnest(const hak_pace *pace, size_t peak, size_t refills);

/* How many bytes a heap that grows beyond its peak must find to give back first, for it to be worth
 * the calls; SIZE_MAX: not worth looking. It looks while it grows in earnest, at each sixty-fourth,
 * so that what is retained adds little to the peak; and otherwise when the program has done enough
 * work since the last time to pay for it, and if there is much, or, for a large block, anything. So
 * a program in a steady state makes hardly any calls. */
size_t hak__pace_worth(hak_pace *pace, const hak_growth *growth);

/* Whether a large block is as much work as giving as many bytes back. */
bool hak__pace_pays_for_itself(const hak_growth *growth);

/* How many bytes to give back then: what is above the last peak and, unless a large block is what
 * takes it there, some more, so that it is not reached again at once. */
size_t hak__pace_share(const hak_growth *growth);

/* The work that a program does with `count` new blocks of `size` bytes. */
size_t hak__pace_work(const hak_hints *hints, size_t size, size_t count);

/* Puts off the next look until as much more than `paid` so far has paid for this one: for the bytes
 * given back and the free blocks read. */
void hak__pace_pay(hak_pace *pace, size_t paid, size_t given, size_t read);

/* A look has found nothing. A heap in which that is so again and again is looked at less and less:
 * after twice as much work each time, up to what it has. */
void hak__pace_in_vain(hak_pace *pace, size_t footprint);

/* Much has been freed: if the last look was in vain, the next need not be. */
void hak__pace_hope(hak_pace *pace, size_t paid);

/* Puts off the next look at `loose` bytes of partial slabs until there is a quarter more, so that a
 * program with many of them does not look at all for each. */
void hak__pace_put_off(hak_pace *pace, size_t loose, size_t bound);

#endif
