/* Profiles: the settings that trade speed against memory. Read only on slow paths. A build may fix
 * one profile at compile time. */
#ifndef HAK_PROFILE_H
#define HAK_PROFILE_H

#include <stddef.h>
#include <stdint.h>

/* How pages go back to the OS. */
typedef enum hak_decommit {
    HAK_DECOMMIT_OFF,     /* only on request, or before memory is refused */
    HAK_DECOMMIT_FREE,    /* when the OS wants them (MADV_FREE); resident until then */
    HAK_DECOMMIT_DONTNEED /* at once (MADV_DONTNEED) */
} hak_decommit;

/* option_table.c describes these numbers. Large ones are size_t, the others uint32_t, since every
 * heap has a profile. A heap may retain retain_least bytes, what was learned (at most retain_busy
 * in all), and retain_part hundredths of its recent peak. */
typedef struct hak_profile {
    const char *name;
    size_t retain_least;    /* bytes of free memory that a heap may always retain */
    size_t retain_busy;     /* bytes, at most, while purged pages are soon used again */
    size_t pool;            /* bytes of destroyed heaps that the process keeps for new ones */
    size_t warm_pool;       /* value of the option of this name; HAK_UNSET: not set */
    size_t decay;           /* milliseconds that whole superslabs and huge blocks beyond that wait
                             * before they are purged; HAK_UNSET: as hak_hints says */
    size_t carve;           /* bytes of blocks carved at a time, a multiple of the page */
    uint32_t retain_part;   /* hundredths of the recent peak in use */
    uint32_t wake;          /* a full slab is used again when 1/2^wake of it is free */
    uint32_t wake_in_order; /* the same for a heap that sorts slabs */
    uint32_t decommit;      /* hak_decommit */
    uint32_t mem_lean;      /* 1: the option of this name was set */
    uint32_t kinds;         /* 1: kinds of block have their own slabs; fixed for a heap's life */
} hak_profile;

#define HAK_UNSET SIZE_MAX

/* The profiles without their names. Macros, so that one can be a constant for the compiler. */
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

/* The profile of all heaps of this build; NULL: each heap has its own. With -DHAK_FAST it is
 * balanced, or the one named by -DHAK_FAST_PROFILE=speed or lean. */
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

/* The profile of that name, or of its alias; NULL: there is none. "custom" is the name of a heap's
 * profile that its own options have refined. By itself it is balanced. */
const hak_profile *hak__profile_named(const char *name);

#endif
