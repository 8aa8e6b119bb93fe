#include "refused_purges.h"

#include <errno.h>
#include <sys/mman.h>

#include "wrapped_calls.h"

bool refusing;
bool unmapping;
bool refusing_records;
bool refusing_unmaps;
size_t asked, unmaps_asked;

int __wrap_madvise(void *at, size_t size, int advice)
{
    asked++;
    if (!refusing && !(refusing_records && size == PAGE)) return __real_madvise(at, size, advice);
    errno = EINVAL;
    return -1;
}

int __wrap_munmap(void *at, size_t size)
{
    unmaps_asked++;
    if (!refusing_unmaps && (!refusing || unmapping)) return __real_munmap(at, size);
    errno = ENOMEM;
    return -1;
}
