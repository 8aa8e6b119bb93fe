#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_DEFAULT */
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "insight/insight.h"

/* The functions for thread heaps of a copy of hakmem. */
typedef struct copy {
    void (*read)(hak_threads_stats *stats);
    size_t (*trim)(void);
    bool (*set_profile)(const char *name);
    const char *(*profile)(void);
    bool (*configure)(const char *settings, char *message, size_t size);
    bool (*map)(const char *path);
} copy;

static const copy ours = {hak_threads_stats_read, hak_threads_trim,      hak_threads_set_profile,
                          hak_threads_profile,    hak_threads_configure, hak_threads_map};

/* A function that the preloaded library exports. */
static void find(void *function, const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &found, sizeof found);
}

/* False: none is preloaded, or it is this copy, or of another version. */
static bool find_preloaded(copy *other)
{
    const char *(*version)(void);
    find(&version, "hak_version");
    if (!version || strcmp(version(), hak_version()) != 0) return false;
    find(&other->read, "hak_threads_stats_read");
    find(&other->trim, "hak_threads_trim");
    find(&other->set_profile, "hak_threads_set_profile");
    find(&other->profile, "hak_threads_profile");
    find(&other->configure, "hak_threads_configure");
    find(&other->map, "hak_threads_map");
    return other->read && other->read != ours.read && other->trim && other->set_profile &&
           other->profile && other->configure && other->map;
}

/* Calls `statement` with each copy as `c`, the preloaded one last. */
#define FOR_EACH_COPY(statement)                   \
    do {                                           \
        const copy *c = &ours;                     \
        copy preloaded;                            \
        statement;                                 \
        c = &preloaded;                            \
        if (find_preloaded(&preloaded)) statement; \
    } while (0)

static void add(hak_threads_stats *sums, const copy *c)
{
    hak_threads_stats of;
    size_t count;
    const hak_stats_field *fields = hak_threads_stats_fields(&count);
    c->read(&of);
    for (size_t i = 0; i < count; i++) {
        size_t number, sum;
        memcpy(&number, (char *)&of + fields[i].offset, sizeof number);
        memcpy(&sum, (char *)sums + fields[i].offset, sizeof sum);
        sum += number;
        memcpy((char *)sums + fields[i].offset, &sum, sizeof sum);
    }
}

const hak_threads_stats *control_thread_stats(void)
{
    static _Thread_local hak_threads_stats sums;
    sums = (hak_threads_stats){0};
    FOR_EACH_COPY(add(&sums, c));
    return &sums;
}

char *control_thread_stats_json(void)
{
    enum { SIZE = 2048 };
    char *text = malloc(SIZE);
    if (!text) {
        control_fail("not enough memory");
        return NULL;
    }
    hak_json out = hak__json_begin(text, SIZE);
    hak__tell_threads_stats(&out.sink, control_thread_stats());
    hak__json_end(&out);
    return text;
}

size_t control_thread_trim(void)
{
    size_t given = 0;
    FOR_EACH_COPY(given += c->trim());
    return given;
}

const char *control_thread_profile(const char *name)
{
    char why[384];
    const char *now = NULL;
    if (name && !hak_profile_valid(name, why, sizeof why)) {
        control_fail("%s", why);
        name = NULL;
    }
    if (name) FOR_EACH_COPY(c->set_profile(name));
    FOR_EACH_COPY(now = c->profile());
    return now;
}

void control_thread_configure(const char *settings)
{
    char why[384];
    bool valid = true;
    FOR_EACH_COPY(valid = valid && c->configure(settings, why, sizeof why));
    if (!valid) control_fail("%s", why);
}

void control_thread_heap_map(const char *path)
{
    bool written = false;
    FOR_EACH_COPY(written = c->map(path));
    if (!written) control_fail("thread_heap_map cannot write '%.200s': %s", path, strerror(errno));
}
