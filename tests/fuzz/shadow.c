/* Calls of the core for blocks and heaps, with what their contracts say checked at once. */
#include "shadow.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "heap/adapter.h"
#include "heap/blocks.h"
#include "heap/kinds.h"
#include "os_calls.h"
#include "pattern.h"

shadow shadows[HEAPS];
size_t shadow_time_left;

static uint64_t stamps;

static const hak_hints hints_of_cpython = {.in_order = true, .clock_most = 16, .coloured = true};
static const hak_hints hints_of_luajit = {
    .clock_most = SIZE_MAX, .coloured = true, .scattered = true, .words_more = true};

static const char *const kind_names[HAK_KINDS] = {"0", "1", "2", "3", "4", "5"};

_Noreturn void fuzz_fail(const char *file, int line, const char *what, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: %s ", file, line, what);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

void shadow_spend(size_t time)
{
    shadow_time_left -= time < shadow_time_left ? time : shadow_time_left;
}

/* ------------------------------------------------------------------ refusals */

#define RESERVE_MOST (64 * KIB) /* what a limit keeps for others, at most */
#define LISTS_MOST   (16 * KIB) /* what a heap takes for itself with its first slab */
#define CARVE_MOST   (64 * KIB) /* the largest step of carving that an option sets */

/* A request of `need` bytes came back with NULL, as it may for these reasons only. */
static void check_refused(const shadow *s, size_t need, size_t refusals_before)
{
    REQUIRE_THAT(errno == ENOMEM, "errno %d", errno);
    if (need >= ABSURD || s->memory || os_refusals() > refusals_before) return;
    REQUIRE_THAT(s->limit, "%zu bytes refused without a limit", need);
    hak_stats stats = shadow_stats(s);
    size_t slack = RESERVE_MOST + LISTS_MOST + CARVE_MOST + 2 * PAGE;
    REQUIRE_THAT(stats.footprint + need + slack > s->limit + s->grace,
                 "%zu bytes refused with a footprint of %zu and %zu + %zu allowed", need,
                 stats.footprint, s->limit, s->grace);
    REQUIRE_THAT(stats.retained <= s->prewarmed,
                 "%zu bytes refused with %zu retained, %zu prewarmed", need, stats.retained,
                 s->prewarmed);
}

/* ------------------------------------------------------------------ blocks */

/* `had`: the usable bytes of the block that has stayed in its place; 0: it is another. One that was
 * to become smaller may have, at a place for a size that is no multiple of 16. */
static void note_resized(shadow *s, void *start, size_t size, size_t alignment, unsigned kind,
                         size_t had)
{
    REQUIRE(s->count < BLOCKS_MOST);
    REQUIRE_THAT(errno == 0, "errno %d after a success", errno);
    REQUIRE_THAT((uintptr_t)start % s->granularity == 0, "%p", start);
    REQUIRE_THAT((uintptr_t)start % alignment == 0, "%p at %zu", start, alignment);
    bool was_odd = had % 16 != 0 && size < had;
    bool needs_16 = size > 0 && size % 16 == 0 && !was_odd;
    REQUIRE_THAT(!needs_16 || (uintptr_t)start % 16 == 0, "%p of %zu bytes", start, size);
    size_t usable = hak_heap_usable_size(s->heap, start);
    REQUIRE_THAT(usable >= size && usable > 0, "%zu for %zu", usable, size);
    block *added = &s->blocks[s->count++];
    *added = (block){start, size, usable, alignment, ++stamps << 20, kind};
    if (s->memory) {
        REQUIRE(added->start >= s->memory && added->start + usable <= s->memory + s->memory_size);
    }
    pattern_fill(start, usable, added->stamp);
    s->bytes += usable;
    shadow_spend(pattern_fill_time(usable));
}

static void note(shadow *s, void *start, size_t size, size_t alignment, unsigned kind)
{
    note_resized(s, start, size, alignment, kind, 0);
}

static void drop(shadow *s, block *b)
{
    s->bytes -= b->usable;
    b->start = NULL;
}

void shadow_compact(shadow *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->blocks[i].start) s->blocks[kept++] = s->blocks[i];
    }
    s->count = kept;
}

bool shadow_has_room(const shadow *s, size_t size)
{
    if (size >= ABSURD) return true;
    return size <= LARGEST && s->count < BLOCKS_MOST && s->bytes + size <= BYTES_MOST &&
           shadow_time_left > 0;
}

bool shadow_alloc(shadow *s, size_t size, unsigned kind)
{
    size_t before = os_refusals();
    shadow_spend(CALL_TIME);
    errno = 0;
    void *start = kind ? hak__heap_alloc_kind(s->heap, kind, size) : hak_heap_alloc(s->heap, size);
    if (!start) {
        check_refused(s, size, before);
        return false;
    }
    note(s, start, size, 1, s->kinds ? kind : 0);
    REQUIRE(hak__heap_block_kind(s->heap, start) == s->blocks[s->count - 1].kind);
    return true;
}

bool shadow_zalloc(shadow *s, size_t count, size_t size)
{
    size_t before = os_refusals(), bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    shadow_spend(CALL_TIME);
    errno = 0;
    void *start = hak_heap_zalloc(s->heap, count, size);
    if (!start) {
        check_refused(s, bytes, before);
        return false;
    }
    REQUIRE_THAT(pattern_zero(start, bytes), "%zu bytes at %p", bytes, start);
    shadow_spend(pattern_check_time(bytes));
    note(s, start, bytes, 1, 0);
    return true;
}

bool shadow_aligned(shadow *s, size_t alignment, size_t size)
{
    size_t before = os_refusals(), most = s->memory ? PAGE : ALIGNMENT_MOST;
    bool valid = alignment && !(alignment & (alignment - 1)) && alignment <= most;
    shadow_spend(CALL_TIME);
    errno = 0;
    void *start = hak_heap_aligned_alloc(s->heap, alignment, size);
    if (!valid) REQUIRE_THAT(!start && errno == EINVAL, "%p, errno %d", start, errno);
    else if (start) note(s, start, size, alignment, 0);
    else check_refused(s, size, before);
    return start != NULL;
}

void shadow_realloc_null(shadow *s, size_t size)
{
    size_t before = os_refusals();
    errno = 0;
    void *start = hak_heap_realloc(s->heap, NULL, size);
    if (start) note(s, start, size, 1, 0);
    else check_refused(s, size, before);
}

void shadow_realloc(shadow *s, size_t index, size_t size)
{
    block *old = &s->blocks[index];
    size_t before = os_refusals();
    shadow_check_block(old, old->start, old->usable);
    shadow_spend(CALL_TIME);
    errno = 0;
    void *start = hak_heap_realloc(s->heap, old->start, size);
    if (size == 0) {
        REQUIRE(!start && errno == 0);
        drop(s, old);
        return;
    }
    if (!start) {
        REQUIRE_THAT(size > old->usable, "%zu bytes cannot shrink to %zu", old->usable, size);
        check_refused(s, size, before);
        shadow_check_block(old, old->start, old->usable);
        REQUIRE(hak_heap_usable_size(s->heap, old->start) == old->usable);
        return;
    }
    block was = *old;
    shadow_check_block(&was, start, size < was.usable ? size : was.usable);
    drop(s, old);
    /* The new block takes the place of the old one. */
    size_t count = s->count;
    s->count = index;
    bool stayed = start == was.start;
    note_resized(s, start, size, stayed ? was.alignment : 1, was.kind, stayed ? was.usable : 0);
    s->count = count;
}

void shadow_free(shadow *s, size_t index)
{
    block *old = &s->blocks[index];
    shadow_check_block(old, old->start, old->usable);
    shadow_spend(CALL_TIME);
    errno = 0;
    hak_heap_free(s->heap, old->start);
    REQUIRE_THAT(errno == 0, "errno %d", errno);
    drop(s, old);
}

void shadow_churn(shadow *s, size_t size, size_t times)
{
    for (; times > 0 && shadow_has_room(s, size); times--) {
        if (!shadow_alloc(s, size, 0)) return;
        shadow_free(s, s->count - 1);
        s->count--;
    }
}

/* ------------------------------------------------------------------ heaps */

#define GUARD      64
#define GUARD_BYTE 0xc3

bool shadow_new(shadow *s, hak_heap_options options, bool for_vm, size_t offset)
{
    size_t before = os_refusals();
    unsigned char *allocation = NULL;
    if (options.memory_size) {
        allocation = malloc(options.memory_size + offset + 2 * GUARD);
        REQUIRE(allocation);
        options.memory = allocation + GUARD + offset;
        memset(allocation, GUARD_BYTE, GUARD + offset);
        memset((char *)options.memory + options.memory_size, GUARD_BYTE, GUARD);
    }
    shadow_spend(CALL_TIME * CALL_TIME);
    errno = 0;
    hak_heap *heap = hak_heap_new(&options);
    bool valid = options.granularity == 0 || options.granularity == 8 || options.granularity == 16;
    if (options.profile && !hak_profile_valid(options.profile, NULL, 0)) valid = false;
    if (options.settings && !hak_settings_valid(options.settings, NULL, 0)) valid = false;
    if (options.memory && options.memory_size < HAK_MEMORY_MIN) valid = false;
    if (!heap) {
        if (valid) REQUIRE(os_refusals() > before || options.memory);
        free(allocation);
        return false;
    }
    REQUIRE(valid && errno == 0);
    s->heap = heap;
    s->count = s->bytes = 0;
    s->granularity = options.granularity ? options.granularity : 16;
    s->name = options.name ? options.name : "heap";
    s->kinds = hak__heap_keeps_kinds(heap);
    s->allocation = allocation;
    s->memory = options.memory;
    s->memory_size = options.memory_size;
    s->limit = options.limit;
    s->grace = 0;
    s->prewarmed = getenv("HAKMEM_PREWARM") ? shadow_stats(s).retained : 0;
    s->ceiling = options.limit;
    hak__kinds_name(heap, kind_names, HAK_KINDS);
    if (for_vm) hak__heap_suit(heap, s->granularity == 8 ? &hints_of_luajit : &hints_of_cpython);
    REQUIRE(hak_heap_limit(heap) == options.limit);
    shadow_check(s);
    return true;
}

void shadow_destroy(shadow *s)
{
    const void *block = s->count ? s->blocks[0].start : NULL;
    hak_heap_destroy(s->heap);
    if (!s->memory && block) REQUIRE(!hak_owns(block));
    if (s->allocation) {
        for (unsigned char *p = s->allocation; p < s->memory; p++) REQUIRE(*p == GUARD_BYTE);
        for (size_t i = 0; i < GUARD; i++) REQUIRE(s->memory[s->memory_size + i] == GUARD_BYTE);
        free(s->allocation);
    }
    s->heap = NULL;
    s->count = s->bytes = 0;
}
