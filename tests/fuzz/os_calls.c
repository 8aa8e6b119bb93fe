#define _GNU_SOURCE
#include "os_calls.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../core/wrapped_calls.h"
#include "fail.h"
#include "os/mman.h"
#include "os/os.h"
#include "pages/region.h"

#define LITTLE_SPACE ((size_t)256 << 20)
#define MAPPINGS     16384
#define TIME_BEGIN   ((uint64_t)1000000) /* milliseconds */

/* ------------------------------------------------------------------ the plan */

static struct {
    unsigned kinds;
    size_t skip, count;
    int error;
} refuse;

static os_machine machine;
static bool within; /* an input: other calls are those of the fuzzer */
static size_t refusals, made[OS_KINDS];
static bool lazy, limited;
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

void os_limit(bool is_limited)
{
    limited = is_limited;
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

typedef struct range {
    char *start, *end;
} range;

static range mappings[MAPPINGS]; /* of the core, in no order */
static size_t mapping_count, mapped_bytes;

static void note_mapped(char *start, size_t size)
{
    mapped_bytes += size;
    if (mapping_count > 0 && mappings[mapping_count - 1].end == start) {
        mappings[mapping_count - 1].end += size;
        return;
    }
    REQUIRE(mapping_count < MAPPINGS);
    mappings[mapping_count++] = (range){start, start + size};
}

static void note_unmapped(char *start, size_t size)
{
    char *end = start + size;
    for (size_t i = mapping_count; i-- > 0;) {
        range was = mappings[i];
        if (was.end <= start || was.start >= end) continue;
        mappings[i] = mappings[--mapping_count];
        mapped_bytes -= (size_t)(was.end - was.start);
        if (was.start < start) note_mapped(was.start, (size_t)(start - was.start));
        if (was.end > end) note_mapped(end, (size_t)(was.end - end));
    }
}

/* A part of a superslab. */
static void look_at(char *start, size_t size, os_pages *seen)
{
    static unsigned char present[HAK_SUPERSLAB_SIZE / PAGE];
    if (!hak__region_of(start)) return;
    seen->mapped += size;
    if (mincore(start, size, present) != 0) return;
    for (size_t page = 0; page < size / PAGE; page++) seen->resident += (present[page] & 1) * PAGE;
}

os_pages os_look(void)
{
    os_pages seen = {0};
    for (size_t i = 0; i < mapping_count; i++) {
        char *at = mappings[i].start, *end = mappings[i].end;
        for (size_t part; at < end; at += part) {
            part = HAK_SUPERSLAB_SIZE - (uintptr_t)at % HAK_SUPERSLAB_SIZE;
            if (part > (size_t)(end - at)) part = (size_t)(end - at);
            look_at(at, part, &seen);
        }
    }
    return seen;
}

/* The target of a refused mremap, until the core's next call. */
static char *given_up;

void os_begin(const os_machine *on)
{
    machine = *on;
    os_relent();
    refusals = mapping_count = mapped_bytes = 0;
    for (unsigned kind = 0; kind < OS_KINDS; kind++) made[kind] = 0;
    lazy = false;
    limited = machine.limited;
    given_up = NULL;
    now = TIME_BEGIN;
    within = true;
}

void os_end(void)
{
    within = false;
    while (mapping_count > 0) {
        range last = mappings[--mapping_count];
        syscall(SYS_munmap, last.start, (size_t)(last.end - last.start));
    }
}

/* ------------------------------------------------------------------ the calls
 *
 * Those of an input go to the kernel past the sanitizer, whose own calls these are not. */

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __real_getrlimit(int resource, struct rlimit *limit);
int __wrap_getrlimit(int resource, struct rlimit *limit);
int __real_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void));

/* Whether a place belongs to others on this machine. */
static bool is_taken(const void *at)
{
    size_t end = hak__os_address_end();
    return machine.no_place && (uintptr_t)at >= end / 4 && (uintptr_t)at < end / 8 * 5;
}

void *__wrap_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset)
{
    if (!within || !(flags & MAP_NORESERVE))
        return __real_mmap(at, size, access, flags, fd, offset);
    bool is_lost = at && at == given_up && machine.no_claims;
    given_up = NULL;
    if (is_refused(OS_MMAP)) return MAP_FAILED;
    if (machine.little_space && mapped_bytes + size > LITTLE_SPACE) refusals++, is_lost = true;
    if (is_lost || is_taken(at)) {
        errno = is_lost ? ENOMEM : EEXIST;
        return MAP_FAILED;
    }
    if (machine.old_kernel) flags &= ~MAP_FIXED_NOREPLACE;
    char *p = (char *)syscall(SYS_mmap, at, size, access, flags, fd, offset);
    if (p != MAP_FAILED) note_mapped(p, size);
    return p;
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
        int why = errno;
        if (machine.late_refusal && syscall(SYS_munmap, to, new_size) == 0) {
            note_unmapped(to, new_size);
            given_up = to;
        }
        errno = why;
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
    note_unmapped(to, new_size);
    note_mapped(to, new_size);
    if (!keeps) note_unmapped(at, size);
    return p;
}

int __wrap_munmap(void *at, size_t size)
{
    if (!within) return __real_munmap(at, size);
    if (is_refused(OS_MUNMAP)) return -1;
    note_unmapped(at, size);
    return (int)syscall(SYS_munmap, at, size);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (!within || clock != CLOCK_MONOTONIC_COARSE) return __real_clock_gettime(clock, time);
    time->tv_sec = (time_t)(now / 1000);
    time->tv_nsec = (long)(now % 1000) * 1000000;
    return 0;
}

int __wrap_getrlimit(int resource, struct rlimit *limit)
{
    if (!within || resource != RLIMIT_AS) return __real_getrlimit(resource, limit);
    limit->rlim_cur = limit->rlim_max = limited ? RLIM_INFINITY / 2 : RLIM_INFINITY;
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
