#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "heap/adapter.h"

/* ------------------------------------------------------------------ the model */

#ifdef TEST_CPYTHON
static const hak_hints cpython = {.in_order = true, .clock_most = 64, .coloured = true};
const hak_hints *model_hints = &cpython;
#else
const hak_hints *model_hints = &hak__hints_default;
#endif

#define LARGE_ALIGNMENTS 10 /* 8 KiB to 4 MiB */

model model_new(const hak_heap_options *options, uint64_t salt)
{
    model made = {
        .heap = hak_heap_new(options),
        .random = {support_seed() + salt},
        .room = 1 << 16,
        .granularity = options->granularity ? options->granularity : 16,
        .largest = 12 * MIB,
        .most_blocks = 20000,
        .most_bytes = 48 * MIB,
    };
    REQUIRE(made.heap);
    hak__heap_suit(made.heap, model_hints);
    made.blocks = malloc(made.room * sizeof *made.blocks);
    made.sorted = malloc(made.room * sizeof *made.sorted);
    REQUIRE(made.blocks && made.sorted);
    if (options->memory) {
        made.memory = options->memory;
        made.end = made.memory + options->memory_size;
        made.may_refuse = true;
        made.largest = options->memory_size / 4;
        made.most_bytes = options->memory_size;
    }
    if (options->limit) {
        made.may_refuse = true;
        made.most_bytes = options->limit;
    }
    return made;
}

static void add(model *m, void *start, size_t size, size_t alignment)
{
    REQUIRE_THAT((uintptr_t)start % m->granularity == 0, "%p", start);
    REQUIRE_THAT((uintptr_t)start % alignment == 0, "%p at %zu", start, alignment);
    size_t usable = hak_heap_usable_size(m->heap, start);
    REQUIRE_THAT(usable >= size, "%zu for %zu", usable, size);
    block *new = &m->blocks[m->count];
    REQUIRE(m->count++ < m->room);
    *new = (block){start, size, usable, support_next(&m->random)};
    if (m->memory) REQUIRE(new->start >= m->memory &&new->start + usable <= m->end);
    support_fill(start, usable, new->stamp);
    m->bytes += usable;
}

static void check(const model *m, const block *b, const void *start, size_t size)
{
    (void)m;
    size_t intact = support_intact(start, size, b->stamp);
    REQUIRE_THAT(intact == size, "byte %zu of %zu at %p was overwritten", intact, size,
                 (void *)b->start);
}

static void drop(model *m, size_t index)
{
    m->bytes -= m->blocks[index].usable;
    m->blocks[index] = m->blocks[--m->count];
}

static void refused(model *m, size_t size)
{
    REQUIRE_THAT(m->may_refuse, "%zu bytes refused with %zu in use", size, m->bytes);
    REQUIRE_THAT(errno == ENOMEM, "errno %d", errno);
    m->refused++;
}

/* Mostly small, as in a VM; some medium, few spans, and now and then a huge one. */
static size_t draw_size(model *m)
{
    static const size_t ends[] = {1024, 16384, 65536, 1 << 20, 2 << 20, 4 << 20};
    size_t kind = support_below(&m->random, 10000), size;
    if (kind < 9400)
        size = support_below(&m->random, 1025) * support_below(&m->random, 1025) / 1024;
    else if (kind < 9900) size = 1024 + support_below(&m->random, 15361);
    else if (kind < 9980) size = 16384 << support_below(&m->random, 5);
    else if (kind < 9998) size = ends[support_below(&m->random, COUNT(ends))] - 3;
    else size = 2 * MIB + support_below(&m->random, 10 * MIB);
    size += support_below(&m->random, 7);
    return size < m->largest ? size : support_below(&m->random, m->largest);
}

/* ------------------------------------------------------------------ operations */

static void do_alloc(model *m)
{
    size_t size = draw_size(m);
    errno = 0;
    void *start = hak_heap_alloc(m->heap, size);
    if (start) add(m, start, size, 1);
    else refused(m, size);
}

static void do_zalloc(model *m)
{
    size_t size = draw_size(m);
    size_t count = 1 + support_below(&m->random, size < 100 ? 20 : 2);
    if (count * size > m->largest) count = 1;
    errno = 0;
    void *start = hak_heap_zalloc(m->heap, count, size);
    if (!start) {
        refused(m, count * size);
        return;
    }
    size_t zeros = support_zeros(start, count * size);
    REQUIRE_THAT(zeros == count * size, "byte %zu of %zu is not zero", zeros, count * size);
    add(m, start, count * size, 1);
}

static void do_aligned(model *m)
{
    size_t size = draw_size(m) / 2;
    size_t alignment = (size_t)1 << support_below(&m->random, 13);
    if (!m->memory && support_below(&m->random, 50) == 0) {
        alignment = 8 * KIB << support_below(&m->random, LARGE_ALIGNMENTS);
    }
    errno = 0;
    void *start = hak_heap_aligned_alloc(m->heap, alignment, size);
    if (start) add(m, start, size, alignment);
    else refused(m, size);
}

static void do_realloc(model *m)
{
    if (m->count == 0) return;
    size_t index = support_below(&m->random, m->count);
    block old = m->blocks[index];
    size_t size = draw_size(m);
    switch (support_below(&m->random, 3)) {
    case 0: break;
    case 1: size = old.size + old.size / 8 + 1; break;
    case 2: size = old.size - support_below(&m->random, old.size / 2 + 1); break;
    }
    if (size == 0) size = 1;
    if (size > m->largest) size = m->largest;
    check(m, &old, old.start, old.usable);
    errno = 0;
    void *start = hak_heap_realloc(m->heap, old.start, size);
    if (!start) {
        refused(m, size);
        check(m, &old, old.start, old.usable);
        return;
    }
    check(m, &old, start, size < old.usable ? size : old.usable);
    drop(m, index);
    add(m, start, size, 1);
}

static void do_free(model *m)
{
    if (m->count == 0) return;
    size_t index = support_below(&m->random, m->count);
    block old = m->blocks[index];
    check(m, &old, old.start, old.usable);
    if (support_below(&m->random, 8) == 0) {
        REQUIRE(!hak_heap_realloc(m->heap, old.start, 0));
    } else {
        hak_heap_free(m->heap, old.start);
    }
    drop(m, index);
}

static void do_something_rare(model *m)
{
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    switch (support_below(&m->random, 4)) {
    case 0: hak_heap_trim(m->heap); break;
    case 1:
        REQUIRE(
            hak_heap_set_profile(m->heap, support_profile(profiles[support_below(&m->random, 3)])));
        break;
    case 2: hak_heap_free(m->heap, NULL); break;
    case 3:
        for (size_t i = 0; i < 100 && i < m->count; i++) {
            const block *b = &m->blocks[i];
            REQUIRE(hak_heap_usable_size(m->heap, b->start) == b->usable);
            REQUIRE(hak_heap_owns(m->heap, b->start + b->usable - 1));
            REQUIRE(hak_owns(b->start) == !m->memory);
        }
        break;
    }
}

void model_step(model *m, size_t time)
{
    size_t wave = time / 30000 % 4; /* fill, stay, empty, stay */
    size_t freeing = wave == 0 ? 250 : wave == 2 ? 650 : 440;
    if (m->count >= m->most_blocks || m->bytes >= m->most_bytes) freeing = 900;
    size_t choice = support_below(&m->random, 1000);
    if (choice < freeing) do_free(m);
    else if (choice < freeing + 80) do_realloc(m);
    else if (choice < freeing + 100) do_aligned(m);
    else if (choice < freeing + 160) do_zalloc(m);
    else do_alloc(m);
    if (support_below(&m->random, 20000) == 0) do_something_rare(m);
    /* Refused: make some room, or there would be nothing but refusals. */
    if (m->may_refuse && errno == ENOMEM) {
        for (size_t i = 0; i < 3; i++) do_free(m);
        errno = 0;
    }
}

static int by_address(const void *a, const void *b)
{
    const block *one = a, *other = b;
    return (one->start > other->start) - (one->start < other->start);
}

void model_checkpoint(model *m)
{
    support_check_live(m->heap, m->count, m->bytes);
    support_check_stats(m->heap);
    memcpy(m->sorted, m->blocks, m->count * sizeof *m->blocks);
    qsort(m->sorted, m->count, sizeof *m->sorted, by_address);
    for (size_t i = 1; i < m->count; i++) {
        const block *last = &m->sorted[i - 1], *next = &m->sorted[i];
        REQUIRE_THAT(last->start + last->usable <= next->start, "%p and %p overlap",
                     (void *)last->start, (void *)next->start);
    }
}

void model_run(model *m, size_t operations)
{
    for (size_t time = 0; time < operations; time++) {
        model_step(m, time);
        if (time % 2500 == 0) support_check_live(m->heap, m->count, m->bytes);
        if (time % 25000 == 0) model_checkpoint(m);
    }
    model_checkpoint(m);
}

void model_end(model *m)
{
    while (m->count > 0) do_free(m);
    support_check_live(m->heap, 0, 0);
    hak_heap_trim(m->heap);
    if (!m->memory) REQUIRE(support_stats(m->heap).footprint == 0);
    hak_heap_destroy(m->heap);
    free(m->blocks);
    free(m->sorted);
}
