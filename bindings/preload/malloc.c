/* libc's malloc and its companions, by hakmem: in libhakmem-preload.so, which replaces them in a
 * program that is started with it, and in libhakmem-malloc.a, for a program that is linked with it.
 * C++'s operators call them, unless operators.c has its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "threads/threads.h"

#define EXPORT __attribute__((visibility("default")))

/* C23 and glibc; other headers lack them. */
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);
void *pvalloc(size_t size);

/* ------------------------------------------------------------------ the usual ones */

EXPORT void *malloc(size_t size)
{
    return hak__thread_alloc(size);
}

EXPORT void free(void *block)
{
    hak__thread_free(block);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return hak_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    return hak_realloc(block, size);
}

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return hak_realloc(block, bytes);
}

/* C23. The size and the alignment are what the program has asked for. */
EXPORT void free_sized(void *block, size_t size)
{
    (void)size;
    hak__thread_free(block);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    (void)alignment, (void)size;
    hak__thread_free(block);
}

/* ------------------------------------------------------------------ aligned blocks */

static bool is_power_of_two(size_t n)
{
    return n && !(n & (n - 1));
}

/* As glibc has it: the next power of two. */
static size_t power_of_two(size_t alignment)
{
    if (alignment <= 1) return 1;
    unsigned bits = 64 - (unsigned)__builtin_clzll(alignment - 1);
    return bits < 63 ? (size_t)1 << bits : 0;
}

/* A valid alignment that is too large for any block is a lack of memory. */
static void *alloc_aligned(size_t alignment, size_t size)
{
    void *block = hak_aligned_alloc(alignment, size);
    if (!block && is_power_of_two(alignment)) errno = ENOMEM;
    return block;
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    return alloc_aligned(power_of_two(alignment), size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return alloc_aligned(alignment, size);
}

/* Returns the error, and leaves errno as it was. */
EXPORT int posix_memalign(void **block, size_t alignment, size_t size)
{
    if (!is_power_of_two(alignment) || alignment % sizeof(void *)) return EINVAL;
    int saved = errno;
    void *made = hak_aligned_alloc(alignment, size);
    errno = saved;
    if (!made) return ENOMEM;
    *block = made;
    return 0;
}

static size_t page(void)
{
    return (size_t)getpagesize();
}

EXPORT void *valloc(size_t size)
{
    return hak_aligned_alloc(page(), size);
}

EXPORT void *pvalloc(size_t size)
{
    size_t whole = (size + page() - 1) & ~(page() - 1);
    if (whole < size) {
        errno = ENOMEM;
        return NULL;
    }
    return hak_aligned_alloc(page(), whole ? whole : page());
}

EXPORT size_t malloc_usable_size(void *block)
{
    return hak_usable_size(block);
}
