#include "profile.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem.h"
#include "report.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static const hak_profile profiles[] = {
    {.name = "speed",
     .carve = 4 * KIB,
     .reopen = 4,
     .reopen_in_order = 2,
     .retain_least = 32 * MIB,
     .retain_part = 50,
     .pool = 16 * MIB},
    {.name = "balanced",
     .carve = 4 * KIB,
     .reopen = 4,
     .reopen_in_order = 4,
     .retain_least = 4 * MIB,
     .retain_part = 12,
     .pool = 4 * MIB},
    {.name = "lean",
     .carve = 4 * KIB,
     .reopen = 31,
     .reopen_in_order = 31,
     .retain_least = 256 * KIB,
     .retain_part = 2,
     .pool = 0},
};

#define PROFILES (sizeof profiles / sizeof *profiles)

const char *hak_profile_names(void)
{
    return "speed, balanced, lean";
}

const hak_profile *hak__profile_named(const char *name)
{
    for (size_t i = 0; i < PROFILES; i++) {
        if (strcmp(profiles[i].name, name) == 0) return &profiles[i];
    }
    return NULL;
}

const hak_profile *hak__profile_default(void)
{
    static atomic_bool warned;
    const char *name = getenv("HAKMEM_PROFILE");
    if (!name || !*name) return &profiles[0];
    const hak_profile *profile = hak__profile_named(name);
    if (profile) return profile;
    if (!atomic_exchange(&warned, true)) {
        hak__warn("HAKMEM_PROFILE names no profile, using speed",
                  "accepted are speed, balanced, lean");
    }
    return &profiles[0];
}
