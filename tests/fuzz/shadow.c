#include "shadow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "heap.h"
#include "kinds.h"
#include "known.h"
#include "os_calls.h"
#include "pattern.h"

#if __has_include("check.h")
#include "check.h"
#else
static void hak__heap_check(const hak_heap *heap)
{
    (void)heap;
}
#endif

shadow shadows[HEAPS];
size_t shadow_time_left;

static uint64_t stamps;

static const hak_traits traits_in_order = {.in_order = true, .work_most = 64};

static const char *const kind_names[HAK_KINDS] = {"0", "1", "2", "3", "4", "5"};

#define CALL_TIME 8 /* of a call of the core, beside the contents */

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

static void spend(size_t time)
{
    shadow_time_left -= time < shadow_time_left ? time : shadow_time_left;
}

hak_stats shadow_stats(const shadow *s)
{
    hak_stats stats;
    memset(&stats, 0xa5, sizeof stats);
    hak_heap_stats(s->heap, &stats);
    return stats;
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
    REQUIRE_THAT(stats.retained == 0, "%zu bytes refused with %zu retained", need, stats.retained);
}

/* ------------------------------------------------------------------ blocks */

static void note(shadow *s, void *start, size_t size, size_t alignment, unsigned kind)
{
    REQUIRE(s->count < BLOCKS_MOST);
    REQUIRE_THAT(errno == 0, "errno %d after a success", errno);
    REQUIRE_THAT((uintptr_t)start % s->granularity == 0, "%p", start);
    REQUIRE_THAT((uintptr_t)start % alignment == 0, "%p at %zu", start, alignment);
    size_t usable = hak_heap_usable_size(s->heap, start);
    REQUIRE_THAT(usable >= size && usable > 0, "%zu for %zu", usable, size);
    block *new = &s->blocks[s->count++];
    *new = (block){start, size, usable, alignment, ++stamps << 20, kind};
    if (s->memory) {
        REQUIRE(new->start >= s->memory &&new->start + usable <= s->memory + s->memory_size);
    }
    pattern_fill(start, usable, new->stamp);
    s->bytes += usable;
    spend(pattern_fill_time(usable));
}

static void check_intact(const block *b, const void *start, size_t size)
{
    REQUIRE_THAT(pattern_intact(start, size, b->usable, b->stamp),
                 "block of %zu bytes (%zu) at %p, seen at %p", b->size, b->usable, (void *)b->start,
                 start);
    spend(pattern_check_time(size));
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
    spend(CALL_TIME);
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
    spend(CALL_TIME);
    errno = 0;
    void *start = hak_heap_zalloc(s->heap, count, size);
    if (!start) {
        check_refused(s, bytes, before);
        return false;
    }
    REQUIRE_THAT(pattern_zero(start, bytes), "%zu bytes at %p", bytes, start);
    spend(pattern_check_time(bytes));
    note(s, start, bytes, 1, 0);
    return true;
}

bool shadow_aligned(shadow *s, size_t alignment, size_t size)
{
    size_t before = os_refusals(), most = s->memory ? PAGE : 4 * MIB;
    if (KNOWN_ALIGNED_ABOVE_SUPER && most > HAK_SUPERSLAB_SIZE) {
        if (alignment <= most && alignment > HAK_SUPERSLAB_SIZE) return false;
    }
    bool valid = alignment && !(alignment & (alignment - 1)) && alignment <= most;
    spend(CALL_TIME);
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
    check_intact(old, old->start, old->usable);
    spend(CALL_TIME);
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
        check_intact(old, old->start, old->usable);
        REQUIRE(hak_heap_usable_size(s->heap, old->start) == old->usable);
        return;
    }
    if (KNOWN_SHRINK_SETS_ERRNO && size <= old->usable) errno = 0;
    block was = *old;
    check_intact(&was, start, size < was.usable ? size : was.usable);
    drop(s, old);
    /* The new block takes the place of the old one. */
    size_t count = s->count;
    s->count = index;
    note(s, start, size, start == was.start ? was.alignment : 1, was.kind);
    s->count = count;
}

void shadow_free(shadow *s, size_t index)
{
    block *old = &s->blocks[index];
    check_intact(old, old->start, old->usable);
    spend(CALL_TIME);
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

bool shadow_new(shadow *s, hak_heap_options options, bool in_order, size_t offset)
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
    spend(CALL_TIME * CALL_TIME);
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
    s->kinds = heap->kinds != NULL;
    s->allocation = allocation;
    s->memory = options.memory;
    s->memory_size = options.memory_size;
    s->limit = options.limit;
    s->grace = 0;
    s->ceiling = options.limit;
    if (KNOWN_NEW_ABOVE_LIMIT && os_refusals() > before) shadow_set_ceiling(s);
    hak__kinds_name(heap, kind_names, HAK_KINDS);
    if (in_order) heap->traits = &traits_in_order;
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

/* ------------------------------------------------------------------ checks */

void shadow_set_ceiling(shadow *s)
{
    size_t footprint = shadow_stats(s).footprint;
    s->ceiling = s->limit + s->grace;
    if (s->ceiling < footprint) s->ceiling = footprint;
}

/* A footprint above the limit, as after a grace, may fall but not rise. */
static void check_limit(shadow *s, size_t footprint)
{
    if (!s->limit) return;
    if (KNOWN_HOLES_COUNT_AGAIN && os_refusals() && s->ceiling < footprint) s->ceiling = footprint;
    REQUIRE_THAT(footprint <= s->ceiling, "footprint %zu, limit %zu, grace %zu, before %zu",
                 footprint, s->limit, s->grace, s->ceiling);
    if (s->ceiling > footprint) s->ceiling = footprint;
    if (s->ceiling < s->limit + s->grace) s->ceiling = s->limit + s->grace;
    if (!s->grace || (KNOWN_HOLES_COUNT_AGAIN && os_refusals())) return;
    size_t above = footprint > s->limit ? footprint - s->limit : 0;
    if (s->grace_seen < above) s->grace_seen = above;
    REQUIRE_THAT(hak_heap_grace_used(s->heap) >= s->grace_seen, "%zu used, %zu seen",
                 hak_heap_grace_used(s->heap), s->grace_seen);
}

/* The parts are those of the whole. */
static void check_parts(const hak_stats *stats)
{
    size_t blocks = stats->large_blocks, bytes = stats->large_bytes, last = 0;
    size_t footprint = stats->retained + stats->large_bytes;
    for (size_t i = 0; i < stats->classes; i++) {
        const hak_class_stats *class = &stats->class_stats[i];
        REQUIRE_THAT(class->block_size > last, "%zu after %zu", class->block_size, last);
        REQUIRE_THAT(class->footprint >= class->live * class->block_size,
                     "class %zu: footprint %zu, %zu live", class->block_size, class->footprint,
                     class->live);
        last = class->block_size;
        blocks += class->live;
        bytes += class->live * class->block_size;
        footprint += class->footprint;
    }
    REQUIRE_THAT(blocks == stats->live_blocks, "%zu in classes, %zu in all", blocks,
                 stats->live_blocks);
    REQUIRE_THAT(bytes == stats->live_bytes, "%zu in classes, %zu in all", bytes,
                 stats->live_bytes);
    REQUIRE_THAT(footprint <= stats->footprint, "%zu in parts, %zu in all", footprint,
                 stats->footprint);
    blocks = bytes = 0;
    for (size_t i = 0; i < stats->kinds; i++) {
        blocks += stats->kind_stats[i].live_blocks;
        bytes += stats->kind_stats[i].live_bytes;
    }
    if (stats->kinds) REQUIRE(blocks == stats->live_blocks && bytes == stats->live_bytes);
}

static void check_kinds(const shadow *s, const hak_stats *stats)
{
    size_t blocks[HAK_KINDS] = {0}, bytes[HAK_KINDS] = {0};
    for (size_t i = 0; i < s->count; i++) {
        blocks[s->blocks[i].kind]++;
        bytes[s->blocks[i].kind] += s->blocks[i].usable;
    }
    for (size_t i = 0; i < stats->kinds; i++) {
        REQUIRE_THAT(stats->kind_stats[i].live_blocks == blocks[i] &&
                         stats->kind_stats[i].live_bytes == bytes[i],
                     "kind %zu: %zu blocks of %zu bytes, not %zu of %zu", i,
                     stats->kind_stats[i].live_blocks, stats->kind_stats[i].live_bytes, blocks[i],
                     bytes[i]);
    }
}

void shadow_check(shadow *s)
{
    hak__heap_check(s->heap);
    hak_stats stats = shadow_stats(s);
    spend(CALL_TIME * CALL_TIME);
    REQUIRE_THAT(stats.live_blocks == s->count && stats.live_bytes == s->bytes,
                 "%zu blocks of %zu bytes, not %zu of %zu", stats.live_blocks, stats.live_bytes,
                 s->count, s->bytes);
    REQUIRE_THAT(stats.footprint >= stats.retained + stats.live_bytes,
                 "footprint %zu, retained %zu, live %zu", stats.footprint, stats.retained,
                 stats.live_bytes);
    if (!KNOWN_HOLES_COUNT_AGAIN || !os_refusals()) {
        REQUIRE_THAT(stats.footprint <= stats.footprint_peak, "%zu, peak %zu", stats.footprint,
                     stats.footprint_peak);
    }
    REQUIRE_THAT(stats.footprint % PAGE == 0, "%zu", stats.footprint);
    REQUIRE(stats.retained % PAGE == 0 && stats.metadata > 0 && stats.limit == s->limit);
    REQUIRE(stats.classes <= HAK_CLASS_STATS_MAX);
    check_parts(&stats);
    if (stats.kinds) check_kinds(s, &stats);
    check_limit(s, stats.footprint);
}

static int by_address(const void *a, const void *b)
{
    const block *one = *(const block *const *)a, *other = *(const block *const *)b;
    return (one->start > other->start) - (one->start < other->start);
}

void shadow_check_blocks(void)
{
    static const block *sorted[HEAPS * BLOCKS_MOST];
    size_t count = 0;
    for (size_t h = 0; h < HEAPS; h++) {
        shadow *s = &shadows[h];
        if (!s->heap) continue;
        for (size_t i = 0; i < s->count; i++) {
            block *b = &s->blocks[i];
            check_intact(b, b->start, b->usable);
            sorted[count++] = b;
            if (i % (s->count / 16 + 1)) continue;
            REQUIRE(hak_heap_usable_size(s->heap, b->start) == b->usable);
            REQUIRE(hak_heap_owns(s->heap, b->start + b->usable - 1));
            REQUIRE(hak_owns(b->start) == !s->memory);
            const shadow *other = &shadows[(h + 1) % HEAPS];
            if (other->heap) REQUIRE(!hak_heap_owns(other->heap, b->start));
        }
    }
    qsort(sorted, count, sizeof *sorted, by_address);
    spend(count * CALL_TIME);
    for (size_t i = 1; i < count; i++) {
        const block *last = sorted[i - 1], *next = sorted[i];
        REQUIRE_THAT(last->start + last->usable <= next->start, "%p and %p overlap",
                     (void *)last->start, (void *)next->start);
    }
}

#define HEAD_MOST (4 * PAGE) /* of a heap, that is not in its footprint */

void shadow_check_process(void)
{
    hak_process_stats process;
    size_t heaps = 0, footprint = 0, retained = 0;
    for (size_t h = 0; h < HEAPS; h++) {
        if (!shadows[h].heap || shadows[h].memory) continue;
        hak_stats stats = shadow_stats(&shadows[h]);
        heaps++;
        footprint += stats.footprint;
        retained += stats.retained;
    }
    hak_process_stats_read(&process);
    spend(CALL_TIME * CALL_TIME * 10);
    REQUIRE_THAT(process.heaps == heaps, "%zu, not %zu", process.heaps, heaps);
    REQUIRE_THAT(process.footprint == footprint, "%zu, not %zu", process.footprint, footprint);
    REQUIRE_THAT(process.retained == retained, "%zu, not %zu", process.retained, retained);
    const hak_os_calls *os = &process.os;
    REQUIRE(os->mmap == os_made(OS_MMAP) && os->mprotect == os_made(OS_MPROTECT));
    REQUIRE(os->madvise == os_made(OS_MADVISE) && os->mremap == os_made(OS_MREMAP));
    REQUIRE(os->munmap == os_made(OS_MUNMAP) && os->failed >= os_refusals());
    REQUIRE(os->total == os->mmap + os->mprotect + os->madvise + os->mremap + os->munmap);
    REQUIRE(process.madvise_disabled == 0);
    if (os_refusals()) return; /* what the OS would not take stays where it is */
    os_pages seen = os_look();
    if (!KNOWN_LOST_COUNTS_AS_COMMITTED || !os_lost()) {
        REQUIRE_THAT(seen.accessible == process.committed, "%zu bytes accessible, %zu committed",
                     seen.accessible, process.committed);
    }
    if (os_lazy()) return;
    REQUIRE_THAT(seen.resident <= footprint + process.pooled + heaps * HEAD_MOST,
                 "%zu bytes resident, %zu in footprints and %zu pooled", seen.resident, footprint,
                 process.pooled);
}
