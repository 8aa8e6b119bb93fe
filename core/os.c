#define _GNU_SOURCE
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define RESERVE_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static struct {
    atomic_uint_fast64_t mmap, mprotect, madvise, mremap, munmap, failed;
    atomic_uint_fast64_t madvise_enomem, madvise_other; /* of those that failed */
} counts;

static bool counted(atomic_uint_fast64_t *kind, bool done)
{
    atomic_fetch_add_explicit(kind, 1, memory_order_relaxed);
    if (!done) atomic_fetch_add_explicit(&counts.failed, 1, memory_order_relaxed);
    return done;
}

static void *map(void *at, size_t size, int flags)
{
    void *p = mmap(at, size, PROT_NONE, RESERVE_FLAGS | flags, -1, 0);
    return counted(&counts.mmap, p != MAP_FAILED) ? p : NULL;
}

/* Callers of the allocator see its errno, never one of a system call. */
void *hak__os_reserve(size_t size)
{
    int saved = errno;
    void *p = map(NULL, size, 0);
    errno = saved;
    return p;
}

uint64_t hak__os_clock(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

size_t hak__os_address_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
    return (size_t)limit.rlim_cur;
}

bool hak__os_commit(void *start, size_t size)
{
    int saved = errno;
    bool done = counted(&counts.mprotect, mprotect(start, size, PROT_READ | PROT_WRITE) == 0);
    errno = saved;
    return done;
}

void *hak__os_take(size_t size)
{
    void *p = hak__os_reserve(size);
    if (!p || hak__os_commit(p, size)) return p;
    hak__os_release(p, size);
    return NULL;
}

static bool advise(void *start, size_t size, int advice)
{
    int saved = errno;
    bool done = counted(&counts.madvise, madvise(start, size, advice) == 0);
    if (!done) {
        atomic_uint_fast64_t *why =
            errno == ENOMEM ? &counts.madvise_enomem : &counts.madvise_other;
        atomic_fetch_add_explicit(why, 1, memory_order_relaxed);
    }
    errno = saved;
    return done;
}

bool hak__os_purge(void *start, size_t size)
{
    return advise(start, size, MADV_DONTNEED);
}

bool hak__os_purge_lazily(void *start, size_t size)
{
    return advise(start, size, MADV_FREE);
}

bool hak__os_touch(void *start, size_t size)
{
    return advise(start, size, MADV_POPULATE_WRITE);
}

bool hak__os_reset(void *start, size_t size)
{
    int saved = errno;
    bool done = map(start, size, MAP_FIXED) != NULL;
    errno = saved;
    return done;
}

bool hak__os_release(void *start, size_t size)
{
    int saved = errno;
    bool done = counted(&counts.munmap, munmap(start, size) == 0);
    errno = saved;
    return done;
}

static bool remap(void *from, size_t size, void *to, int flags)
{
    void *p = mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | flags, to);
    return counted(&counts.mremap, p != MAP_FAILED);
}

/* Claims addresses that may have become a hole, unless another thread's mapping has taken it. */
static bool claim_hole(void *start, size_t size)
{
    void *p = map(start, size, MAP_FIXED_NOREPLACE);
    if (p && p != start) hak__os_release(p, size); /* before Linux 4.17: the flag was a hint */
    return p == start || (!p && errno == EEXIST);
}

hak_moved hak__os_move(void *from, size_t size, void *to)
{
    int saved = errno;
    hak_moved result;
    if (remap(from, size, to, MREMAP_DONTUNMAP)) {
        /* The kernel kept our claim on the source. Failing to reset it costs nothing but the
         * access that stays. */
        hak__os_reset(from, size);
        result = HAK_MOVED;
    } else if (errno == EINVAL && remap(from, size, to, 0)) {
        /* Before Linux 5.7 (EINVAL) the source becomes a hole. */
        void *p = map(from, size, MAP_FIXED_NOREPLACE);
        if (p && p != from) hak__os_release(p, size);
        result = p == from ? HAK_MOVED : HAK_MOVED_HOLE;
    } else {
        /* A refused call may have unmapped the target first. */
        result = errno == EFAULT ? HAK_NOT_ONE : HAK_NOT_MOVED;
        if (!claim_hole(to, size)) result = HAK_TARGET_LOST;
    }
    errno = saved;
    return result;
}

void hak__os_calls(hak_os_calls *calls)
{
    calls->mmap = atomic_load_explicit(&counts.mmap, memory_order_relaxed);
    calls->mprotect = atomic_load_explicit(&counts.mprotect, memory_order_relaxed);
    calls->madvise = atomic_load_explicit(&counts.madvise, memory_order_relaxed);
    calls->mremap = atomic_load_explicit(&counts.mremap, memory_order_relaxed);
    calls->munmap = atomic_load_explicit(&counts.munmap, memory_order_relaxed);
    calls->failed = atomic_load_explicit(&counts.failed, memory_order_relaxed);
    calls->total = calls->mmap + calls->mprotect + calls->madvise + calls->mremap + calls->munmap;
}

/* The pages that the process has resident. */
static size_t resident_pages(void)
{
    char text[128];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return 0;
    text[length] = 0;
    const char *second = strchr(text, ' ');
    return second ? strtoul(second, NULL, 10) : 0;
}

void hak__os_count(hak_process_stats *stats)
{
    int saved = errno;
    struct rusage usage;
    hak__os_calls(&stats->os);
    stats->madvise_enomem = atomic_load_explicit(&counts.madvise_enomem, memory_order_relaxed);
    stats->madvise_other = atomic_load_explicit(&counts.madvise_other, memory_order_relaxed);
    stats->resident = resident_pages() * (size_t)sysconf(_SC_PAGESIZE);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        stats->page_faults = (size_t)usage.ru_minflt;
        stats->major_faults = (size_t)usage.ru_majflt;
    }
    errno = saved;
}
