#include "refusing.h"

#include <errno.h>


#define PIECE (4 * MIB) /* the least that is moved */

plan refuse;
size_t calls, refusals;
size_t made[KINDS];
char *last_target;
report *told;

static bool is_refused(unsigned kind)
{
    made[kind]++;
    if (!(refuse.kinds >> kind & 1)) return false;
    calls++;
    bool refused = refuse.from && calls >= refuse.from && calls <= refuse.until;
    refusals += refused;
    if (refused) told->kind = kind;
    return refused;
}

void *__wrap_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset)
{
    bool refused = is_refused(MMAP);
    if (refuse.no_claims && at && at == last_target) {
        refusals += !refused;
        refused = true;
    }
    if (refuse.old_kernel) flags &= ~MAP_FIXED_NOREPLACE;
    if (!refused) return __real_mmap(at, size, access, flags, fd, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

int __wrap_madvise(void *at, size_t size, int advice)
{
    if (!is_refused(MADVISE)) return __real_madvise(at, size, advice);
    errno = EINVAL;
    return -1;
}

void *__wrap_mremap(void *at, size_t size, size_t new_size, int flags, void *to)
{
    bool refused = is_refused(MREMAP);
    last_target = to;
    if (refuse.old_kernel && flags & MREMAP_DONTUNMAP) {
        refusals += !refused;
        errno = EINVAL;
        return MAP_FAILED;
    }
    if (refuse.in_pieces && size > PIECE) {
        refusals += !refused;
        errno = EFAULT;
        return MAP_FAILED;
    }
    if (!refused) return __real_mremap(at, size, new_size, flags, to);
    if (refuse.late_refusal) __real_munmap(to, new_size);
    errno = refuse.odd_refusal ? EINVAL : ENOMEM;
    return MAP_FAILED;
}

int __wrap_munmap(void *at, size_t size)
{
    if (!is_refused(MUNMAP)) return __real_munmap(at, size);
    errno = ENOMEM;
    return -1;
}

int refusing_setup(void **state)
{
    (void)state;
    told = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return told == MAP_FAILED;
}

void map_behind(char *block)
{
    __real_mmap(block, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}
