#include "policy/pace.h"

#include "os/os.h"

#define PEAK_STEP    ((size_t)32 * 1024)
#define IN_EARNEST   64 /* a heap that grows takes new pages in one refill of that many */
#define WORTH_A_STEP ((size_t)16 * 1024)
#define WORTH_LEAST  ((size_t)32 * 1024)
#define LARGE        ((size_t)64 * 1024) /* for growing by so much at once, any page is worth it */

/* Giving a byte back, with the page fault when it is used again, is paid for by work on one, or by
 * growing by one above the last peak: a new byte is a page fault too. Looking takes time as well:
 * to read a free block, or to pass a unit, is paid for by work on a few bytes. */
#define WORK_PER_READ 64
#define WORK_LEAST    ((size_t)32 * 1024)

bool hak__pace_in_earnest(const hak_pace *pace, size_t peak, size_t refills)
{
    size_t pages = peak > pace->stepped_peak ? (peak - pace->stepped_peak) / HAK_PAGE : 0;
    return (uint32_t)refills - pace->stepped_refills <= pages * IN_EARNEST;
}

/* Whether `peak` is a step, a sixty-fourth or so, above the last that was; and, if it is, the heap
 * grows in earnest. */
static bool grows_by_a_step(hak_pace *pace, size_t peak, size_t refills)
{
    size_t step = (peak / 4 < PEAK_STEP ? peak / 4 : PEAK_STEP) + peak / 64;
    if (peak < pace->stepped_peak + step) return false;
    bool in_earnest = hak__pace_in_earnest(pace, peak, refills);
    pace->stepped_peak = peak;
    pace->stepped_refills = (uint32_t)refills;
    return in_earnest;
}

bool hak__pace_pays_for_itself(const hak_growth *growth)
{
    return growth->bytes >= LARGE && growth->is_work;
}

size_t hak__pace_worth(hak_pace *pace, const hak_growth *growth)
{
    size_t peak = growth->footprint + growth->bytes;
    if (peak <= growth->peak) return SIZE_MAX;
    if (grows_by_a_step(pace, peak, growth->refills) && growth->retained >= WORTH_A_STEP)
        return WORTH_A_STEP;
    if (hak__pace_pays_for_itself(growth)) return HAK_PAGE;
    if (growth->paid < pace->look_at && !growth->searching) return SIZE_MAX;
    if (growth->bytes >= LARGE) return HAK_PAGE;
    return peak / 32 + WORTH_LEAST;
}

size_t hak__pace_share(const hak_growth *growth)
{
    size_t peak = growth->footprint + growth->bytes, above = peak - growth->peak;
    size_t least = peak / 32 + WORTH_LEAST;
    return growth->bytes >= LARGE || above > least ? above : least;
}

size_t hak__pace_work(const hak_hints *hints, size_t size, size_t count)
{
    return (size < hints->work_most ? size : hints->work_most) * count;
}

void hak__pace_pay(hak_pace *pace, size_t paid, size_t given, size_t read)
{
    if (pace->look_at < paid + WORK_LEAST) pace->look_at = paid + WORK_LEAST;
    pace->look_at += given + read * WORK_PER_READ;
}

void hak__pace_in_vain(hak_pace *pace, size_t footprint)
{
    size_t wait = WORK_LEAST << pace->looks_in_vain;
    if (wait < footprint) pace->looks_in_vain++;
    pace->look_at += wait < footprint ? wait : footprint;
}

void hak__pace_hope(hak_pace *pace, size_t paid)
{
    if (!pace->looks_in_vain) return;
    pace->looks_in_vain = 0;
    if (pace->look_at > paid) pace->look_at = paid;
}

void hak__pace_put_off(hak_pace *pace, size_t loose, size_t bound)
{
    size_t more = loose / 4 > bound ? loose / 4 : bound;
    if (pace->loose_at > loose + more) pace->loose_at = loose + more;
}
