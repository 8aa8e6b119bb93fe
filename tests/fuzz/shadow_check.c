/* What must hold between a heap and its shadow at any time, and for the process. */
#include "shadow.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "heap/blocks.h"
#include "os_calls.h"
#include "pattern.h"

#if __has_include("check.h")
#include "heap/check.h"
#else
static void hak__heap_check(const hak_heap *heap)
{
    (void)heap;
}
#endif

hak_stats shadow_stats(const shadow *s)
{
    hak_stats stats;
    memset(&stats, 0xa5, sizeof stats);
    hak_heap_stats(s->heap, &stats);
    return stats;
}

/* ------------------------------------------------------------------ a heap */

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
    REQUIRE_THAT(footprint <= s->ceiling, "footprint %zu, limit %zu, grace %zu, before %zu",
                 footprint, s->limit, s->grace, s->ceiling);
    if (s->ceiling > footprint) s->ceiling = footprint;
    if (s->ceiling < s->limit + s->grace) s->ceiling = s->limit + s->grace;
    if (!s->grace) return;
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
    shadow_spend(CALL_TIME * CALL_TIME);
    REQUIRE_THAT(stats.live_blocks == s->count && stats.live_bytes == s->bytes,
                 "%zu blocks of %zu bytes, not %zu of %zu", stats.live_blocks, stats.live_bytes,
                 s->count, s->bytes);
    REQUIRE_THAT(stats.footprint >= stats.retained + stats.live_bytes,
                 "footprint %zu, retained %zu, live %zu", stats.footprint, stats.retained,
                 stats.live_bytes);
    REQUIRE_THAT(stats.footprint <= stats.footprint_peak, "%zu, peak %zu", stats.footprint,
                 stats.footprint_peak);
    REQUIRE_THAT(stats.footprint % PAGE == 0, "%zu", stats.footprint);
    REQUIRE(stats.retained % PAGE == 0 && stats.metadata > 0 && stats.limit == s->limit);
    REQUIRE(stats.classes <= HAK_CLASS_STATS_MAX);
    check_parts(&stats);
    if (stats.kinds) check_kinds(s, &stats);
    check_limit(s, stats.footprint);
}

/* ------------------------------------------------------------------ blocks */

void shadow_check_block(const block *b, const void *start, size_t size)
{
    REQUIRE_THAT(pattern_intact(start, size, b->usable, b->stamp),
                 "block of %zu bytes (%zu) at %p, seen at %p", b->size, b->usable, (void *)b->start,
                 start);
    shadow_spend(pattern_check_time(size));
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
            shadow_check_block(b, b->start, b->usable);
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
    shadow_spend(count * CALL_TIME);
    for (size_t i = 1; i < count; i++) {
        const block *last = sorted[i - 1], *next = sorted[i];
        REQUIRE_THAT(last->start + last->usable <= next->start, "%p and %p overlap",
                     (void *)last->start, (void *)next->start);
    }
}

/* ------------------------------------------------------------------ the process */

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
    shadow_spend(CALL_TIME * CALL_TIME * 10);
    REQUIRE_THAT(process.heaps == heaps, "%zu, not %zu", process.heaps, heaps);
    REQUIRE_THAT(process.footprint == footprint, "%zu, not %zu", process.footprint, footprint);
    REQUIRE_THAT(process.retained == retained, "%zu, not %zu", process.retained, retained);
    const hak_os_calls *os = &process.os;
    REQUIRE(os->mmap == os_made(OS_MMAP));
    REQUIRE(os->madvise == os_made(OS_MADVISE) && os->mremap == os_made(OS_MREMAP));
    REQUIRE(os->munmap == os_made(OS_MUNMAP) && os->failed >= os_refusals());
    REQUIRE(os->total == os->mmap + os->madvise + os->mremap + os->munmap);
    REQUIRE(process.madvise_disabled == 0);
    if (os_refusals()) return; /* what the OS would not take stays where it is */
    os_pages seen = os_look();
    REQUIRE_THAT(seen.mapped == process.committed, "%zu bytes mapped, %zu committed", seen.mapped,
                 process.committed);
    if (os_lazy()) return;
    REQUIRE_THAT(seen.resident <= footprint + process.pooled + heaps * HEAD_MOST,
                 "%zu bytes resident, %zu in footprints and %zu pooled", seen.resident, footprint,
                 process.pooled);
}
