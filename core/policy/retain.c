#include "policy/retain.h"

#include "os/os.h"

/* A page is worth giving back if it is not needed again for a hundred times what the call and the
 * page fault take. */
#define MS_PER_PAGE 0.25

/* Bytes to be paid for each byte retained, before it can be told what a program needs. */
#define PAID_TO_TELL 4

size_t hak__retain_bound(const hak_profile *profile, const hak_demand *demand)
{
    if (profile->decommit == HAK_DECOMMIT_OFF) return SIZE_MAX;
    return profile->retain_least + demand->released.keep +
           demand->recent_peak / 100 * profile->retain_part + demand->prewarmed;
}

size_t hak__retain_wait(const hak_profile *profile, const hak_hints *hints)
{
    return profile->decay == HAK_UNSET ? hints->decay : profile->decay;
}

bool hak__retain_is_recent(const hak_demand *demand, size_t wait)
{
    return wait && (uint32_t)hak__os_clock() - demand->released.began <= wait;
}

bool hak__retain_may_stay(const hak_demand *demand, size_t retained, size_t most, size_t wait)
{
    return retained <= most && hak__retain_is_recent(demand, wait);
}

/* Times retain_part, of what is in use; and at least, times retain_least. */
#define BUSY_PARTS 8
#define BUSY_LEAST 5

size_t hak__retain_busy_bound(const hak_profile *profile, size_t bound, size_t in_use)
{
    size_t part = in_use / 100 * profile->retain_part * BUSY_PARTS,
           least = profile->retain_least * BUSY_LEAST;
    return bound + (part > least ? part : least);
}

/* Whether so many bytes come within a time that is too short for giving them back. */
static bool is_soon(size_t bytes, uint32_t milliseconds)
{
    return (double)milliseconds < (double)(bytes / HAK_PAGE) * MS_PER_PAGE;
}

bool hak__retain_releases(const hak_demand *demand, size_t bytes)
{
    const hak_release *last = &demand->released;
    return last->given >= bytes && is_soon(last->given, (uint32_t)hak__os_clock() - last->began);
}

/* What may be kept beside `retain_least`. */
static size_t keep_most(const hak_profile *profile)
{
    return profile->retain_busy < profile->retain_least
               ? 0
               : profile->retain_busy - profile->retain_least;
}

void hak__retain_learn(const hak_profile *profile, hak_demand *demand, size_t footprint)
{
    hak_release *last = &demand->released;
    uint32_t now = (uint32_t)hak__os_clock();
    size_t most = keep_most(profile);
    bool is_early = false;
    if (last->given) {
        ptrdiff_t grown = (ptrdiff_t)(footprint - last->footprint);
        size_t again = grown > 0 ? (size_t)grown : 0;
        bool regrown = again >= last->given / 2;
        if (again > most) again = most;
        bool soon = is_soon(regrown ? again : last->given, now - last->began);
        is_early = soon && !regrown;
        if (soon && regrown) last->keep += again;
        else last->keep -= last->keep / HAK_RETAIN_PART;
    }
    if (last->keep > most) last->keep = most;
    if (is_early) return; /* the release goes on until it can be told */
    *last = (hak_release){.keep = last->keep, .began = now};
}

void hak__retain_forget(hak_demand *demand, size_t in_use)
{
    demand->recent_peak -= demand->recent_peak / HAK_RETAIN_PART;
    if (demand->recent_peak < in_use) demand->recent_peak = in_use;
}

void hak__retain_released(hak_demand *demand, size_t before, size_t footprint)
{
    hak_release *last = &demand->released;
    size_t given = before - footprint;
    /* What comes back between the parts of a release counts. */
    last->footprint = last->given ? last->footprint - given : footprint;
    last->given += given;
}

size_t hak__retain_needed(const hak_profile *profile, hak_demand *demand, size_t in_use,
                          size_t retained, size_t paid)
{
    bool tells = paid - demand->settled_at >= PAID_TO_TELL * retained;
    demand->settled_at = paid;
    if (!tells || profile->decommit == HAK_DECOMMIT_OFF || demand->prewarmed) return SIZE_MAX;
    size_t peak = demand->recent_peak > in_use ? demand->recent_peak : in_use;
    demand->recent_peak = in_use + (peak - in_use) / 2;
    return peak - in_use;
}
