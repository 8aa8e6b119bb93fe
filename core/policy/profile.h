/* Profiles: one table of what a heap trades between speed and memory. Read only where slabs change
 * hands. A build may fix one of them at compile time. */
#ifndef HAK_PROFILE_H
#define HAK_PROFILE_H

#include <stddef.h>
#include <stdint.h>

/* How pages go back to the OS. */
typedef enum hak_decommit {
    HAK_DECOMMIT_OFF,     /* only when the program asks for it, or memory would be refused */
    HAK_DECOMMIT_FREE,    /* when the OS wants them (MADV_FREE); they count as resident till then */
    HAK_DECOMMIT_DONTNEED /* at once (MADV_DONTNEED) */
} hak_decommit;

/* A table describes the numbers (option_table.c): the large ones are size_t, the others uint32_t,
 * since every heap has one of these. */
typedef struct hak_profile {
    const char *name;
    size_t retain_least;  /* bytes of free memory a heap may always keep, … */
    size_t retain_busy;   /* up to so many while what it gave back is soon needed again, … */
    size_t pool;          /* bytes of destroyed heaps' memory kept for the next heaps */
    size_t warm_pool;     /* what the option of this name set; HAK_UNSET: nothing */
    size_t decay;         /* milliseconds that what is beyond waits before it goes, whole
                           * superslabs and huge blocks; HAK_UNSET: as hak_hints says */
    size_t carve;         /* bytes of blocks carved at a time, a multiple of the page */
    uint32_t retain_part; /* … and beside them this many hundredths of what was recently in use */
    uint32_t wake;        /* a full slab is used again when 1/2^wake of it is free … */
    uint32_t wake_in_order; /* … or this, in a heap that sorts it first */
    uint32_t decommit;      /* hak_decommit */
    uint32_t mem_lean;      /* 1: the option of this name was set */
    uint32_t kinds;         /* 1: kinds of block lie apart; the same as long as a heap lives */
} hak_profile;

#define HAK_UNSET SIZE_MAX

/* The profiles but for their names. Macros, so that one can be a constant for the compiler. */
#define HAK__KIB << 10
#define HAK__MIB << 20
/* clang-format off */
#define HAK_PROFILE_speed                                                  \
    .carve = 4 HAK__KIB, .wake = 4, .wake_in_order = 2,                    \
    .retain_least = 32 HAK__MIB, .retain_busy = 32 HAK__MIB,               \
    .retain_part = 50, .decay = HAK_UNSET, .pool = 16 HAK__MIB,            \
    .decommit = HAK_DECOMMIT_DONTNEED, .warm_pool = HAK_UNSET

#define HAK_PROFILE_balanced                                               \
    .carve = 4 HAK__KIB, .wake = 4, .wake_in_order = 4,                    \
    .retain_least = 256 HAK__KIB, .retain_busy = 8 HAK__MIB,               \
    .retain_part = 12, .decay = HAK_UNSET, .pool = 4 HAK__MIB,             \
    .decommit = HAK_DECOMMIT_DONTNEED, .warm_pool = HAK_UNSET

#define HAK_PROFILE_lean                                                   \
    .carve = 4 HAK__KIB, .wake = 31, .wake_in_order = 31,                  \
    .retain_least = 128 HAK__KIB, .retain_busy = 4 HAK__MIB,               \
    .retain_part = 2, .decay = HAK_UNSET, .pool = 0,                       \
    .decommit = HAK_DECOMMIT_DONTNEED, .warm_pool = HAK_UNSET
/* clang-format on */

/* The profile that every heap of this build has; NULL: each has its own. With -DHAK_FAST it is
 * balanced, or what -DHAK_FAST_PROFILE=speed or lean says. */
#ifdef HAK_FAST
#ifndef HAK_FAST_PROFILE
#define HAK_FAST_PROFILE balanced
#endif
#define HAK__NAME(profile) #profile
#define HAK__FIXED(profile)                               \
    {                                                     \
        .name = HAK__NAME(profile), HAK_PROFILE_##profile \
    }
#define HAK__EXPAND(profile) HAK__FIXED(profile)
static const hak_profile hak__profile_of_build = HAK__EXPAND(HAK_FAST_PROFILE);
static inline const hak_profile *hak__profile_fixed(void)
{
    return &hak__profile_of_build;
}
#else
static inline const hak_profile *hak__profile_fixed(void)
{
    return NULL;
}
#endif

/* The profile of that name, or of its alias; NULL when there is none. "custom" is what a heap's
 * profile is called once options of its own refine it; to begin with, it is speed. */
const hak_profile *hak__profile_named(const char *name);

#endif
