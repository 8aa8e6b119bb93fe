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

/* This copy, and the preloaded one behind it, if there is one. Returns how many. */
static size_t find_copies(copy copies[2])
{
    copies[0] = ours;
    return find_preloaded(&copies[1]) ? 2 : 1;
}

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

void control_thread_stats(hak_threads_stats *stats)
{
    *stats = (hak_threads_stats){0};
    copy copies[2];
    size_t count = find_copies(copies);
    for (size_t i = 0; i < count; i++) add(stats, &copies[i]);
}

char *control_thread_stats_json(control_failure *failure)
{
    enum { SIZE = 2048 };
    char *text = malloc(SIZE);
    if (!text) {
        control_fail(failure, "not enough memory");
        return NULL;
    }
    hak_threads_stats stats;
    control_thread_stats(&stats);
    hak_json out = hak__json_begin(text, SIZE);
    hak__tell_threads_stats(&out.sink, &stats);
    hak__json_end(&out);
    return text;
}

size_t control_thread_trim(void)
{
    copy copies[2];
    size_t given = 0, count = find_copies(copies);
    for (size_t i = 0; i < count; i++) given += copies[i].trim();
    return given;
}

const char *control_thread_profile(control_failure *failure, const char *name)
{
    copy copies[2];
    size_t count = find_copies(copies);
    if (name && !hak_profile_valid(name, failure->message, sizeof failure->message)) name = NULL;
    for (size_t i = 0; name && i < count; i++) copies[i].set_profile(name);
    return copies[count - 1].profile();
}

void control_thread_configure(control_failure *failure, const char *settings)
{
    copy copies[2];
    size_t count = find_copies(copies);
    bool valid = true;
    for (size_t i = 0; valid && i < count; i++)
        valid = copies[i].configure(settings, failure->message, sizeof failure->message);
}

void control_thread_heap_map(control_failure *failure, const char *path)
{
    copy copies[2];
    size_t count = find_copies(copies);
    if (!copies[count - 1].map(path))
        control_fail(failure, "thread_heap_map cannot write '%.200s': %s", path, strerror(errno));
}
