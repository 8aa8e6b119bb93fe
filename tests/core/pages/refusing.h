/* Refuses the core's system calls by a plan. The linker puts functions in their place (--wrap). */
#ifndef HAK_TEST_REFUSING_H
#define HAK_TEST_REFUSING_H

#include "support.h"
#include "wrapped_calls.h"

#include "os/mman.h"

enum { MMAP, MADVISE, MREMAP, MUNMAP, KINDS };
#define ALL ((1u << KINDS) - 1)

typedef struct plan {
    unsigned kinds;      /* which calls are refused, a bit for each */
    size_t from, until;  /* numbers of the first and the last call refused; from 0: none */
    bool no_place;       /* the addresses that the region would lie at are taken by others */
    bool old_kernel;     /* before Linux 4.17: no MREMAP_DONTUNMAP, no MAP_FIXED_NOREPLACE */
    bool in_pieces;      /* before Linux 6.17: no call moves several mappings */
    bool no_claims;      /* the target of a refused move cannot be mapped again */
    bool late_refusal;   /* a refused mremap has unmapped its target, as before Linux 6.17 */
    bool odd_refusal;    /* a refused mremap says what a kernel does that lacks its flag: EINVAL */
    bool limited;        /* there is a limit of address space, far away: large blocks are packed */
    bool after_creation; /* calls count once there is a heap */
    bool twice;          /* look for growth from one run to the next */
} plan;

extern plan refuse;
extern size_t calls, refusals; /* calls of the plan's kinds; refused ones of any kind */
extern size_t made[KINDS];     /* all calls */
extern char *last_target;      /* of a move */

/* What children tell the parent. */
typedef struct report {
    bool finished; /* the plan has not met its call */
    size_t space;  /* bytes of address space at the end */
    unsigned kind; /* of call refused last */
} report;

extern report *told;

/* Makes room for that: the setup of a group of tests. */
int refusing_setup(void **state);

/* As others might, unless something is mapped there. */
void map_behind(char *block);

#endif
