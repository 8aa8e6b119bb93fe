/* The operating system: the only place that makes system calls for memory, and counts each.
 * Every function is safe to call from any thread. Addresses and sizes are multiples of the OS page;
 * a refusal is counted and returned, never fatal. */
#ifndef HAK_CALLS_H
#define HAK_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "hakmem.h"

/* Reserves `size` bytes of address space, without access and without memory behind it. NULL when
 * refused. */
void *hak__os_reserve(size_t size);

/* How many bytes of address space the process may hold in all (RLIMIT_AS); SIZE_MAX: no limit. */
size_t hak__os_address_limit(void);

/* Makes reserved bytes readable and writable; they read as zero until written. */
bool hak__os_commit(void *start, size_t size);

/* Reserves and commits in one: `size` bytes that read as zero. NULL when refused. */
void *hak__os_take(size_t size);

/* Gives the pages back at once; the range stays committed and reads as zero. */
bool hak__os_purge(void *start, size_t size);

/* Lets the OS take the pages when it wants them; until then they may keep what is in them. */
bool hak__os_purge_lazily(void *start, size_t size);

/* Touches committed pages that were never written, or not since they were given back: by one call,
 * or, before Linux 5.14, page by page. False where the OS has no memory. */
bool hak__os_touch(void *start, size_t size);

/* Bytes of a page of the kernel. */
size_t hak__os_page(void);

/* Whether each page of a range is resident: a byte for each, bit 0. For checks. False when the OS
 * does not tell. */
bool hak__os_resident(void *start, size_t size, unsigned char *pages);

/* Gives the pages back and takes the access away: the range is as newly reserved. */
bool hak__os_reset(void *start, size_t size);

/* Gives the address space itself back. */
bool hak__os_release(void *start, size_t size);

/* What hak__os_move did. */
typedef enum hak_moved {
    HAK_MOVED,       /* the source is as newly committed */
    HAK_MOVED_AWAY,  /* the source is as newly reserved */
    HAK_MOVED_HOLE,  /* the source's addresses were lost to the process: never use them again */
    HAK_NOT_MOVED,   /* refused: the source is as it was, the target reserved, committed or not */
    HAK_NOT_ONE,     /* the same, because the source lies in several kernel mappings; parts of it
                      * can be moved */
    HAK_TARGET_LOST, /* refused: the target's addresses were lost: never use them again */
} hak_moved;

/* Moves the pages of `size` committed bytes at `from` to the range at `to`, which is ours and
 * becomes committed. No byte is copied: page-table entries are (mremap). */
hak_moved hak__os_move(void *from, size_t size, void *to);

/* The same for one part of several, which may have to come back: HAK_MOVED, HAK_NOT_MOVED or
 * HAK_TARGET_LOST. */
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
