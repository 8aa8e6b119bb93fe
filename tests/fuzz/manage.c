/* Operations of the fuzz target on a heap as a whole: making and destroying it, giving memory back,
 * its profile, options and limit, and what it tells of itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "heap/adapter.h"
#include "heap/bins.h"
#include "os_calls.h"
#include "program.h"

static const char *const settings[] = {
    "",
    "kinds=1",
    "retain_least=0",
    "retain_least=64k",
    "retain_busy=8m",
    "retain_part=0",
    "retain_part=100",
    "wake=1",
    "wake=2",
    "wake=31",
    "mem_lean=0",
    "carve=4k",
    "retain_busy=0",
    "carve=8k",
    "carve=16k",
    "carve=64k",
    "decommit=OFF",
    "decommit=FREE",
    "decommit=DONTNEED",
    "pool=0",
    "pool=1m",
    "mem_lean=1",
    "warm_pool=1",
    "warm_pool=0",
    "kinds=0",
    "carve=5000",
    "wake=0",
    "nothing=1",
    "retain_least=9z",
    "carve",
};

static const char *const profiles[] = {"speed", "balanced", "lean", "custom", "none", NULL};

/* ------------------------------------------------------------------ making them */

#define LIMIT_LEAST (16 * KIB)

static size_t draw_limit(uint8_t b)
{
    static const size_t limits[] = {LIMIT_LEAST, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 24 * MIB};
    return limits[(b & 7) % COUNT(limits)] + (size_t)(b >> 3) * PAGE + (b & 16 ? 1 : 0);
}

void manage_new(shadow *current, instruction i)
{
    static const size_t sizes[] = {64 * KIB - 1, 64 * KIB,      100 * KIB,     256 * KIB,
                                   MIB + 12345,  4 * MIB + 100, 8 * MIB + 4096};
    static const char *const names[] = {
        "",
        "\"quoted\"\n",
        "gr\xc3\xbc\xc3\x9f",
        "\xff\xc3",
        "\xe2\x82\xac\xf0\x9f\x98\x80",
        "a name that is longer than \xc3\xbc\xc3\xbc\xc3\xbc will go in"};
    instruction more = program_next();
    shadow *s = &shadows[i.a % HEAPS];
    (void)current;
    if (s->heap && !(i.a & 4)) return;
    if (s->heap) shadow_destroy(s);

    char text[96];
    snprintf(text, sizeof text, "%s %s %s", i.a & 0x80 ? "kinds=1" : "",
             settings[more.a % COUNT(settings)], settings[more.b % COUNT(settings)]);
    hak_heap_options options = {
        .granularity = i.a & 8 ? 8 : 16,
        .profile = (i.a >> 4 & 3) == 3 ? NULL : profiles[i.a >> 4 & 3],
        .settings = text,
    };
    if (more.op & 1) options.name = names[more.op / 2 % COUNT(names)];
    if (i.b >= 128) options.limit = draw_limit(i.b & 127);
    if (i.c >= 192) options.memory_size = sizes[i.c % COUNT(sizes)];
    if (more.c == 255) options.granularity = 7;
    if (more.c == 254) options.profile = profiles[4];
    if (i.c >= 192 && options.limit) options.limit += MIB; /* it begins with all of its memory */
    if (shadow_new(s, options, i.a & 0x40, (more.c & 7) * 8 + more.c / 64))
        program_select(i.a % HEAPS);
}

void manage_destroy(shadow *s, instruction i)
{
    (void)i;
    shadow_destroy(s);
}

/* ------------------------------------------------------------------ giving back */

/* What a trim leaves. What the OS refuses to take it keeps. */
void manage_trim(shadow *s, instruction i)
{
    (void)i;
    hak_stats before = shadow_stats(s);
    size_t refusals = os_refusals();
    errno = 0;
    size_t given = hak_heap_trim(s->heap);
    REQUIRE(errno == 0);
    hak_stats after = shadow_stats(s);
    shadow_check(s);
    s->prewarmed = 0;
    REQUIRE(after.footprint <= before.footprint && given >= before.footprint - after.footprint);
    if (os_refusals() > refusals) return;
    REQUIRE_THAT(after.retained == 0, "%zu bytes", after.retained);
    if (s->count > 0) return;
    REQUIRE_THAT(after.huge_blocks == 0, "%zu", after.huge_blocks);
    REQUIRE_THAT(after.footprint == 0, "%zu bytes", after.footprint);
    if (s->memory) return;
    REQUIRE_THAT(after.superslabs == 0, "%zu", after.superslabs);
}

void manage_settle(shadow *s, instruction i)
{
    /* As where a binding hands out no further blocks of this heap for now. */
    if (i.a % 16 == 0) hak__heap_detach(s->heap);
    size_t before = shadow_stats(s).footprint;
    errno = 0;
    size_t given = hak_heap_settle(s->heap);
    size_t after = shadow_stats(s).footprint;
    REQUIRE_THAT(errno == 0 && given == before - after, "%zu of %zu, %zu left", given, before,
                 after);
}

void manage_prewarm(shadow *s, instruction i)
{
    size_t bytes = ((size_t)i.a << 13) + i.b, before = shadow_stats(s).footprint;
    errno = 0;
    size_t touched = hak_heap_prewarm(s->heap, bytes);
    size_t after = shadow_stats(s).footprint;
    REQUIRE(errno == 0 && touched <= bytes && (!s->memory || touched == 0));
    REQUIRE_THAT(after >= before, "%zu, then %zu", before, after);
    s->prewarmed += touched;
    shadow_check(s);
}

/* ------------------------------------------------------------------ profiles and options */

void manage_profile(shadow *s, instruction i)
{
    const char *name = profiles[i.a % COUNT(profiles)], *before = hak_heap_profile(s->heap);
    bool valid = hak_profile_valid(name, NULL, 0);
    errno = 0;
    bool set = hak_heap_set_profile(s->heap, name);
    REQUIRE(set == valid && errno == (valid ? 0 : EINVAL));
    REQUIRE(set ? strcmp(hak_heap_profile(s->heap), name) == 0
                : hak_heap_profile(s->heap) == before);
}

void manage_configure(shadow *s, instruction i)
{
    char text[96], message[48];
    const char *before = hak_heap_profile(s->heap);
    snprintf(text, sizeof text, "%s,%s", settings[i.a % COUNT(settings)],
             settings[i.b % COUNT(settings)]);
    bool valid = hak_settings_valid(text, NULL, 0);
    errno = 0;
    bool set = hak_heap_configure(s->heap, text, i.c & 1 ? message : NULL,
                                  i.c & 1 ? i.c % (sizeof message + 1) : 0);
    if (strstr(text, s->kinds ? "kinds=0" : "kinds=1")) {
        /* The last of several counts. */
        REQUIRE(valid || !set);
    } else {
        REQUIRE_THAT(set == valid, "'%s'", text);
    }
    REQUIRE(errno == (set ? 0 : EINVAL));
    if (!set) REQUIRE(hak_heap_profile(s->heap) == before);
}

/* ------------------------------------------------------------------ limits */

void manage_limit(shadow *s, instruction i)
{
    hak_stats before = shadow_stats(s);
    size_t bytes = 0;
    switch (i.a & 7) {
    case 0:
    case 1: break;
    case 2: bytes = draw_limit(i.b); break;
    case 3: bytes = before.footprint + (size_t)i.b * PAGE + 1; break;
    case 4: bytes = before.footprint - before.retained + (size_t)i.b * PAGE; break;
    case 5: bytes = before.live_bytes + (size_t)i.b * PAGE; break;
    case 6: bytes = before.footprint / 2 + i.b; break;
    default: bytes = before.footprint + (i.b & 7);
    }
    size_t refusals = os_refusals();
    errno = 0;
    bool set = hak_heap_set_limit(s->heap, bytes);
    hak_stats after = shadow_stats(s);
    if (set) {
        REQUIRE(errno == 0 && hak_heap_limit(s->heap) == bytes);
        REQUIRE(!bytes || after.footprint <= bytes);
        s->limit = bytes;
        shadow_set_ceiling(s);
        return;
    }
    REQUIRE(errno == ERANGE && bytes && hak_heap_limit(s->heap) == s->limit);
    if (os_refusals() > refusals) return;
    REQUIRE(after.footprint == before.footprint && after.purges == before.purges);
    REQUIRE_THAT(after.footprint > bytes, "%zu refused with %zu in use", bytes, after.footprint);
}

void manage_grace(shadow *s, instruction i)
{
    size_t bytes = i.a & 1 ? (size_t)i.b * PAGE : 0;
    if (i.a == 255) bytes = SIZE_MAX;
    if (bytes == SIZE_MAX) bytes = 64 * MIB + i.b; /* so that sums stay in range here */
    hak_heap_grace(s->heap, bytes);
    s->grace = bytes;
    s->grace_seen = 0;
    shadow_set_ceiling(s);
}

/* ------------------------------------------------------------------ what it tells */

#define OPTIONS_MOST 32
#define NAME_MOST    31

void manage_tell(shadow *s, instruction i)
{
    char buffer[256];
    hak_option options[OPTIONS_MOST];
    size_t count, room = i.b % sizeof buffer;
    errno = 0;
    memset(buffer, 1, sizeof buffer);
    switch (i.a % 5) {
    case 0:
        REQUIRE(hak_heap_stats_json(s->heap, buffer, room) > 0);
        if (room) REQUIRE(memchr(buffer, 0, room));
        REQUIRE(buffer[room] == 1);
        break;
    case 1:
        REQUIRE(hak_process_stats_json(buffer, room) > 0);
        if (room) REQUIRE(memchr(buffer, 0, room));
        REQUIRE(buffer[room] == 1);
        break;
    case 2: REQUIRE(hak_heap_map(s->heap, "/dev/null")); break;
    case 3:
        count = hak_options(i.c & 1 ? s->heap : NULL, options, i.b % OPTIONS_MOST);
        REQUIRE(count > 0 && count <= OPTIONS_MOST);
        break;
    default:
        REQUIRE(!hak_heap_owns(s->heap, &buffer) && !hak_owns(&buffer) && !hak_owns(NULL));
        REQUIRE(hak_heap_usable_size(s->heap, NULL) == 0);
        hak_heap_free(s->heap, NULL);
        REQUIRE(strncmp(hak_heap_name(s->heap), s->name, NAME_MOST) == 0);
    }
    REQUIRE(errno == 0);
}

/* ------------------------------------------------------------------ the OS */

void manage_refuse(shadow *s, instruction i)
{
    (void)s;
    static const int errors[] = {ENOMEM, EINVAL, EAGAIN};
    unsigned kinds = i.a & ((1u << OS_KINDS) - 1);
    size_t count = i.c < 192 ? i.c % 4 + 1 : i.c < 250 ? i.c : SIZE_MAX;
    os_refuse(kinds, i.b < 128 ? 0 : i.b % 32, count,
              errors[i.a >> 5 & 3 ? (i.a >> 5 & 3) - 1 : 0]);
}
