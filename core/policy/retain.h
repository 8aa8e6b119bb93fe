/* How much free memory a heap retains: what its profile says, and what purges have taught. Memory
 * that is retained too long makes the resident size creep. Memory that is purged too soon costs
 * page faults. These functions only compute; the caller purges. */
#ifndef HAK_RETAIN_H
#define HAK_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/hints.h"
#include "policy/profile.h"

/* One part in so many of what was learned, and of the recent peak, is forgotten with each purge. A
 * heap of which as much is free is worth settling. */
#define HAK_RETAIN_PART 8

/* A release: pages that were given back, by one purge or by several in a row. It was worth it if
 * they are not needed again soon. */
typedef struct hak_release {
    size_t given;     /* bytes */
    size_t footprint; /* after it, minus what was given back later: may wrap below 0 */
    size_t keep;      /* learned: bytes to retain beside `retain_least` */
    uint32_t began;   /* hak__os_clock, modulo 2^32 milliseconds */
} hak_release;

/* The demand of a program for the pages of its heap. */
typedef struct hak_demand {
    size_t prewarmed;     /* bytes prewarmed on request */
    size_t recent_peak;   /* peak of the bytes in use; decays with purges and with settling */
    size_t settled_at;    /* bytes paid (pace.h) when the heap was last settled */
    hak_release released; /* the last release */
} hak_demand;

/* The bound: bytes that may be retained. SIZE_MAX: the heap purges on request only. */
size_t hak__retain_bound(const hak_profile *profile, const hak_demand *demand);

/* The milliseconds for which whole superslabs and huge blocks beyond the bound wait before they are
 * purged. 0: they do not wait. */
size_t hak__retain_wait(const hak_profile *profile, const hak_hints *hints);

/* Whether the last release began less than `wait` milliseconds ago. */
bool hak__retain_is_recent(const hak_demand *demand, size_t wait);

/* Whether `retained` bytes beyond the bound may stay for a moment: if they are at most `most`
 * bytes, and the last release began less than `wait` milliseconds ago. So a program that swings
 * gives its pages back once in that time. */
bool hak__retain_may_stay(const hak_demand *demand, size_t retained, size_t most, size_t wait);

/* What a heap may retain while it is busy, if its hints say so. A program that frees large blocks
 * and takes others would wait for the page faults of each. At rest it gives back all beyond the
 * bound with the first free after that time. */
size_t hak__retain_busy_bound(const hak_profile *profile, size_t bound, size_t in_use);

/* Before a purge: learns from the last release. If the heap has taken its pages again too soon,
 * `keep` rises by as much; else it falls with each purge. */
void hak__retain_learn(const hak_profile *profile, hak_demand *demand, size_t footprint);

/* Whether a release of `bytes` or more goes on: if its pages were needed again now, it would be too
 * soon. */
bool hak__retain_releases(const hak_demand *demand, size_t bytes);

/* At a purge: the recent peak decays, down to what is in use. */
void hak__retain_forget(hak_demand *demand, size_t in_use);

/* After a purge; the footprint was `before` bytes. */
void hak__retain_released(hak_demand *demand, size_t before, size_t footprint);

/* When the heap settles, and `paid` bytes were paid: the retained bytes that the program has used
 * lately, and so may need again. The recent peak then falls half of the way to what is in use.
 * SIZE_MAX if too little was paid since the last time to tell; then the recent peak stays. */
size_t hak__retain_needed(const hak_profile *profile, hak_demand *demand, size_t in_use,
                          size_t retained, size_t paid);

/* Updates the recent peak. */
static inline void hak__retain_note(hak_demand *demand, size_t in_use)
{
    if (in_use > demand->recent_peak) demand->recent_peak = in_use;
}

#endif
