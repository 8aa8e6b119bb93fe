#define _GNU_SOURCE
#include "os_calls.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"
#include "pages/region.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define BIG_MMAP    ((size_t)768 << 20)
#define SMALL_SPACE ((size_t)1280 << 20)
#define MAPPINGS    4096
#define SUPERSLABS  4096
#define TIME_BEGIN  ((uint64_t)1000000) /* milliseconds */

/* ------------------------------------------------------------------ the plan */

static struct {
    unsigned kinds;
    size_t skip, count;
    int error;
} refuse;

static os_machine machine;
static bool within; /* an input: other calls are those of the fuzzer */
static size_t refusals, made[OS_KINDS];
static bool lazy;
static uint64_t now; /* milliseconds */

void os_refuse(unsigned kinds, size_t skip, size_t count, int error)
{
    refuse.kinds = kinds;
    refuse.skip = skip;
    refuse.count = count;
    refuse.error = error;
}

void os_relent(void)
{
    os_refuse(0, 0, 0, 0);
}

bool os_refusing(void)
{
    return refuse.count > 0;
}

size_t os_refusals(void)
{
    return refusals;
}

size_t os_made(unsigned kind)
{
    return made[kind];
}

bool os_lazy(void)
{
    return lazy;
}

void os_wait(uint64_t milliseconds)
{
    now += milliseconds;
}

/* Counts a call; true, and errno set, if it is to be refused. */
static bool is_refused(unsigned kind)
{
    made[kind]++;
    if (!(refuse.kinds >> kind & 1) || refuse.count == 0) return false;
    if (refuse.skip > 0) {
        refuse.skip--;
        return false;
    }
    refuse.count--;
    refusals++;
    errno = refuse.error;
    return true;
}

/* ------------------------------------------------------------------ what is mapped */

static struct {
    char *start;
    size_t size;
} mappings[MAPPINGS];
static size_t mapping_count;

static void note_mapping(char *start, size_t size)
{
    REQUIRE(mapping_count < MAPPINGS);
    mappings[mapping_count].start = start;
    mappings[mapping_count++].size = size;
}

static void forget_mapping(const char *start)
{
    for (size_t i = 0; i < mapping_count; i++) {
        if (mappings[i].start == start) mappings[i] = mappings[--mapping_count];
    }
}

/* Superslabs that have been made accessible, or whole pieces of records that look like some. */
static struct {
    char *start;
    bool accessible;
} superslabs[SUPERSLABS];
static size_t superslab_count;

static void note_access(char *start, size_t size, bool accessible)
{
    if ((uintptr_t)start % HAK_SUPERSLAB_SIZE || size % HAK_SUPERSLAB_SIZE) return;
    for (; size > 0; start += HAK_SUPERSLAB_SIZE, size -= HAK_SUPERSLAB_SIZE) {
        size_t i = 0;
        while (i < superslab_count && superslabs[i].start != start) i++;
        if (i == superslab_count) {
            if (!accessible) continue;
            REQUIRE(superslab_count < SUPERSLABS);
            superslabs[superslab_count++].start = start;
        }
        superslabs[i].accessible = accessible;
    }
}

static void forget_superslabs(char *start, size_t size)
{
    for (size_t i = superslab_count; i-- > 0;) {
        if ((size_t)(superslabs[i].start - start) < size) {
            superslabs[i] = superslabs[--superslab_count];
        }
    }
}

os_pages os_look(void)
{
    static unsigned char present[HAK_SUPERSLAB_SIZE / PAGE];
    os_pages seen = {0};
    for (size_t i = 0; i < superslab_count; i++) {
        if (!superslabs[i].accessible || !hak__region_of(superslabs[i].start)) continue;
        seen.accessible += HAK_SUPERSLAB_SIZE;
        if (mincore(superslabs[i].start, HAK_SUPERSLAB_SIZE, present) != 0) continue;
        for (size_t page = 0; page < COUNT(present); page++) {
            seen.resident += (present[page] & 1) * PAGE;
        }
    }
    return seen;
}

/* Addresses that the core has given up for a moment, and claims back, or not, by its next call. So
 * long they stay mapped without access: nobody else may come to lie there. */
static char *given_up;

static void give_up(char *start, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    syscall(SYS_mmap, start, size, PROT_NONE, flags, -1, 0);
    given_up = start;
}

void os_begin(const os_machine *on)
{
    machine = *on;
    os_relent();
    refusals = mapping_count = superslab_count = 0;
    for (unsigned kind = 0; kind < OS_KINDS; kind++) made[kind] = 0;
    lazy = false;
    given_up = NULL;
    now = TIME_BEGIN;
    within = true;
}

void os_end(void)
{
    within = false;
    while (mapping_count > 0) {
        mapping_count--;
        syscall(SYS_munmap, mappings[mapping_count].start, mappings[mapping_count].size);
    }
}

/* ------------------------------------------------------------------ the calls
 *
 * Those of an input go to the kernel past the sanitizer, whose own calls these are not. */

void *__real_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset);
int __real_mprotect(void *at, size_t size, int access);
int __wrap_mprotect(void *at, size_t size, int access);
int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);
void *__real_mremap(void *at, size_t size, size_t new_size, int flags, void *to);
void *__wrap_mremap(void *at, size_t size, size_t new_size, int flags, void *to);
int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);
int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __real_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void));

static bool is_core(int access, int flags)
{
    return within && access == PROT_NONE && flags & MAP_NORESERVE;
}

void *__wrap_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset)
{
    if (!is_core(access, flags)) return __real_mmap(at, size, access, flags, fd, offset);
    bool claim = flags & MAP_FIXED_NOREPLACE, free = claim && at == given_up;
    given_up = NULL;
    if (is_refused(OS_MMAP)) return MAP_FAILED;
    bool too_big =
        (machine.little_space && size > BIG_MMAP) || (machine.small_space && size > SMALL_SPACE);
    if (too_big || (free && machine.no_claims)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (free) flags = (flags & ~MAP_FIXED_NOREPLACE) | MAP_FIXED;
    char *p = (char *)syscall(SYS_mmap, at, size, access, flags, fd, offset);
    if (p == MAP_FAILED) return p;
    if (!at) note_mapping(p, size);
    else note_access(p, size, false);
    return p;
}

int __wrap_mprotect(void *at, size_t size, int access)
{
    if (!within) return __real_mprotect(at, size, access);
    if (is_refused(OS_MPROTECT)) return -1;
    int result = (int)syscall(SYS_mprotect, at, size, access);
    if (result == 0) note_access(at, size, true);
    return result;
}

int __wrap_madvise(void *at, size_t size, int advice)
{
    if (!within) return __real_madvise(at, size, advice);
    if (is_refused(OS_MADVISE)) return -1;
    if (advice == MADV_POPULATE_WRITE && machine.no_populate) {
        errno = EINVAL;
        return -1;
    }
    if (advice == MADV_FREE) lazy = true;
    return (int)syscall(SYS_madvise, at, size, advice);
}

void *__wrap_mremap(void *at, size_t size, size_t new_size, int flags, void *to)
{
    if (!within) return __real_mremap(at, size, new_size, flags, to);
    bool keeps = flags & MREMAP_DONTUNMAP;
    if (is_refused(OS_MREMAP)) {
        if (machine.late_refusal) {
            give_up(to, new_size);
            note_access(to, new_size, false);
        }
        return MAP_FAILED;
    }
    if (machine.old_kernel && keeps) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    if (machine.single_mapped && size > HAK_SUPERSLAB_SIZE) {
        errno = EFAULT;
        return MAP_FAILED;
    }
    void *p = (void *)syscall(SYS_mremap, at, size, new_size, flags, to);
    if (p == MAP_FAILED) return p;
    note_access(to, new_size, true);
    if (!keeps) {
        give_up(at, size);
        note_access(at, size, false);
    }
    return p;
}

int __wrap_munmap(void *at, size_t size)
{
    if (!within) return __real_munmap(at, size);
    if (is_refused(OS_MUNMAP)) return -1;
    forget_mapping(at);
    forget_superslabs(at, size);
    return (int)syscall(SYS_munmap, at, size);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (!within || clock != CLOCK_MONOTONIC_COARSE) return __real_clock_gettime(clock, time);
    time->tv_sec = (time_t)(now / 1000);
    time->tv_nsec = (long)(now % 1000) * 1000000;
    return 0;
}

/* Once for the process: what is set back for each input would register them each time. */
int __wrap_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    static bool done;
    if (done) return 0;
    done = true;
    return __real_pthread_atfork(before, parent, child);
}
