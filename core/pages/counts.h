/* What the process has of pages, beside what its heaps hold; and the line that tells some of it at
 * exit. */
#ifndef HAK_COUNTS_H
#define HAK_COUNTS_H

#include "pages/hugespace.h"
#include "pages/region.h"
#include "pages/supply.h"

typedef struct hak_pages_counts {
    hak_region_counts region;
    hak_supply_counts supply;
    hak_hugespace_counts huge;
} hak_pages_counts;

/* Under the lock. */
hak_pages_counts hak__counts(void);

/* Has a line on stderr tell them at exit, if the option os_stats asks for it. */
void hak__counts_tell_at_exit(void);

#endif
