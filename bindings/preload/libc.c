/* libc's own functions, for the blocks that it has made before it was replaced, and for
 * HAKMEM_FORCE_LIBC_ALLOC. glibc has them under second names; where they are missing, the pointers
 * stay NULL and everything is hakmem's. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/os.h"
#include "threads/threads.h"

extern void *__libc_malloc(size_t size) __attribute__((weak));
extern void *__libc_calloc(size_t count, size_t size) __attribute__((weak));
extern void *__libc_realloc(void *block, size_t size) __attribute__((weak));
extern void *__libc_memalign(size_t alignment, size_t size) __attribute__((weak));
extern void __libc_free(void *block) __attribute__((weak));

/* ------------------------------------------------------------------ blocks of glibc */

#define START_OF_BREAK 47 /* the field of /proc/self/stat, from 1 */
#define MAPPED         2  /* a bit of the word before a block: it has a mapping of its own */
#define BITS           7  /* of that word that are no size */

static uintptr_t start_of_break(void)
{
    static char text[2048];
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0) return UINTPTR_MAX;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    const char *at = length > 0 ? strrchr(text, ')') : NULL; /* behind the name, the second field */
    for (int field = 2; at && field < START_OF_BREAK; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : UINTPTR_MAX;
}

/* Reads two words that may not be there. */
static bool read_words(const void *from, size_t words[2])
{
    struct iovec here = {words, 2 * sizeof *words}, there = {(void *)from, 2 * sizeof *words};
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)here.iov_len;
}

/* Whether glibc has mapped a block for itself: its header tells so, and fits the page. */
static bool is_mapped(const void *block)
{
    size_t header[2], page = (size_t)getpagesize();
    if (!read_words((const char *)block - sizeof header, header)) return false;
    uintptr_t start = (uintptr_t)block - sizeof header - header[0];
    size_t size = header[1] & ~(size_t)BITS;
    return header[1] & MAPPED && start % page == 0 && size && (header[0] + size) % page == 0;
}

static bool serves_all(void);

/* Called before the program would be ended otherwise. */
static bool owns(const void *block)
{
    if (serves_all()) return true;
    if (!__libc_free || (uintptr_t)block % (2 * sizeof(size_t))) return false;
    bool in_break = (uintptr_t)block >= start_of_break() && block < sbrk(0);
    return in_break || is_mapped(block);
}

/* ------------------------------------------------------------------ calling it */

static void *alloc(size_t alignment, size_t size)
{
    return alignment > 1 ? __libc_memalign(alignment, size) : __libc_malloc(size);
}

static void *zalloc(size_t size)
{
    return __libc_calloc(1, size);
}

static void *resize(void *block, size_t size)
{
    return __libc_realloc(block, size);
}

static void release(void *block)
{
    __libc_free(block);
}

/* glibc has no second name for this. The word before a block has its size and that word's. */
static size_t size_of(const void *block)
{
    size_t word = ((const size_t *)block)[-1];
    return (word & ~(size_t)BITS) - (word & MAPPED ? 2 : 1) * sizeof word;
}

/* ------------------------------------------------------------------ whether it serves all */

static bool is_forced(void)
{
    const char *value = hak__os_has_more_rights() ? NULL : getenv("HAKMEM_FORCE_LIBC_ALLOC");
    return value && strcmp(value, "1") == 0 && __libc_malloc;
}

/* Found out by the first call, when the process has one thread. */
static bool serves_all(void)
{
    static enum { UNKNOWN, NO, YES } answer;
    if (answer == UNKNOWN) answer = is_forced() ? YES : NO;
    return answer == YES;
}

static const hak_foreign libc = {owns, alloc, zalloc, resize, release, size_of, serves_all};
const hak_foreign *const hak__foreign = &libc;
