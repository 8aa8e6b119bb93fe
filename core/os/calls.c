#define _GNU_SOURCE
#include "os/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/mman.h"

#ifndef GRND_NONBLOCK
#define GRND_NONBLOCK 1
#endif

#define ACCESS (PROT_READ | PROT_WRITE)
#define FLAGS  (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

#define POINTER_BITS 47 /* most bits of an address */

static struct {
    atomic_uint_fast64_t mmap, madvise, mremap, munmap, failed;
    atomic_uint_fast64_t madvise_enomem, madvise_other; /* of the failed ones */
} counts;

static bool counted(atomic_uint_fast64_t *kind, bool done)
{
    atomic_fetch_add_explicit(kind, 1, memory_order_relaxed);
    if (!done) atomic_fetch_add_explicit(&counts.failed, 1, memory_order_relaxed);
    return done;
}

static void *map(void *at, size_t size, int flags)
{
    void *p = mmap(at, size, ACCESS, FLAGS | flags, -1, 0);
    return counted(&counts.mmap, p != MAP_FAILED) ? p : NULL;
}

/* errno is restored: callers of the allocator see its errno, never one of a system call. */
void *hak__os_map(size_t size)
{
    int saved = errno;
    void *p = map(NULL, size, 0);
    errno = saved;
    return p;
}

/* The sanitizers of threads and of uninitialized memory replace an address that they have reserved
 * by NULL and keep the flag: as root, the kernel then maps address 0. */
extern void __tsan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));

/* The address is a hint without the flag, and before Linux 4.17, which does not know it. */
static hak_mapped map_at(void *start, size_t size)
{
    bool is_hint = __tsan_init || __msan_init;
    void *p = map(start, size, is_hint ? 0 : MAP_FIXED_NOREPLACE);
    if (p == start) return HAK_MAPPED;
    if (!p) return errno == EEXIST ? HAK_TAKEN : HAK_REFUSED;
    hak__os_unmap(p, size);
    return HAK_TAKEN;
}

hak_mapped hak__os_map_at(void *start, size_t size)
{
    int saved = errno;
    hak_mapped mapped = map_at(start, size);
    errno = saved;
    return mapped;
}

bool hak__os_unmap(void *start, size_t size)
{
    int saved = errno;
    bool done = counted(&counts.munmap, munmap(start, size) == 0);
    errno = saved;
    return done;
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

/* AT_RANDOM points into the stack made by the kernel, at the upper end of the addresses. The stack
 * of a thread or a coroutine may lie anywhere. */
size_t hak__os_address_end(void)
{
    char here;
    uintptr_t high = (uintptr_t)getauxval(AT_RANDOM);
    if (!high) high = (uintptr_t)&here;
    unsigned bits = 64 - (unsigned)__builtin_clzll(high);
    return (size_t)1 << (bits < POINTER_BITS ? bits : POINTER_BITS);
}

uint64_t hak__os_random(void)
{
    int saved = errno;
    uint64_t number = 0;
#ifdef SYS_getrandom
    if (syscall(SYS_getrandom, &number, sizeof number, GRND_NONBLOCK) != sizeof number)
#endif
        number = ((uintptr_t)&number ^ (uint64_t)getpid() ^ hak__os_clock()) * 0x9e3779b97f4a7c15u;
    errno = saved;
    return number;
}

/* 0, or errno if the OS refused. */
static int advise(void *start, size_t size, int advice)
{
    int saved = errno, why = 0;
    if (!counted(&counts.madvise, madvise(start, size, advice) == 0)) {
        why = errno;
        atomic_uint_fast64_t *kind = why == ENOMEM ? &counts.madvise_enomem : &counts.madvise_other;
        atomic_fetch_add_explicit(kind, 1, memory_order_relaxed);
    }
    errno = saved;
    return why;
}

bool hak__os_purge(void *start, size_t size)
{
    return advise(start, size, MADV_DONTNEED) == 0;
}

bool hak__os_purge_lazily(void *start, size_t size)
{
    return advise(start, size, MADV_FREE) == 0;
}

/* Writes a zero to each page, which reads as zero. */
static void touch_each(char *start, size_t size)
{
    for (size_t at = 0; at < size; at += hak__os_page()) ((volatile char *)start)[at] = 0;
}

bool hak__os_touch(void *start, size_t size)
{
    static atomic_bool unknown; /* the kernel does not know the advice */
    if (!atomic_load_explicit(&unknown, memory_order_relaxed)) {
        int why = advise(start, size, MADV_POPULATE_WRITE);
        if (why != EINVAL) return why == 0;
        atomic_store_explicit(&unknown, true, memory_order_relaxed);
    }
    touch_each(start, size);
    return true;
}

static bool remap(void *from, size_t size, void *to, int flags)
{
    void *p = mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | flags, to);
    return counted(&counts.mremap, p != MAP_FAILED);
}

/* Why a move was refused: by errno. A refused call may have unmapped the target first. Then the
 * target is mapped again, unless another thread has mapped there. If it is still mapped, it is
 * ours. */
static hak_moved not_moved(void *to, size_t size)
{
    bool is_not_one = errno == EFAULT;
    if (map_at(to, size) == HAK_REFUSED) return HAK_TARGET_LOST;
    return is_not_one ? HAK_NOT_ONE : HAK_NOT_MOVED;
}

hak_moved hak__os_move(void *from, size_t size, void *to)
{
    int saved = errno;
    hak_moved result = remap(from, size, to, 0) ? HAK_MOVED : not_moved(to, size);
    errno = saved;
    return result;
}

/* Linux before 5.7 does not know the flag: no part is moved. */
hak_moved hak__os_move_part(void *from, size_t size, void *to)
{
    int saved = errno;
    hak_moved result = HAK_MOVED;
    if (!remap(from, size, to, MREMAP_DONTUNMAP)) {
        result = not_moved(to, size);
        if (result == HAK_NOT_ONE) result = HAK_NOT_MOVED;
    }
    errno = saved;
    return result;
}

/* linux/membarrier.h, which old headers lack. */
#define BARRIER          (1 << 3) /* MEMBARRIER_CMD_PRIVATE_EXPEDITED */
#define BARRIER_REGISTER (1 << 4) /* MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED */
#define STORES_TAKE_NS                                                         \
    1000000 /* a processor empties its store buffer in less than a microsecond \
             */

static bool barrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

void hak__os_barrier(void)
{
    int saved = errno;
    bool done = barrier(BARRIER) || (barrier(BARRIER_REGISTER) && barrier(BARRIER));
    if (!done) {
        atomic_thread_fence(memory_order_seq_cst);
        nanosleep(&(struct timespec){.tv_nsec = STORES_TAKE_NS}, NULL);
    }
    errno = saved;
}

bool hak__os_has_more_rights(void)
{
    return getauxval(AT_SECURE) != 0;
}

size_t hak__os_page(void)
{
    return (size_t)getpagesize();
}

bool hak__os_resident(void *start, size_t size, unsigned char *pages)
{
    int saved = errno;
    bool done = mincore(start, size, pages) == 0;
    errno = saved;
    return done;
}

void hak__os_calls(hak_os_calls *calls)
{
    calls->mmap = atomic_load_explicit(&counts.mmap, memory_order_relaxed);
    calls->madvise = atomic_load_explicit(&counts.madvise, memory_order_relaxed);
    calls->mremap = atomic_load_explicit(&counts.mremap, memory_order_relaxed);
    calls->munmap = atomic_load_explicit(&counts.munmap, memory_order_relaxed);
    calls->failed = atomic_load_explicit(&counts.failed, memory_order_relaxed);
    calls->total = calls->mmap + calls->madvise + calls->mremap + calls->munmap;
}

/* Reads the beginning of a file into `text`, which is zeroed. False: it cannot be read. */
static bool read_file(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t length = read(file, text, size - 1);
    close(file);
    return length > 0;
}

bool hak__os_huge_pages(void)
{
    int saved = errno;
    char text[128] = "";
    bool always = read_file("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text) &&
                  strstr(text, "[always]");
    errno = saved;
    return always;
}

/* Resident pages of the process. */
static size_t resident_pages(void)
{
    char text[128] = "";
    if (!read_file("/proc/self/statm", text, sizeof text)) return 0;
    const char *second = strchr(text, ' ');
    return second ? strtoul(second, NULL, 10) : 0;
}

hak_advice_refused hak__os_advice_refused(void)
{
    return (hak_advice_refused){
        .enomem = atomic_load_explicit(&counts.madvise_enomem, memory_order_relaxed),
        .other = atomic_load_explicit(&counts.madvise_other, memory_order_relaxed),
    };
}

hak_os_usage hak__os_usage(void)
{
    int saved = errno;
    struct rusage usage;
    hak_os_usage now = {.resident = resident_pages() * (size_t)getpagesize()};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        now.page_faults = (size_t)usage.ru_minflt;
        now.major_faults = (size_t)usage.ru_majflt;
    }
    errno = saved;
    return now;
}
