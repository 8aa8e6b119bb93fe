/* The operating system: the only place that makes system calls for memory; it counts each. Any
 * thread may call any function. Addresses and sizes are multiples of the OS page. A refusal is
 * counted and returned, never fatal. errno stays as it was. */
#ifndef HAK_CALLS_H
#define HAK_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "hakmem.h"

/* Maps `size` bytes anywhere: readable, writable, zero. NULL when refused. */
void *hak__os_map(size_t size);

/* The result of hak__os_map_at. */
typedef enum hak_mapped {
    HAK_MAPPED,
    HAK_TAKEN,  /* something else is mapped there */
    HAK_REFUSED /* no memory, no address space (RLIMIT_AS), or too many mappings */
} hak_mapped;

/* Maps `size` bytes at `start` in the same way, if nothing is mapped there. */
hak_mapped hak__os_map_at(void *start, size_t size);

/* Unmaps a range or a part of one: its pages and its address space. False when refused. */
bool hak__os_unmap(void *start, size_t size);

/* Bytes of address space that the process may map (RLIMIT_AS); SIZE_MAX: no limit. */
size_t hak__os_address_limit(void);

/* The end of the addresses that a process may map, rounded down to a power of two. At most 2^47, so
 * that pointers fit the 47 bits that LuaJIT has for them; 2^39 or less on some machines. */
size_t hak__os_address_end(void);

/* Makes each thread of the process that runs execute a full memory barrier (membarrier). Before
 * Linux 4.14, or where the call is forbidden: waits as long as no processor delays a store. */
void hak__os_barrier(void);

/* A random number, different in each process. */
uint64_t hak__os_random(void);

/* Purges pages at once (MADV_DONTNEED). The range stays mapped and reads as zero.
 * False when refused. */
bool hak__os_purge(void *start, size_t size);

/* Lets the OS take pages when it wants them (MADV_FREE). Until then they may have their old
 * contents. False when refused. */
bool hak__os_purge_lazily(void *start, size_t size);

/* Touches mapped pages that are untouched or purged: by one call; before Linux 5.14 page by page.
 * False: the OS has no memory. */
bool hak__os_touch(void *start, size_t size);

/* Whether the process has rights that its caller does not have (AT_SECURE): then nothing that the
 * caller says is to be believed. */
bool hak__os_has_more_rights(void);

/* Bytes of a kernel page. */
size_t hak__os_page(void);

/* Sets a byte for each page of a range; bit 0: it is resident. For checks. False: unknown. */
bool hak__os_resident(void *start, size_t size, unsigned char *pages);

/* The result of hak__os_move. */
typedef enum hak_moved {
    HAK_MOVED,      /* the pages are at the target */
    HAK_NOT_MOVED,  /* refused; source and target are mapped as before */
    HAK_NOT_ONE,    /* the same, since the source lies in several kernel mappings; parts can be
                     * moved */
    HAK_TARGET_LOST /* refused, and something else is mapped at the target now */
} hak_moved;

/* Moves the pages of `size` bytes at `from` to the mapped range at `to`. Nothing is mapped at
 * `from` afterwards. No byte is copied, only page-table entries (mremap). */
hak_moved hak__os_move(void *from, size_t size, void *to);

/* The same for one part of a range, which may have to be moved back: `from` stays mapped.
 * HAK_MOVED, HAK_NOT_MOVED or HAK_TARGET_LOST. */
hak_moved hak__os_move_part(void *from, size_t size, void *to);

/* Whether the system uses huge pages for memory that does not ask for them. For checks. */
bool hak__os_huge_pages(void);

/* Milliseconds since some moment in the past; coarse, without a call to the kernel. */
uint64_t hak__os_clock(void);

/* Counts of the calls so far. */
void hak__os_calls(hak_os_calls *calls);

/* Failed calls of madvise: for lack of memory, and for other reasons. */
typedef struct hak_advice_refused {
    size_t enomem, other;
} hak_advice_refused;
hak_advice_refused hak__os_advice_refused(void);

/* Figures of the OS for the process. */
typedef struct hak_os_usage {
    size_t resident; /* bytes */
    size_t page_faults, major_faults;
} hak_os_usage;
hak_os_usage hak__os_usage(void);

#endif
