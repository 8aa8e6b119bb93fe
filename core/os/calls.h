/* The operating system: the only place that makes system calls for memory, and counts each.
 * Every function is safe to call from any thread. Addresses and sizes are multiples of the OS page;
 * a refusal is counted and returned, never fatal. */
#ifndef HAK_CALLS_H
#define HAK_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "hakmem.h"

/* Maps `size` bytes anywhere: readable, writable, and zero until written. NULL when refused. */
void *hak__os_map(size_t size);

/* What hak__os_map_at did. */
typedef enum hak_mapped {
    HAK_MAPPED,
    HAK_TAKEN,  /* something else is mapped there */
    HAK_REFUSED /* no memory, no more address space (RLIMIT_AS), or too many mappings */
} hak_mapped;

/* Maps `size` bytes at `start`, likewise, where nothing is mapped. */
hak_mapped hak__os_map_at(void *start, size_t size);

/* Unmaps a range, or a part of one: its pages and its address space go back. */
bool hak__os_unmap(void *start, size_t size);

/* How many bytes of address space the process may have mapped (RLIMIT_AS); SIZE_MAX: no limit. */
size_t hak__os_address_limit(void);

/* The end of what a process may map, rounded down to a power of two: 2^47 at most, so that pointers
 * fit the 47 bits that LuaJIT has for them; 2^39 or less on some machines. */
size_t hak__os_address_end(void);

/* A number that differs from process to process. */
uint64_t hak__os_random(void);

/* Gives the pages back at once; the range stays mapped and reads as zero. */
bool hak__os_purge(void *start, size_t size);

/* Lets the OS take the pages when it wants them; until then they may keep what is in them. */
bool hak__os_purge_lazily(void *start, size_t size);

/* Touches mapped pages that were never written, or not since they were given back: by one call,
 * or, before Linux 5.14, page by page. False where the OS has no memory. */
bool hak__os_touch(void *start, size_t size);

/* Bytes of a page of the kernel. */
size_t hak__os_page(void);

/* Whether each page of a range is resident: a byte for each, bit 0. For checks. False when the OS
 * does not tell. */
bool hak__os_resident(void *start, size_t size, unsigned char *pages);

/* What hak__os_move did. */
typedef enum hak_moved {
    HAK_MOVED,      /* the pages are at the target */
    HAK_NOT_MOVED,  /* refused: source and target are mapped as they were */
    HAK_NOT_ONE,    /* the same, because the source lies in several kernel mappings; parts of it can
                     * be moved */
    HAK_TARGET_LOST /* refused, and something else is mapped at the target now */
} hak_moved;

/* Moves the pages of `size` bytes at `from` to the range at `to`, which is mapped. Nothing is
 * mapped at `from` then. No byte is copied: page-table entries are (mremap). */
hak_moved hak__os_move(void *from, size_t size, void *to);

/* The same for one part of several, which may have to come back: `from` stays mapped. HAK_MOVED,
 * HAK_NOT_MOVED or HAK_TARGET_LOST. */
hak_moved hak__os_move_part(void *from, size_t size, void *to);

/* Whether the system gives huge pages to memory that has not asked for them. For checks. */
bool hak__os_huge_pages(void);

/* Milliseconds since some moment in the past; coarse, and no call to the kernel. */
uint64_t hak__os_clock(void);

/* The calls made so far. */
void hak__os_calls(hak_os_calls *calls);

/* Of the calls of madvise that failed, those for want of memory, and the others. */
typedef struct hak_advice_refused {
    size_t enomem, other;
} hak_advice_refused;
hak_advice_refused hak__os_advice_refused(void);

/* What the OS knows of the process. */
typedef struct hak_os_usage {
    size_t resident; /* bytes */
    size_t page_faults, major_faults;
} hak_os_usage;
hak_os_usage hak__os_usage(void);

#endif
