/* Tables of statistics: the fields of a structure with their units and descriptions. */
#ifndef HAK_FIELDS_H
#define HAK_FIELDS_H

#include <stddef.h>

#include "hakmem.h"

/* An entry of such a table, a hak_stats_field. */
#define HAK_STATS_FIELD(structure, name, unit, help) \
    {                                                \
#name, unit, help, offsetof(structure, name) \
    }

#endif
