/* What an observed heap tells is what happened: every operation is counted once, in the row of its
 * class, sizes and lifetimes stand in the right places of the histograms, and the trace is the last
 * operations in their order. Compared with a model that is told of each operation by the test.
 *
 * Built with HAK_OBSERVE, where heaps are observed from their creation on. Each test runs in a
 * child of its own, since the environment is read once. */
#include "support.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static unsigned power_of(uint64_t number)
{
    unsigned power = 0;
    for (; number; number >>= 1) power++;
    return power;
}

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

/* ------------------------------------------------------------------ comparing */

static const hak_class_observations *class_told(const hak_observations *told, size_t block_size)
{
    for (size_t i = 0; i < told->classes; i++) {
        if (told->class_observations[i].block_size == block_size)
            return &told->class_observations[i];
    }
    return NULL;
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

/* The text of a file; the caller frees it. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    REQUIRE(file && fseek(file, 0, SEEK_END) == 0);
    size_t size = (size_t)ftell(file);
    char *text = calloc(1, size + 1);
    rewind(file);
    REQUIRE(text && fread(text, 1, size, file) == size);
    fclose(file);
    return text;
}

static char *trace_of(hak_heap *heap)
{
    char path[SUPPORT_PATH];
    REQUIRE(close(support_temporary_file(path)) == 0);
    REQUIRE(hak_heap_trace(heap, path));
    char *text = read_file(path);
    unlink(path);
    return text;
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

/* ------------------------------------------------------------------ single promises */

/* All live equally long, so that one entry of the histogram has them all. */
static void million(void *unused)
{
    (void)unused;
    size_t many = 1000000 / support_scale();
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    void **blocks = calloc(many, sizeof *blocks);
    REQUIRE(heap && blocks);
    for (size_t i = 0; i < many; i++) blocks[i] = hak_heap_alloc(heap, 24);
    const hak_observations *told = hak_heap_observations(heap);
    REQUIRE(told->live_blocks == many && told->unnoted == 0);
    REQUIRE(told->ages[0] == 1 && told->ages[1] == 1 && told->ages[2] == 2 &&
            told->ages[10] == 512);
    for (size_t i = 0; i < many; i++) hak_heap_free(heap, blocks[i]);
    told = hak_heap_observations(heap);
    REQUIRE(told->operations == 2 * many && told->live_blocks == 0 && told->freed_unknown == 0);
    REQUIRE(told->lifetimes[power_of(many)] == many);
    hak_heap_destroy(heap);
}

static void a_million_live_blocks_are_known(void **unused)
{
    (void)unused;
    support_in_child(million, NULL, 120);
}

/* A class that has moved to slabs serves a freed block from its bin. */
static void hits(void *unused)
{
    (void)unused;
    enum { FIRST = 5000, TIMES = 300 };
    hak_heap *heap = hak_heap_new(NULL);
    void *block = NULL;
    for (size_t i = 0; i < FIRST; i++) block = hak_heap_alloc(heap, 64);
    const hak_observations *told = hak_heap_observations(heap);
    size_t hits_before = told->hits, misses = told->misses;
    REQUIRE(misses > 0 && told->refills > 0 && hits_before > misses);
    for (size_t i = 0; i < TIMES; i++) {
        hak_heap_free(heap, block);
        REQUIRE(hak_heap_alloc(heap, 60) == block);
    }
    told = hak_heap_observations(heap);
    REQUIRE(told->hits == hits_before + TIMES && told->misses == misses);
    REQUIRE(told->lifetimes[1] == TIMES);
    const hak_class_observations *class = class_told(told, 64);
    REQUIRE(class && class->bytes_requested == FIRST * 64 + TIMES * 60);
    REQUIRE(class->bytes_given == (FIRST + TIMES) * 64);
    hak_heap_destroy(heap);
}

/* 136 bytes at a multiple of 128 come from the class of 256. */
static void aligned_hits(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    void *block = NULL;
    for (size_t i = 0; i < 5000; i++) block = hak_heap_alloc(heap, 256);
    hak_heap_free(heap, block);
    const hak_observations *told = hak_heap_observations(heap);
    size_t hits_before = told->hits, misses = told->misses;
    REQUIRE(hak_heap_aligned_alloc(heap, 128, 136) == block);
    told = hak_heap_observations(heap);
    REQUIRE(told->hits == hits_before + 1 && told->misses == misses);
    REQUIRE(class_told(told, 256)->requests == 5001 && !class_told(told, 144));
    REQUIRE(hak_heap_aligned_alloc(heap, 8192, 256)); /* whole pages */
    told = hak_heap_observations(heap);
    REQUIRE(told->hits == hits_before + 1 && told->misses == misses + 1);
    hak_heap_destroy(heap);
}

static void a_hit_is_a_block_from_the_bin(void **unused)
{
    (void)unused;
    support_in_child(hits, NULL, 60);
    support_in_child(aligned_hits, NULL, 60);
}

static void begun_again(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    void *blocks[10];
    for (size_t i = 0; i < 5; i++) blocks[i] = hak_heap_alloc(heap, 100);
    REQUIRE(hak_heap_observe(heap, true)); /* goes on */
    REQUIRE(hak_heap_observations(heap)->allocations == 5);
    REQUIRE(hak_heap_observe(heap, false) && hak_heap_observe(heap, false));
    REQUIRE(!hak_heap_observing(heap));
    for (size_t i = 5; i < 10; i++) blocks[i] = hak_heap_alloc(heap, 100);
    const hak_observations *told = hak_heap_observations(heap);
    REQUIRE(told->allocations == 5 && !told->observing && told->live_blocks == 5);
    REQUIRE(hak_heap_observe(heap, true));
    told = hak_heap_observations(heap);
    REQUIRE(told->operations == 0 && told->born_before == 10 && told->classes == 0);
    REQUIRE(told->live_blocks == 0 && told->size_ranges == 0 && told->traced == 0);
    blocks[0] = hak_heap_realloc(heap, blocks[0], 50000);
    for (size_t i = 0; i < 10; i++) hak_heap_free(heap, blocks[i]);
    told = hak_heap_observations(heap);
    REQUIRE(told->frees == 10 && told->freed_unknown == 10 && told->resizes_moved == 1);
    for (size_t power = 0; power < HAK_POWERS; power++) REQUIRE(told->lifetimes[power] == 0);
    char *trace = trace_of(heap);
    REQUIRE(strstr(trace, "\n1,resize,,50000,112,miss,\n2,free,,0,"));
    free(trace);
    hak_heap_destroy(heap);
}

static void blocks_from_before_have_unknown_births(void **unused)
{
    (void)unused;
    support_in_child(begun_again, NULL, 60);
}

static void edges(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    hak_heap_free(heap, NULL);
    REQUIRE(hak_heap_observations(heap)->operations == 0);
    REQUIRE(!hak_heap_aligned_alloc(heap, 3, 10) && errno == EINVAL);
    REQUIRE(hak_heap_observations(heap)->operations == 0);
    void *block = hak_heap_alloc(heap, 10);
    REQUIRE(!hak_heap_realloc(heap, block, 0)); /* frees */
    REQUIRE(!hak_heap_zalloc(heap, support_size(SIZE_MAX), 2));
    const hak_observations *told = hak_heap_observations(heap);
    REQUIRE(told->allocations == 1 && told->frees == 1 && told->refusals == 1);
    REQUIRE(told->sizes[told->size_ranges - 1].to == UINT64_MAX);
    errno = 0;
    REQUIRE(!hak_heap_trace(heap, "/nowhere/trace.csv") && errno == ENOENT);
    hak_heap_destroy(heap);
}

static void what_is_no_operation_is_not_counted(void **unused)
{
    (void)unused;
    support_in_child(edges, NULL, 60);
}

static char expected_text[MIB];
static size_t expected_length;

__attribute__((format(printf, 1, 2))) static void expect(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    expected_length += (size_t)vsnprintf(expected_text + expected_length,
                                         sizeof expected_text - expected_length, format, args);
    va_end(args);
    REQUIRE(expected_length < sizeof expected_text);
}

static void expect_fields(const void *of, const hak_stats_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t value;
        memcpy(&value, (const char *)of + fields[i].offset, sizeof value);
        expect(", \"%s\": %zu", fields[i].name, value);
    }
}

static void expect_powers(const char *name, const size_t *counts)
{
    bool begun = false;
    expect(", \"%s\": [", name);
    for (size_t power = 0; power < HAK_POWERS; power++) {
        if (!counts[power]) continue;
        uint64_t from = power ? (uint64_t)1 << (power - 1) : 0;
        expect("%s{\"from\": %ju, \"to\": %ju, \"count\": %zu}", begun ? ", " : "", (uintmax_t)from,
               (uintmax_t)(power ? 2 * from - 1 : 0), counts[power]);
        begun = true;
    }
    expect("]");
}

/* All of it, as docs/observations.schema.json has it. */
static void expect_observations(const hak_observations *told)
{
    size_t count;
    const hak_stats_field *fields = hak_observations_fields(&count);
    expected_length = 0;
    expect("{\"version\": \"%s\", \"name\": \"a \\\"name\\\"\", \"observing\": %s", hak_version(),
           told->observing ? "true" : "false");
    expect_fields(told, fields, count);
    expect(", \"sizes\": [");
    for (size_t i = 0; i < told->size_ranges; i++) {
        expect("%s{\"from\": %ju, \"to\": %ju, \"count\": %zu}", i ? ", " : "",
               (uintmax_t)told->sizes[i].from, (uintmax_t)told->sizes[i].to, told->sizes[i].count);
    }
    expect("]");
    expect_powers("lifetimes", told->lifetimes);
    expect_powers("ages", told->ages);
    expect(", \"classes\": [");
    fields = hak_class_observations_fields(&count);
    for (size_t i = 0; i < told->classes; i++) {
        const hak_class_observations *class = &told->class_observations[i];
        expect("%s{\"size\": %zu", i ? ", " : "", class->block_size);
        expect_fields(class, fields + 1, count - 1);
        expect_powers("lifetimes", class->lifetimes);
        expect("}");
    }
    expect("]}");
}

static void json(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.name = "a \"name\""});
    for (size_t i = 0; i < 3000; i++) hak_heap_free(heap, hak_heap_alloc(heap, i * 7));
    for (size_t i = 0; i < 100; i++) REQUIRE(hak_heap_alloc(heap, i * 7));
    size_t length = hak_heap_observations_json(heap, NULL, 0), count;
    char *text = malloc(length + 1), part[20];
    REQUIRE(text && hak_heap_observations_json(heap, text, length + 1) == length);
    REQUIRE(strlen(text) == length && strstr(text, "\"name\": \"a \\\"name\\\"\""));
    REQUIRE(hak_heap_observations_json(heap, part, sizeof part) == length);
    REQUIRE(strlen(part) == sizeof part - 1 && strncmp(part, text, sizeof part - 1) == 0);
    const hak_observations *told = hak_heap_observations(heap);
    const hak_stats_field *field = hak_observations_fields(&count);
    for (size_t i = 0; i < count; i++) {
        char expected[80];
        size_t value;
        memcpy(&value, (const char *)told + field[i].offset, sizeof value);
        snprintf(expected, sizeof expected, "\"%s\": %zu,", field[i].name, value);
        REQUIRE_THAT(strstr(text, expected), "%s", expected);
    }
    expect_observations(told);
    REQUIRE_THAT(strcmp(text, expected_text) == 0, "%s", text);
    REQUIRE(hak_heap_observe(heap, false));
    REQUIRE(hak_heap_observations_json(heap, text, length + 2) == length + 1);
    expect_observations(hak_heap_observations(heap));
    REQUIRE(strncmp(text, expected_text, length) == 0);
    free(text);
    hak_heap_destroy(heap);
}

static void json_tells_the_same(void **unused)
{
    (void)unused;
    support_in_child(json, NULL, 60);
}

/* An observer tells all that it takes, while the table of births grows. */
static void all_of_it(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(NULL);
    static void *blocks[40000];
    for (size_t i = 0; i < COUNT(blocks); i++) REQUIRE(blocks[i] = hak_heap_alloc(heap, 64));
    for (size_t i = 0; i < COUNT(blocks); i++) hak_heap_free(heap, blocks[i]);
    size_t space = support_status("VmSize:") - hak_heap_observations(heap)->memory;
    REQUIRE(hak_heap_observe(heap, false) && hak_heap_observe(heap, true));
    for (size_t i = 0; i < COUNT(blocks); i++) {
        REQUIRE(blocks[i] = hak_heap_alloc(heap, 64));
        if (i % 4096) continue;
        size_t told = hak_heap_observations(heap)->memory,
               taken = support_status("VmSize:") - space;
        REQUIRE_THAT(told == taken, "%zu bytes told, %zu taken", told, taken);
    }
    hak_heap_destroy(heap);
    REQUIRE(support_status("VmSize:") == space);
}

static void the_memory_of_an_observer_is_told(void **unused)
{
    (void)unused;
    support_in_child(all_of_it, NULL, 60);
}

/* The observer's memory goes with its heap, also of one on the caller's memory. */
static void gone(void *unused)
{
    (void)unused;
    static char memory[256 * KIB];
    size_t space = 0;
    for (size_t round = 0; round < 200; round++) {
        hak_heap *heap = hak_heap_new(NULL);
        hak_heap *other =
            hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = sizeof memory});
        for (size_t i = 0; i < 5000; i++) REQUIRE(hak_heap_alloc(heap, 10));
        REQUIRE(hak_heap_alloc(other, 100) && hak_heap_observations(other)->allocations == 1);
        hak_heap_observe(heap, false);
        hak_heap_observe(heap, true);
        hak_heap_destroy(heap);
        hak_heap_destroy(other);
        if (round == 20) space = support_status("VmSize:");
    }
    REQUIRE(support_status("VmSize:") <= space + 64 * KIB);
}

static void nothing_stays_of_an_observer(void **unused)
{
    (void)unused;
    support_in_child(gone, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_a_model),
        cmocka_unit_test(a_million_live_blocks_are_known),
        cmocka_unit_test(a_hit_is_a_block_from_the_bin),
        cmocka_unit_test(blocks_from_before_have_unknown_births),
        cmocka_unit_test(what_is_no_operation_is_not_counted),
        cmocka_unit_test(json_tells_the_same),
        cmocka_unit_test(the_memory_of_an_observer_is_told),
        cmocka_unit_test(nothing_stays_of_an_observer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
