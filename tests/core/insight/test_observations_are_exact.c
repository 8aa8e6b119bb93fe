/* What an observed heap tells is what happened: every operation is counted once, in the row of its
 * class, sizes and lifetimes stand in the right places of the histograms, and the trace is the last
 * operations in their order. Compared with a model that is told of each operation by the test.
 *
 * Built with HAK_OBSERVE, where heaps are observed from their creation on. Each test runs in a
 * child of its own, since the environment is read once. */
#include "told.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 3000, SIZE_STEPS = 129 };

/* ------------------------------------------------------------------ the model */

typedef struct slot {
    void *block;
    size_t size, row;
    uint64_t born;
} slot;

typedef struct class_model {
    size_t block_size, requests, requested, given, in_place, frees, live, refusals;
    size_t lifetimes[HAK_POWERS];
} class_model;

static struct {
    hak_heap *heap;
    slot slots[SLOTS];
    class_model classes[HAK_CLASS_STATS_MAX];
    size_t class_count;
    uint64_t operations;
    size_t allocations, frees, in_place, moved, refusals;
    size_t sizes[SIZE_STEPS], sizes_above;
    size_t lifetimes[HAK_POWERS];
    char (*lines)[96]; /* of the trace */
} model;

/* The row of blocks of that usable size; 0 is for all above 16 KiB. */
static size_t row_of(size_t usable)
{
    size_t block_size = usable > 16 * KIB ? 0 : usable, i = 0;
    while (i < model.class_count && model.classes[i].block_size != block_size) i++;
    if (i == model.class_count) model.classes[model.class_count++].block_size = block_size;
    return i;
}

static void model_size(size_t size)
{
    if (size <= 1024) model.sizes[(size + 7) / 8]++;
    else model.sizes_above++;
}

/* Notes what the next line of the trace is; "?" stands for hit or miss. */
static void model_line(const char *event, uint64_t block, size_t size, size_t old_size,
                       const char *how, uint64_t lifetime)
{
    char *line = model.lines[model.operations - 1];
    int n = snprintf(line, 96, "%" PRIu64 ",%s,", model.operations, event);
    if (block) n += snprintf(line + n, 96 - (size_t)n, "%" PRIu64, block);
    n += snprintf(line + n, 96 - (size_t)n, ",%zu,%zu,%s,", size, old_size, how);
    if (lifetime) snprintf(line + n, 96 - (size_t)n, "%" PRIu64, lifetime);
}

static void model_given(slot *s)
{
    size_t usable = hak_heap_usable_size(model.heap, s->block);
    s->row = row_of(usable);
    class_model *class = &model.classes[s->row];
    class->requests++;
    class->requested += s->size;
    class->given += usable;
    class->live++;
}

static void do_alloc(slot *s, void *block, size_t size)
{
    REQUIRE(block);
    *s = (slot){.block = block, .size = size, .born = ++model.operations};
    model.allocations++;
    model_size(size);
    model_given(s);
    model_line("alloc", s->born, size, 0, "?", 0);
}

static void do_free(slot *s)
{
    hak_heap_free(model.heap, s->block);
    uint64_t lifetime = ++model.operations - s->born;
    class_model *class = &model.classes[s->row];
    model.frees++;
    class->frees++;
    class->live--;
    class->lifetimes[power_of(lifetime)]++;
    model.lifetimes[power_of(lifetime)]++;
    model_line("free", s->born, 0, s->size, "", lifetime);
    s->block = NULL;
}

static void do_resize(slot *s, size_t size)
{
    void *block = hak_heap_realloc(model.heap, s->block, size);
    REQUIRE(block);
    size_t old_size = s->size;
    bool moved = block != s->block;
    model.operations++;
    model_size(size);
    s->size = size;
    s->block = block;
    model.classes[s->row].live--;
    if (moved) {
        model.moved++;
        model.classes[s->row].frees++;
        model_given(s);
    } else {
        model.in_place++;
        s->row = row_of(hak_heap_usable_size(model.heap, block));
        model.classes[s->row].in_place++;
        model.classes[s->row].live++;
    }
    model_line("resize", s->born, size, old_size, moved ? "?" : "in_place", 0);
}

static void do_refused(size_t size)
{
    REQUIRE(!hak_heap_alloc(model.heap, support_size(size)));
    REQUIRE(errno == ENOMEM);
    model.operations++;
    model.refusals++;
    model_size(size);
    model.classes[row_of(size)].refusals++;
    model_line("alloc", 0, size, 0, "refused", 0);
}

static void check_class(const hak_observations *told, const class_model *class)
{
    const hak_class_observations *is = class_told(told, class->block_size);
    REQUIRE_THAT(is, "class %zu", class->block_size);
    REQUIRE(is->requests == class->requests);
    REQUIRE(is->hits + is->misses == class->requests);
    REQUIRE(is->bytes_requested == class->requested);
    REQUIRE(is->bytes_given == class->given);
    REQUIRE(is->resizes_in_place == class->in_place);
    REQUIRE(is->frees == class->frees);
    REQUIRE(is->live == class->live);
    REQUIRE(is->refusals == class->refusals);
    REQUIRE(memcmp(is->lifetimes, class->lifetimes, sizeof is->lifetimes) == 0);
}

static void check_sizes(const hak_observations *told)
{
    size_t above = 0;
    uint64_t before = 0;
    size_t small[SIZE_STEPS] = {0};
    for (size_t i = 0; i < told->size_ranges; i++) {
        hak_range range = told->sizes[i];
        REQUIRE(range.count > 0 && range.from <= range.to);
        REQUIRE(i == 0 || range.from > before);
        before = range.to;
        if (range.to > 1024) {
            REQUIRE(range.from > 1024);
            above += range.count;
            continue;
        }
        REQUIRE(range.to % 8 == 0 && range.from == (range.to ? range.to - 7 : 0));
        small[range.to / 8] = range.count;
    }
    REQUIRE(memcmp(small, model.sizes, sizeof small) == 0);
    REQUIRE(above == model.sizes_above);
}

static void check_ages(const hak_observations *told)
{
    size_t ages[HAK_POWERS] = {0}, live = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (!model.slots[i].block) continue;
        ages[power_of(model.operations - model.slots[i].born)]++;
        live++;
    }
    REQUIRE(told->live_blocks == live);
    REQUIRE(memcmp(told->ages, ages, sizeof ages) == 0);
}

/* What is told of the heap is the sum over its classes, which lie in order. */
static void check_sums(const hak_observations *told)
{
    size_t hits = 0, misses = 0, refills = 0, requested = 0, given = 0, last = 0;
    for (size_t i = 0; i < told->classes; i++) {
        const hak_class_observations *class = &told->class_observations[i];
        REQUIRE(class->block_size > last || (i + 1 == told->classes && !class->block_size));
        last = class->block_size;
        hits += class->hits;
        misses += class->misses;
        refills += class->refills;
        requested += class->bytes_requested;
        given += class->bytes_given;
    }
    REQUIRE(told->hits == hits && told->misses == misses && told->refills == refills);
    REQUIRE(told->bytes_requested == requested && told->bytes_given == given);
}

static void check(void)
{
    const hak_observations *told = hak_heap_observations(model.heap);
    REQUIRE(told && told->observing);
    REQUIRE(told->operations == model.operations);
    REQUIRE(told->allocations == model.allocations);
    REQUIRE(told->frees == model.frees);
    REQUIRE(told->resizes_in_place == model.in_place);
    REQUIRE(told->resizes_moved == model.moved);
    REQUIRE(told->refusals == model.refusals);
    REQUIRE(told->refusals == support_stats(model.heap).refusals);
    REQUIRE(told->refills == support_stats(model.heap).refills);
    REQUIRE(told->hits + told->misses == model.allocations + model.moved);
    REQUIRE(told->unnoted + told->freed_unknown + told->freed_unseen + told->foreign == 0);
    REQUIRE(memcmp(told->lifetimes, model.lifetimes, sizeof model.lifetimes) == 0);
    REQUIRE(told->live_blocks == support_stats(model.heap).live_blocks);
    size_t classes = 0;
    for (size_t i = 0; i < model.class_count; i++) {
        const class_model *class = &model.classes[i];
        if (!class->requests && !class->in_place && !class->refusals) continue;
        check_class(told, class);
        classes++;
    }
    REQUIRE(told->classes == classes);
    check_sums(told);
    check_sizes(told);
    check_ages(told);
}

/* Whether two lines are alike, where "?" stands for hit or miss. */
static bool line_is(const char *line, size_t length, const char *expected)
{
    const char *mark = strchr(expected, '?');
    size_t head = mark ? (size_t)(mark - expected) : strlen(expected);
    if (length < head || memcmp(line, expected, head) != 0) return false;
    if (!mark) return length == head;
    size_t word = strncmp(line + head, "hit", 3) == 0 ? 3 : 4;
    if (word == 4 && strncmp(line + head, "miss", 4) != 0) return false;
    return length == head + word + strlen(mark + 1) &&
           memcmp(line + head + word, mark + 1, strlen(mark + 1)) == 0;
}

static void check_trace(size_t most)
{
    char *text = trace_of(model.heap), *line = text;
    size_t count = model.operations < most ? model.operations : most;
    const char *header = "operation,event,block,size,old_size,how,lifetime\n";
    REQUIRE(strncmp(line, header, strlen(header)) == 0);
    line += strlen(header);
    for (uint64_t i = model.operations - count; i < model.operations; i++) {
        size_t length = strcspn(line, "\n");
        REQUIRE_THAT(line_is(line, length, model.lines[i]), "%.*s is not %s", (int)length, line,
                     model.lines[i]);
        line += length + 1;
    }
    REQUIRE(*line == 0);
    REQUIRE(hak_heap_observations(model.heap)->traced == count);
    free(text);
}

/* ------------------------------------------------------------------ a random program */

/* Sizes of all kinds, small ones mostly. */
static size_t random_size(support_random *random)
{
    switch (support_below(random, 40)) {
    case 0: return 16 * KIB + support_below(random, 300 * KIB);
    case 1: return 2 * MIB + support_below(random, 3 * MIB);
    case 2:
    case 3: return support_below(random, 16 * KIB);
    case 4: return 0;
    default: return support_below(random, 1100);
    }
}

static void step(support_random *random)
{
    slot *s = &model.slots[support_below(random, SLOTS)];
    size_t size = random_size(random), kind = support_below(random, 8);
    if (s->block && kind < 2) do_resize(s, size ? size : 1);
    else if (s->block) do_free(s);
    else if (kind == 0) do_alloc(s, hak_heap_zalloc(model.heap, 1, size), size);
    else if (kind == 1) do_alloc(s, hak_heap_realloc(model.heap, NULL, size), size);
    else if (kind == 2) do_alloc(s, hak_heap_aligned_alloc(model.heap, 64, size), size);
    else do_alloc(s, hak_heap_alloc(model.heap, size), size);
}

typedef struct scenario {
    size_t granularity, memory, steps;
    const char *trace; /* HAKMEM_TRACE; NULL: unset */
    size_t traced;     /* what it means */
} scenario;

static void run_model(void *context)
{
    const scenario *as = context;
    if (as->trace) setenv("HAKMEM_TRACE", as->trace, 1);
    hak_heap_options options = {.granularity = as->granularity, .memory_size = as->memory};
    if (as->memory) options.memory = malloc(as->memory);
    model.heap = hak_heap_new(&options);
    model.lines = malloc((as->steps + 1) * sizeof *model.lines);
    REQUIRE(model.heap && model.lines && hak_heap_observing(model.heap));
    support_random random = {support_seed()};
    for (size_t i = 0; i < as->steps; i++) {
        if (i % 50000 == 10000) check();
        step(&random);
    }
    do_refused(PTRDIFF_MAX);
    check();
    check_trace(as->traced);
    for (size_t i = 0; i < SLOTS; i++) {
        if (model.slots[i].block) hak_heap_free(model.heap, model.slots[i].block);
    }
    REQUIRE(hak_heap_observations(model.heap)->live_blocks == 0);
    hak_heap_destroy(model.heap);
}

static void counts_are_those_of_a_model(void **unused)
{
    (void)unused;
    scenario of[] = {
        {.granularity = 8, .steps = 150000, .traced = 65536},
        {.granularity = 16, .steps = 150000, .traced = 65536},
        {.granularity = 16, .memory = GIB, .steps = 20000, .traced = 65536},
        {.granularity = 16, .steps = 5000, .trace = "100", .traced = 100},
        {.granularity = 8, .steps = 2000, .trace = "0"},
        {.granularity = 8, .steps = 1000, .trace = "1", .traced = 1},
        {.granularity = 8, .steps = 1000, .trace = "1000000", .traced = 1000000},
        {.granularity = 8, .steps = 1000, .trace = "all", .traced = 65536}, /* ignored */
    };
    for (size_t i = 0; i < COUNT(of); i++) support_in_child(run_model, &of[i], 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
