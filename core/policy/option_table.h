/* The table of options: what each is called, what it may be, and which number of a profile it sets.
 */
#ifndef HAK_OPTION_TABLE_H
#define HAK_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/profile.h"

#define HAK_BYTES_MOST      ((size_t)1 << 40)
#define HAK_NOWHERE         SIZE_MAX /* not a number of profiles */
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
    size_t field, width;      /* of hak_profile: its offset and its size */
    const char *help;
} hak_option_entry;

#define HAK_FIELD(name) offsetof(hak_profile, name)
enum { HAK_OPTIONS = 15 };

/* In the order in which they are applied. */
extern const hak_option_entry hak__option_table[HAK_OPTIONS];

/* The number of a profile that an option sets; and has it set, with what follows from it. */
size_t hak__option_value(const hak_profile *profile, const hak_option_entry *option);
void hak__option_apply(hak_profile *profile, const hak_option_entry *option, size_t value);

/* Whether an option is of a profile, and not of the process. */
bool hak__option_of_profile(const hak_option_entry *option);

/* Whether the build's profile is fixed, and the option, or the profile, would have it another. */
bool hak__option_against_build(const hak_option_entry *option, size_t value);
bool hak__profile_against_build(const hak_profile *profile);

#endif
