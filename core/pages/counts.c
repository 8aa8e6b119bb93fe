#include "pages/counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/os.h"
#include "policy/policy.h"

hak_pages_counts hak__counts(void)
{
    return (hak_pages_counts){hak__region_counts(), hak__supply_counts(), hak__hugespace_counts()};
}

/* The line that is asked for by HAKMEM_SS_OS_STATS, with the names it has always had. */
static void tell(void)
{
    hak__region_lock();
    hak_pages_counts counts = hak__counts();
    hak__region_unlock();
    hak_advice_refused refused = hak__os_advice_refused();
    hak_os_calls os;
    char line[320];
    hak__os_calls(&os);
    int n =
        snprintf(line, sizeof line,
                 "[SS_OS_STATS] alloc=%zu free=%zu madvise=%zu madvise_enomem=%zu "
                 "madvise_other=%zu madvise_disabled=%zu mmap_total=%zu fallback_mmap=%zu "
                 "huge_alloc=%zu huge_fail=%zu\n",
                 counts.supply.superslabs_taken, counts.supply.superslabs_given, (size_t)os.madvise,
                 refused.enomem, refused.other, counts.region.purges_elsewhere, (size_t)os.mmap,
                 counts.region.spill_regions, counts.huge.taken, counts.huge.refused);
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) return; /* nobody listens */
}

void hak__counts_tell_at_exit(void)
{
    static bool asked; /* under the lock */
    if (!hak__options_os_stats()) return;
    hak__region_lock();
    bool first = !asked;
    asked = true;
    hak__region_unlock();
    if (first) atexit(tell);
}
