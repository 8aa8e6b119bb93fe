/* A heap behaves as a plain model of it does: random operations (the seed is printed, and taken
 * from HAK_TEST_SEED), each block filled with a pattern of its own over all it may hold and checked
 * when it is freed or resized; now and then no two blocks overlap, and the statistics are those of
 * the model. For both granularities, on the caller's memory, under a limit, and for heaps in turn.
 */
#include "heap/adapter.h"
#include "heap/blocks.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct block {
    unsigned char *start;
    size_t size, usable;
    uint64_t stamp;
} block;

typedef struct model {
    hak_heap *heap;
    support_random random;
    block *blocks, *sorted; /* live, and room to sort them */
    size_t count, room;
    size_t bytes;                      /* usable, of all blocks */
    size_t granularity, largest;       /* bytes; sizes asked for */
    size_t most_blocks, most_bytes;    /* where freeing takes over */
    bool may_refuse;                   /* on little memory */
    const unsigned char *memory, *end; /* the caller's, or NULL */
    size_t refused;
} model;

/* ------------------------------------------------------------------ the model */

#ifdef TEST_CPYTHON
static const hak_hints cpython = {.in_order = true, .work_most = 64, .coloured = true};
static const hak_hints *hints = &cpython;
#else
static const hak_hints *hints = &hak__hints_default;
#endif

#define LARGE_ALIGNMENTS 10 /* 8 KiB to 4 MiB */

static model model_new(const hak_heap_options *options, uint64_t salt)
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
    hak__heap_suit(made.heap, hints);
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

/* One operation. The mix swings between filling and emptying, so that slabs come and go. */
static void step(model *m, size_t time)
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

static void checkpoint(model *m)
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

static void model_run(model *m, size_t operations)
{
    for (size_t time = 0; time < operations; time++) {
        step(m, time);
        if (time % 2500 == 0) support_check_live(m->heap, m->count, m->bytes);
        if (time % 25000 == 0) checkpoint(m);
    }
    checkpoint(m);
}

static void model_end(model *m)
{
    while (m->count > 0) do_free(m);
    support_check_live(m->heap, 0, 0);
    hak_heap_trim(m->heap);
    if (!m->memory) REQUIRE(support_stats(m->heap).footprint == 0);
    hak_heap_destroy(m->heap);
    free(m->blocks);
    free(m->sorted);
}

static void agree(const hak_heap_options *options, size_t operations, uint64_t salt)
{
    errno = 0;
    model m = model_new(options, salt);
    model_run(&m, operations);
    if (m.may_refuse) REQUIRE(m.refused > 0 || m.most_bytes > 32 * MIB);
    model_end(&m);
}

/* ------------------------------------------------------------------ heaps of all kinds */

static void at_granularity_8(void **state)
{
    (void)state;
    agree(&(hak_heap_options){.granularity = 8}, support_scaled(2000000), 1);
}

static void at_granularity_16(void **state)
{
    (void)state;
    agree(&(hak_heap_options){.granularity = 16}, support_scaled(2000000), 2);
}

static void when_lean(void **state)
{
    (void)state;
    agree(&(hak_heap_options){.profile = support_profile("lean"), .granularity = 8},
          support_scaled(500000), 3);
}

/* As a heap for LuaJIT is: with gaps between its blocks. */
static void when_scattered(void **state)
{
    (void)state;
    static const hak_hints scattered = {
        .work_most = SIZE_MAX, .coloured = true, .scattered = true, .words_more = true};
    static const char *const profiles[] = {"speed", "lean"};
    const hak_hints *others = hints;
    hints = &scattered;
    for (size_t i = 0; i < COUNT(profiles); i++) {
        agree(&(hak_heap_options){.profile = support_profile(profiles[i]), .granularity = 8},
              support_scaled(700000), 20 + i);
        agree(&(hak_heap_options){.profile = support_profile(profiles[i]),
                                  .granularity = 8,
                                  .limit = MIB},
              support_scaled(200000), 30 + i);
    }
    hints = others;
}

static void under_limits(void **state)
{
    (void)state;
    static const size_t limits[] = {64 * KIB, MIB, 8 * MIB};
    for (size_t i = 0; i < COUNT(limits); i++) {
        agree(&(hak_heap_options){.limit = limits[i], .granularity = i % 2 ? 16 : 8},
              support_scaled(400000), 4 + i);
    }
}

static void on_the_callers_memory(void **state)
{
    (void)state;
    static const struct {
        size_t size, offset;
    } places[] = {{64 * KIB, 0}, {64 * KIB, 1}, {MIB, 4095}, {MIB + 12345, 8}, {64 * MIB, 3}};
    for (size_t i = 0; i < COUNT(places); i++) {
        size_t guard = 64;
        unsigned char *mapping = malloc(places[i].size + places[i].offset + 2 * guard);
        assert_non_null(mapping);
        unsigned char *memory = mapping + guard + places[i].offset;
        memset(memory - guard, 0xc3, guard);
        memset(memory + places[i].size, 0xc3, guard);
        agree(&(hak_heap_options){.memory = memory,
                                  .memory_size = places[i].size,
                                  .granularity = i % 2 ? 16 : 8},
              support_scaled(300000), 10 + i);
        for (size_t j = 0; j < guard; j++) {
            assert_int_equal(memory[-1 - (ptrdiff_t)j], 0xc3);
            assert_int_equal(memory[places[i].size + j], 0xc3);
        }
        free(mapping);
    }
}

static void with_a_limit_on_the_callers_memory(void **state)
{
    (void)state;
    void *memory = malloc(4 * MIB);
    agree(&(hak_heap_options){.memory = memory, .memory_size = 4 * MIB, .limit = MIB},
          support_scaled(300000), 20);
    free(memory);
}

/* One of them is dropped and made anew now and then, full as it is. */
static void for_two_heaps_in_turn(void **state)
{
    (void)state;
    model one = model_new(&(hak_heap_options){.granularity = 8}, 30);
    model other = model_new(
        &(hak_heap_options){.granularity = 16, .profile = support_profile("balanced")}, 31);
    size_t operations = support_scaled(1000000);
    for (size_t time = 0; time < operations; time++) {
        step(&one, time);
        step(&other, time + 60000);
        if (time % 25000 == 0) {
            checkpoint(&one);
            checkpoint(&other);
            for (size_t i = 0; i < 50 && i < one.count && i < other.count; i++) {
                REQUIRE(!hak_heap_owns(one.heap, other.blocks[i].start));
                REQUIRE(!hak_heap_owns(other.heap, one.blocks[i].start));
            }
        }
        if (time % 170000 == 169999) {
            hak_heap_destroy(one.heap);
            one.heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
            one.count = one.bytes = 0;
        }
    }
    model_end(&one);
    checkpoint(&other);
    model_end(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_granularity_8),
        cmocka_unit_test(at_granularity_16),
        cmocka_unit_test(when_lean),
        cmocka_unit_test(when_scattered),
        cmocka_unit_test(under_limits),
        cmocka_unit_test(on_the_callers_memory),
        cmocka_unit_test(with_a_limit_on_the_callers_memory),
        cmocka_unit_test(for_two_heaps_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
