/* libc's functions that ask and trim malloc, of hakmem. Where libc serves all, its own answer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <unistd.h>

#include "threads/threads.h"

#define EXPORT __attribute__((visibility("default")))

/* glibc's; other headers lack them. */
int malloc_trim(size_t pad);
void malloc_stats(void);

extern void *dlsym(void *restrict handle, const char *restrict name) __attribute__((weak));

/* A function of libc if it serves all; NULL: hakmem does, or the program is static. */
static void *of_libc(const char *name)
{
    bool asks_libc = hak__foreign && hak__foreign->serves_all() && dlsym;
    return asks_libc ? dlsym(RTLD_NEXT, name) : NULL;
}

/* 1: memory went back to the OS. */
EXPORT int malloc_trim(size_t pad)
{
    int (*libcs)(size_t) = of_libc("malloc_trim");
    return libcs ? libcs(pad) : hak_threads_trim() > 0;
}

#ifdef __GLIBC__
/* In glibc's terms: what is mapped, in use, and free of it. */
static struct mallinfo2 figures(void)
{
    hak_threads_stats stats;
    hak_threads_stats_read(&stats);
    return (struct mallinfo2){
        .arena = stats.footprint,
        .uordblks = stats.live_bytes,
        .fordblks = stats.footprint > stats.live_bytes ? stats.footprint - stats.live_bytes : 0,
        .keepcost = stats.retained,
    };
}

EXPORT struct mallinfo2 mallinfo2(void)
{
    struct mallinfo2 (*libcs)(void) = of_libc("mallinfo2");
    return libcs ? libcs() : figures();
}

static int as_int(size_t n)
{
    return n < INT32_MAX ? (int)n : INT32_MAX;
}

EXPORT struct mallinfo mallinfo(void)
{
    struct mallinfo2 now = mallinfo2();
    return (struct mallinfo){
        .arena = as_int(now.arena),
        .uordblks = as_int(now.uordblks),
        .fordblks = as_int(now.fordblks),
        .keepcost = as_int(now.keepcost),
    };
}
#endif

EXPORT void malloc_stats(void)
{
    char text[4096];
    void (*libcs)(void) = of_libc("malloc_stats");
    if (libcs) {
        libcs();
        return;
    }
    size_t length = hak_threads_stats_json(text, sizeof text - 1);
    if (length >= sizeof text - 1) length = sizeof text - 2;
    text[length++] = '\n';
    if (write(STDERR_FILENO, text, length) < 0) return; /* nobody listens */
}
