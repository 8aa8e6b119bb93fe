#include "policy/pace.h"

#include "os/os.h"

size_t hak__pace_step(size_t peak)
{
    return (peak >> HAK_PACE_PART) + HAK_PACE_LEAST;
}

bool hak__pace_in_earnest(const hak_pace *pace, size_t paid)
{
    return paid < pace->next_scan;
}

/* Whether a peak is a step above the last that was; and then it is the last. */
static bool is_a_step(hak_pace *pace, size_t peak)
{
    if (peak < pace->stepped_peak + hak__pace_step(peak)) return false;
    pace->stepped_peak = peak;
    return true;
}

bool hak__pace_pays_for_itself(const hak_growth *growth)
{
    return growth->bytes >= HAK_PACE_LARGE && growth->counts_whole;
}

size_t hak__pace_least_gain(hak_pace *pace, const hak_growth *growth)
{
    size_t peak = growth->footprint + growth->bytes;
    if (peak <= growth->peak) return SIZE_MAX;
    if (is_a_step(pace, peak) && growth->retained >= HAK_PACE_LEAST) return HAK_PACE_LEAST;
    if (hak__pace_pays_for_itself(growth)) return HAK_PAGE;
    if (growth->paid < pace->next_scan) return SIZE_MAX;
    if (growth->bytes >= HAK_PACE_LARGE) return HAK_PAGE;
    return hak__pace_step(peak);
}

size_t hak__pace_target(const hak_growth *growth)
{
    size_t peak = growth->footprint + growth->bytes, above = peak - growth->peak;
    size_t step = hak__pace_step(peak);
    return growth->bytes >= HAK_PACE_LARGE || above > step ? above : step;
}

size_t hak__pace_advance(const hak_hints *hints, size_t size, size_t count)
{
    return (size < hints->clock_most ? size : hints->clock_most) * count;
}

/* A byte given back costs as much as a byte allocated, since it may be a page fault later. */
void hak__pace_charge(hak_pace *pace, size_t paid, size_t given, size_t read)
{
    if (pace->next_scan < paid + HAK_PACE_LEAST) pace->next_scan = paid + HAK_PACE_LEAST;
    pace->next_scan += given + read * HAK_PACE_READ;
}

void hak__pace_in_vain(hak_pace *pace, size_t footprint)
{
    pace->next_scan += footprint;
}

void hak__pace_hope(hak_pace *pace, size_t paid)
{
    if (pace->next_scan > paid) pace->next_scan = paid;
}

void hak__pace_put_off(hak_pace *pace, size_t partial_bytes, size_t bound)
{
    size_t more = partial_bytes / 4 > bound ? partial_bytes / 4 : bound;
    size_t next = partial_bytes + more;
    if ((size_t)pace->partial_scan_at > next) pace->partial_scan_at = (ptrdiff_t)next;
}
