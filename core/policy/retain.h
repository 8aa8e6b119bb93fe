/* How much free memory a heap retains: what its profile says, and what was learned from giving
 * back. What is kept too long is a resident size that creeps, and what goes too soon comes back as
 * page faults. Numbers in, numbers out: who asks gives back. */
#ifndef HAK_RETAIN_H
#define HAK_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/hints.h"
#include "policy/profile.h"

/* An eighth of what was learned and of the recent peak is forgotten with each purge. A heap of
 * which an eighth is free is worth settling. */
#define HAK_RETAIN_PART 8

/* What a heap gave back last, in one release of one purge or several, and whether it will have been
 * worth it. */
typedef struct hak_release {
    size_t given;     /* bytes */
    size_t footprint; /* after it, and less what went later: it may be below 0 */
    size_t keep;      /* bytes to retain in future, beside `retain_least` */
    uint32_t began;   /* in milliseconds, as hak__os_clock counts, modulo 2^32 */
} hak_release;

/* What a program has needed of a heap's pages. */
typedef struct hak_demand {
    size_t prewarmed;     /* bytes touched ahead on request */
    size_t recent_peak;   /* of the bytes in use, decaying with purges and with settling */
    size_t settled_at;    /* what the program had paid when the heap was last settled */
    hak_release released; /* the last */
} hak_demand;

/* The bytes that may be retained now; SIZE_MAX: nothing is given back but on request. */
size_t hak__retain_bound(const hak_profile *profile, const hak_demand *demand);

/* How many milliseconds whole superslabs and huge blocks beyond it wait before they go, in case
 * they are needed again; 0: not at all. */
size_t hak__retain_wait(const hak_profile *profile, const hak_hints *hints);

/* Whether `retained` bytes, more than the bound, may stay for a moment: if they are at most `most`,
 * and the last release began less than `wait` milliseconds ago. So a program whose retained pages
 * swing gives them back once in that time. */
bool hak__retain_may_stay(const hak_demand *demand, size_t retained, size_t most, size_t wait);

/* Before a purge: learns from the last release. A heap that has taken its pages again too soon
 * keeps as many more from now on; one that has not keeps fewer with every purge. */
void hak__retain_learn(const hak_profile *profile, hak_demand *demand, size_t footprint);

/* Whether a release of `bytes` or more goes on: it is too early for its pages to be needed again.
 */
bool hak__retain_releases(const hak_demand *demand, size_t bytes);

/* What was in use at the peak matters less with every purge. */
void hak__retain_forget(hak_demand *demand, size_t in_use);

/* After a purge: the footprint was `before`. */
void hak__retain_released(hak_demand *demand, size_t before, size_t footprint);

/* Settles when the program has paid `paid`: how many bytes of what is retained it has used lately,
 * and so may need again. SIZE_MAX: too little was paid since the last time to tell. When it can be
 * told, the recent peak comes half of the way down to what is in use. */
size_t hak__retain_needed(const hak_profile *profile, hak_demand *demand, size_t in_use,
                          size_t retained, size_t paid);

/* Notes what is in use. */
static inline void hak__retain_note(hak_demand *demand, size_t in_use)
{
    if (in_use > demand->recent_peak) demand->recent_peak = in_use;
}

#endif
