/* The system calls of the core, which the linker leads here (--wrap): an input says which of them
 * are refused, and what kind of machine it is. Between os_begin and os_end the core's mappings are
 * noted, so that nothing of one input is left for the next. */
#ifndef FUZZ_OS_CALLS_H
#define FUZZ_OS_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OS_MMAP, OS_MADVISE, OS_MREMAP, OS_MUNMAP, OS_KINDS };

/* What the kernel cannot do, or does otherwise, from the first call on. */
typedef struct os_machine {
    bool no_place;      /* others lie where the shared region would: there is none */
    bool limited;       /* it has a limit of address space */
    bool little_space;  /* 256 MiB of address space in all */
    bool old_kernel;    /* before Linux 4.17: no MAP_FIXED_NOREPLACE, nor MREMAP_DONTUNMAP */
    bool no_populate;   /* before Linux 5.14: nothing can be touched by a call */
    bool no_claims;     /* the target of a refused mremap cannot be mapped again */
    bool late_refusal;  /* a refused mremap has unmapped its target, as before Linux 6.17 */
    bool single_mapped; /* mremap refuses more than one superslab, as across several mappings */
} os_machine;

void os_begin(const os_machine *machine);

/* Gives back all that is mapped still. */
void os_end(void);

/* Whether the core sees a limit of address space (RLIMIT_AS), which refuses nothing by itself. */
void os_limit(bool limited);

/* After `skip` calls of the kinds (a bit for each), the next `count` are refused with `error`. */
void os_refuse(unsigned kinds, size_t skip, size_t count, int error);
void os_relent(void);

/* Whether a call may be refused from now on. */
bool os_refusing(void);

/* Calls refused so far in this input, but for those that the machine cannot do. */
size_t os_refusals(void);

/* Calls of a kind so far, refused ones too. */
size_t os_made(unsigned kind);

/* Whether pages were ever given back lazily: then the kernel has more than the accounts say. */
bool os_lazy(void);

/* Of what is mapped in regions of the core, but for records: bytes, and bytes that the kernel has
 * pages for. */
typedef struct os_pages {
    size_t mapped, resident;
} os_pages;
os_pages os_look(void);

/* The time that the core sees, in milliseconds. */
void os_wait(uint64_t milliseconds);

#endif
