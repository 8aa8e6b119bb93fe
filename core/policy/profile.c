#include "policy/profile.h"

#include <string.h>

#include "hakmem.h"

static const hak_profile profiles[] = {
    {.name = "speed", HAK_PROFILE_speed},
    {.name = "balanced", HAK_PROFILE_balanced},
    {.name = "lean", HAK_PROFILE_lean},
    {.name = "custom", HAK_PROFILE_balanced},
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
    const hak_profile *fixed = hak__profile_fixed();
    return fixed ? fixed->name : "speed, balanced, lean, custom";
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
