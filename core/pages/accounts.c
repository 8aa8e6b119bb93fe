#include "pages/accounts.h"

#define RESERVE_PART 32
#define RESERVE_MOST ((size_t)64 * 1024)

size_t hak__class_reserve(const hak_pages *pages)
{
    if (pages->limit == SIZE_MAX) return 0;
    size_t part = pages->limit / RESERVE_PART & ~(HAK_PAGE - 1);
    return part < RESERVE_MOST ? part : RESERVE_MOST;
}

/* The footprint the heap may have now. */
static size_t allowance(const hak_pages *pages)
{
    if (pages->grace == 0) {
        size_t reserve = pages->leaves_reserve ? hak__class_reserve(pages) : 0;
        size_t kept = (size_t)pages->adapter_reserve * HAK_PAGE;
        return pages->limit - (kept > reserve ? kept : reserve);
    }
    return pages->grace > SIZE_MAX - pages->limit ? SIZE_MAX : pages->limit + pages->grace;
}

size_t hak__short_of(const hak_pages *pages, size_t bytes)
{
    if (bytes == 0) return 0;
    size_t most = allowance(pages);
    if (pages->footprint > most) return bytes + (pages->footprint - most);
    return bytes <= most - pages->footprint ? 0 : bytes - (most - pages->footprint);
}

void hak__charge_always(hak_pages *pages, size_t bytes)
{
    pages->footprint += bytes;
    if (pages->footprint > pages->footprint_peak) pages->footprint_peak = pages->footprint;
    if (pages->footprint > pages->limit && pages->footprint - pages->limit > pages->grace_used) {
        pages->grace_used = pages->footprint - pages->limit;
    }
    size_t in_use = pages->footprint - pages->retained;
    hak__retain_note(&pages->demand, in_use);
}

bool hak__charge(hak_pages *pages, size_t bytes)
{
    pages->short_of = hak__short_of(pages, bytes);
    if (pages->short_of) return false;
    hak__charge_always(pages, bytes);
    return true;
}

void hak__discharge(hak_pages *pages, size_t bytes)
{
    HAK_ASSERT(bytes <= pages->footprint);
    pages->footprint -= bytes;
}
