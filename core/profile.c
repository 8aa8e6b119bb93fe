#include "profile.h"

#include <string.h>

#include "hakmem.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

#define SPEED                                                                                   \
    .carve = 4 * KIB, .retain_least = 32 * MIB, .retain_part = 50, .pool = 16 * MIB, .wake = 4, \
    .wake_in_order = 2, .decommit = HAK_DECOMMIT_DONTNEED, .warm_pool = HAK_UNSET

static const hak_profile profiles[] = {
    {.name = "speed", SPEED},
    {.name = "balanced",
     .carve = 4 * KIB,
     .retain_least = 4 * MIB,
     .retain_part = 12,
     .pool = 4 * MIB,
     .wake = 4,
     .wake_in_order = 4,
     .decommit = HAK_DECOMMIT_DONTNEED,
     .warm_pool = HAK_UNSET},
    {.name = "lean",
     .carve = 4 * KIB,
     .retain_least = 256 * KIB,
     .retain_part = 2,
     .pool = 0,
     .wake = 31,
     .wake_in_order = 31,
     .decommit = HAK_DECOMMIT_DONTNEED,
     .warm_pool = HAK_UNSET},
    {.name = "custom", SPEED},
};

/* Names from before this allocator. */
static const struct {
    const char *alias, *name;
} aliases[] = {
    {"MIXED_TINYV3_C7_SAFE", "speed"},
    {"MIXED_TINYV3_C7_BALANCED", "balanced"},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

const char *hak_profile_names(void)
{
    return "speed, balanced, lean, custom";
}

const hak_profile *hak__profile_named(const char *name)
{
    for (size_t i = 0; i < COUNT(aliases); i++) {
        if (strcmp(aliases[i].alias, name) == 0) name = aliases[i].name;
    }
    for (size_t i = 0; i < COUNT(profiles); i++) {
        if (strcmp(profiles[i].name, name) == 0) return &profiles[i];
    }
    return NULL;
}
