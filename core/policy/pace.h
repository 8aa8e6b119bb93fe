/* When a heap scans for memory to give back, before it grows beyond its peak. These functions only
 * compute.
 *
 * The program pays for scans: by each byte that it allocates (the allocation clock), and by each
 * byte of a new peak. `paid` is the sum of both. */
#ifndef HAK_PACE_H
#define HAK_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/hints.h"

/* The fewest bytes that are worth a system call, and the fewest to be paid between two scans. A
 * program that allocates less between two collections is at rest. */
#define HAK_PACE_LEAST ((size_t)32 * 1024)

/* Bytes to be paid for each free block read and each unit passed. */
#define HAK_PACE_READ ((size_t)128)

/* Free blocks read and units passed by one call at most, so that no call takes long. */
#define HAK_PACE_READS 512

/* A block of as many bytes is large: before it, any page is worth giving back. Its bytes pay for
 * the reads of a call, which take about as long as its page faults. */
#define HAK_PACE_LARGE (HAK_PACE_READS * HAK_PACE_READ)

/* A sixty-fourth, as a shift. A step is a sixty-fourth of the peak. A heap that grows in earnest
 * wakes full slabs of which a sixty-fourth is free. */
#define HAK_PACE_PART 6

typedef struct hak_pace {
    size_t clock;              /* the allocation clock: bytes allocated, counted at refills */
    size_t next_scan;          /* bytes paid when the next scan may begin */
    size_t stepped_peak;       /* the last peak that was a step above the one before */
    ptrdiff_t partial_scan_at; /* bytes of partial slabs at which all of them are scanned for holes;
                                * negative: minus the units and superslabs left of such a scan */
} hak_pace;

/* A heap that is about to touch `bytes` more. */
typedef struct hak_growth {
    size_t footprint, peak, retained, bytes;
    size_t paid;       /* hak__scan_paid */
    bool counts_whole; /* the allocation clock counts each byte of a block of that size: hints.h */
} hak_growth;

/* A step above a peak, in bytes. */
size_t hak__pace_step(size_t peak);

/* Whether a heap at a new peak grows in earnest: it has not paid for the last scan yet, which was
 * at a peak too. Otherwise the peak is a rare extreme of a steady state. */
bool hak__pace_in_earnest(const hak_pace *pace, size_t paid);

/* The bytes that a scan must find to be worth it, before the heap grows; SIZE_MAX: no scan. There
 * is a scan at each step, so that retained pages add little to the peak. Otherwise there is one if
 * the last scan is paid for. It must find a page before a large block, and a step before others. So
 * a program in a steady state makes hardly any calls. */
size_t hak__pace_least_gain(hak_pace *pace, const hak_growth *growth);

/* Whether a large block pays for the scan before it. */
bool hak__pace_pays_for_itself(const hak_growth *growth);

/* The bytes to give back then: those above the last peak. Before a block that is not large it is a
 * step at least, so that the peak is not reached again at once. */
size_t hak__pace_target(const hak_growth *growth);

/* The bytes by which `count` new blocks of `size` bytes advance the allocation clock. */
size_t hak__pace_advance(const hak_hints *hints, size_t size, size_t count);

/* Postpones the next scan by the cost of this one: HAK_PACE_LEAST, the `given` bytes, and
 * HAK_PACE_READ for each free block read. `paid` bytes were paid so far. */
void hak__pace_charge(hak_pace *pace, size_t paid, size_t given, size_t read);

/* After a scan in vain: postpones the next one by as much as the heap has. */
void hak__pace_in_vain(hak_pace *pace, size_t footprint);

/* After a collection of the VM: the next scan need not wait. */
void hak__pace_hope(hak_pace *pace, size_t paid);

/* The units and superslabs that are left of a scan of all partial slabs for holes. 0: no such scan
 * goes on; hak__pace_put_off then says where the next one begins. */
static inline uint32_t hak__pace_left(const hak_pace *pace)
{
    return pace->partial_scan_at < 0 ? (uint32_t)-pace->partial_scan_at : 0;
}

static inline void hak__pace_set_left(hak_pace *pace, uint32_t left)
{
    pace->partial_scan_at = left ? -(ptrdiff_t)left : PTRDIFF_MAX;
}

/* Postpones the next such scan until there is a quarter more than `partial_bytes` bytes of partial
 * slabs, and as much more as the bound. So a program with many of them does not scan all of them at
 * each free. */
void hak__pace_put_off(hak_pace *pace, size_t partial_bytes, size_t bound);

#endif
