/* Profiles: one table of what a heap trades between speed and memory. Read only where slabs change
 * hands. */
#ifndef HAK_PROFILE_H
#define HAK_PROFILE_H

#include <stddef.h>

typedef struct hak_profile {
    const char *name;
    size_t carve;             /* bytes of blocks carved at a time, at least one page */
    unsigned reopen;          /* a full slab is used again when 1/2^reopen of it is free … */
    unsigned reopen_in_order; /* … or this, in a heap that sorts it first */
    size_t retain_least;      /* bytes of free memory a heap may always keep … */
    unsigned retain_part;     /* and beside them this many hundredths of what was recently in use */
    size_t pool;              /* bytes of a destroyed heap's memory kept for the next heap */
} hak_profile;

/* The profile of that name; NULL when there is none. */
const hak_profile *hak__profile_named(const char *name);

/* HAKMEM_PROFILE from the environment when it names one, else "speed". Warns once of a name that
 * is unknown. */
const hak_profile *hak__profile_default(void);

#endif
