/* The table of options: names, accepted values, and the number of a profile that each sets. */
#ifndef HAK_OPTION_TABLE_H
#define HAK_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/profile.h"

#define HAK_BYTES_MOST      ((size_t)1 << 40)
#define HAK_NOWHERE         SIZE_MAX /* not a number of a profile */
#define HAK_PROFILE_DEFAULT "balanced"
#define HAK_TRACE_USUAL     65536 /* events */

typedef enum hak_option_kind {
    HAK_OPTION_PROFILE,
    HAK_OPTION_FLAG,
    HAK_OPTION_NUMBER,
    HAK_OPTION_BYTES,
    HAK_OPTION_DECOMMIT
} hak_option_kind;

typedef struct hak_option_entry {
    const char *name, *variable;
    hak_option_kind kind;
    size_t least, most, step; /* of a number */
    size_t field, width;      /* offset and size in hak_profile */
    const char *help;
} hak_option_entry;

#define HAK_FIELD(name) offsetof(hak_profile, name)
enum { HAK_OPTIONS = 15 };

/* In the order in which they are applied. */
extern const hak_option_entry hak__option_table[HAK_OPTIONS];

/* Reads the number of a profile that an option sets; sets it, with the numbers
 * that depend on it. */
size_t hak__option_value(const hak_profile *profile, const hak_option_entry *option);
void hak__option_apply(hak_profile *profile, const hak_option_entry *option, size_t value);

/* Whether an option belongs to a profile, not to the process. */
bool hak__option_of_profile(const hak_option_entry *option);

/* Whether the build's profile is fixed and the option, or the profile, would change it. */
bool hak__option_against_build(const hak_option_entry *option, size_t value);
bool hak__profile_against_build(const hak_profile *profile);

#endif
