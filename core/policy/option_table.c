#include "policy/option_table.h"

#include <string.h>

#include "os/os.h"

#define WARM_SUPERSLAB ((size_t)4 << 20) /* bytes; the unit of the option warm_pool */

#define NUMBER_OF(name) HAK_FIELD(name), sizeof(((hak_profile *)0)->name)

/* In the order in which they are applied. */
const hak_option_entry hak__option_table[HAK_OPTIONS] = {
    {"profile", "HAKMEM_PROFILE", HAK_OPTION_PROFILE, 0, 0, 0, HAK_NOWHERE, 0,
     "what a heap trades between speed and memory"},
    {"mem_lean", "HAKMEM_SS_MEM_LEAN", HAK_OPTION_FLAG, 0, 1, 1, NUMBER_OF(mem_lean),
     "1: no more is retained than balanced does"},
    {"warm_pool", "HAKMEM_WARM_POOL_SIZE", HAK_OPTION_NUMBER, 0, 65536, 1, NUMBER_OF(warm_pool),
     "free superslabs of 4 MiB a heap may retain, and the process for new heaps"},
    {"decommit", "HAKMEM_SS_MEM_LEAN_DECOMMIT", HAK_OPTION_DECOMMIT, 0, 2, 1, NUMBER_OF(decommit),
     "how free pages go back to the OS: not by policy, when it wants them, at once"},
    {"carve", "HAKMEM_CARVE", HAK_OPTION_BYTES, HAK_PAGE, (size_t)1 << HAK_UNIT_SHIFT, HAK_PAGE,
     NUMBER_OF(carve), "bytes of new blocks prepared at a time"},
    {"retain_least", "HAKMEM_RETAIN_LEAST", HAK_OPTION_BYTES, 0, HAK_BYTES_MOST, 1,
     NUMBER_OF(retain_least), "bytes of free memory a heap may always retain"},
    {"retain_busy", "HAKMEM_RETAIN_BUSY", HAK_OPTION_BYTES, 0, HAK_BYTES_MOST, 1,
     NUMBER_OF(retain_busy), "up to so many while what it gave back is soon needed again"},
    {"retain_part", "HAKMEM_RETAIN_PART", HAK_OPTION_NUMBER, 0, 1000, 1, NUMBER_OF(retain_part),
     "hundredths of the recent peak it may retain beside them"},
    {"decay", "HAKMEM_DECAY", HAK_OPTION_NUMBER, 0, 60000, 1, NUMBER_OF(decay),
     "milliseconds that whole superslabs and huge blocks beyond that wait before they go"},
    {"pool", "HAKMEM_POOL", HAK_OPTION_BYTES, 0, HAK_BYTES_MOST, 1, NUMBER_OF(pool),
     "bytes of destroyed heaps that the process keeps for new ones"},
    {"wake", "HAKMEM_WAKE", HAK_OPTION_NUMBER, 1, 31, 1, NUMBER_OF(wake),
     "a full slab is used again when 1/2^N of it is free"},
    {"kinds", "HAKMEM_KINDS", HAK_OPTION_FLAG, 0, 1, 1, NUMBER_OF(kinds),
     "1, from a heap's beginning: kinds of block lie apart, and are counted (Lua 5.2 to 5.4)"},
    {"prewarm", "HAKMEM_PREWARM", HAK_OPTION_BYTES, 0, HAK_BYTES_MOST, 1, HAK_NOWHERE, 0,
     "bytes touched ahead when a heap is made"},
    {"os_stats", "HAKMEM_SS_OS_STATS", HAK_OPTION_FLAG, 0, 1, 1, HAK_NOWHERE, 0,
     "1: a line on stderr at exit tells the calls to the OS"},
    {"trace", "HAKMEM_TRACE", HAK_OPTION_NUMBER, 0, (size_t)1 << 24, 1, HAK_NOWHERE, 0,
     "the last events that the trace of an observed heap holds"},
};

size_t hak__option_value(const hak_profile *profile, const hak_option_entry *option)
{
    const char *field = (const char *)profile + option->field;
    if (option->width == sizeof(size_t)) return *(const size_t *)field;
    return *(const uint32_t *)field;
}

static void set_value(hak_profile *profile, const hak_option_entry *option, size_t value)
{
    char *field = (char *)profile + option->field;
    if (option->width == sizeof(size_t)) *(size_t *)field = value;
    else *(uint32_t *)field = (uint32_t)value;
}

#define AT_MOST(value, most) ((value) = (value) < (most) ? (value) : (most))

void hak__option_apply(hak_profile *profile, const hak_option_entry *option, size_t value)
{
    if (option->field == HAK_NOWHERE) return;
    set_value(profile, option, value);
    if (option->field == HAK_FIELD(mem_lean) && value) {
        const hak_profile *balanced = hak__profile_named("balanced");
        AT_MOST(profile->retain_least, balanced->retain_least);
        AT_MOST(profile->retain_busy, balanced->retain_busy);
        AT_MOST(profile->retain_part, balanced->retain_part);
        AT_MOST(profile->pool, balanced->pool);
    } else if (option->field == HAK_FIELD(warm_pool)) {
        profile->retain_least = profile->retain_busy = profile->pool = value * WARM_SUPERSLAB;
        profile->retain_part = 0;
    } else if (option->field == HAK_FIELD(retain_least)) {
        profile->retain_busy = value;
    } else if (option->field == HAK_FIELD(wake)) {
        profile->wake_in_order = profile->wake;
    }
}

bool hak__option_of_profile(const hak_option_entry *option)
{
    return option->kind == HAK_OPTION_PROFILE || option->field != HAK_NOWHERE;
}

bool hak__option_against_build(const hak_option_entry *option, size_t value)
{
    const hak_profile *fixed = hak__profile_fixed();
    if (!fixed) return false;
    hak_profile refined = *fixed;
    hak__option_apply(&refined, option, value);
    return memcmp(&refined, fixed, sizeof refined) != 0;
}

bool hak__profile_against_build(const hak_profile *profile)
{
    const hak_profile *fixed = hak__profile_fixed();
    return fixed && strcmp(profile->name, fixed->name) != 0;
}
