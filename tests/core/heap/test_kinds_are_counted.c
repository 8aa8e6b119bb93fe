/* A heap made with the option `kinds` tells how much of each kind is live, exactly and at any time:
 * for blocks of all sizes, in the nest, in slabs and in pages of their own; when they are resized,
 * which keeps their kind, and freed; through trims, other profiles and refusals; and nothing of it
 * in a heap made without. Random operations against a model; the seed is taken from HAK_TEST_SEED.
 */
#include "heap/kinds.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"other", "red", "green", "blue", "black", "white"};
_Static_assert(COUNT(names) == HAK_KINDS, "all kinds are used");

typedef struct block {
    unsigned char *start;
    size_t usable;
    unsigned kind;
    uint64_t stamp;
} block;

typedef struct model {
    hak_heap *heap;
    support_random random;
    block *blocks;
    size_t count, room;
    size_t live_blocks[HAK_KINDS], live_bytes[HAK_KINDS];
    size_t largest;
    bool may_refuse;
    size_t refused;
} model;

static model model_new(const hak_heap_options *options, uint64_t salt)
{
    hak_heap_options with_kinds = *options;
    with_kinds.settings = "kinds=1";
    model made = {
        .heap = hak_heap_new(&with_kinds),
        .random = {support_seed() + salt},
        .room = 20000,
        .largest = options->memory ? options->memory_size / 4 : 9 * MIB,
        .may_refuse = options->memory || options->limit,
    };
    REQUIRE(made.heap);
    hak__kinds_name(made.heap, names, COUNT(names));
    made.blocks = malloc(made.room * sizeof *made.blocks);
    REQUIRE(made.blocks);
    return made;
}

static void check(const model *m)
{
    hak_stats stats = support_stats(m->heap);
    REQUIRE_THAT(stats.kinds == HAK_KINDS, "%zu kinds", stats.kinds);
    REQUIRE(!stats.kind_stats[HAK_KINDS].name);
    for (unsigned kind = 0; kind < HAK_KINDS; kind++) {
        const hak_kind_stats *of = &stats.kind_stats[kind];
        REQUIRE(strcmp(of->name, names[kind]) == 0);
        REQUIRE_THAT(of->live_blocks == m->live_blocks[kind], "%s: %zu blocks, not %zu", of->name,
                     of->live_blocks, m->live_blocks[kind]);
        REQUIRE_THAT(of->live_bytes == m->live_bytes[kind], "%s: %zu bytes, not %zu", of->name,
                     of->live_bytes, m->live_bytes[kind]);
    }
}

static void add(model *m, void *start, size_t size, unsigned kind)
{
    if (!start) {
        REQUIRE_THAT(m->may_refuse, "%zu bytes refused", size);
        m->refused++;
        return;
    }
    size_t usable = hak_heap_usable_size(m->heap, start);
    REQUIRE(usable >= size && m->count < m->room);
    m->blocks[m->count++] = (block){start, usable, kind, support_next(&m->random)};
    support_fill(start, usable, m->blocks[m->count - 1].stamp);
    m->live_blocks[kind]++;
    m->live_bytes[kind] += usable;
}

static void drop(model *m, size_t index)
{
    const block *b = &m->blocks[index];
    m->live_blocks[b->kind]--;
    m->live_bytes[b->kind] -= b->usable;
    m->blocks[index] = m->blocks[--m->count];
}

/* Mostly small; some of each way a block can lie. */
static size_t draw_size(model *m)
{
    size_t way = support_below(&m->random, 1000), size;
    if (way < 920) size = 1 + support_below(&m->random, 200);
    else if (way < 960) size = 1 + support_below(&m->random, 2000);
    else if (way < 990) size = 1 + support_below(&m->random, 17000);
    else if (way < 999) size = 16000 + support_below(&m->random, 100000);
    else size = MIB + support_below(&m->random, 8 * MIB);
    return size < m->largest ? size : 1 + support_below(&m->random, m->largest);
}

static void do_alloc(model *m)
{
    size_t size = draw_size(m);
    switch (support_below(&m->random, 20)) {
    case 0: add(m, hak_heap_alloc(m->heap, size), size, 0); break;
    case 1: add(m, hak_heap_zalloc(m->heap, 1, size), size, 0); break;
    case 2: add(m, hak_heap_aligned_alloc(m->heap, 64, size), size, 0); break;
    default: {
        unsigned kind = (unsigned)support_below(&m->random, HAK_KINDS);
        add(m, hak__heap_alloc_kind(m->heap, kind, size), size, kind);
    }
    }
}

static void do_realloc(model *m)
{
    if (m->count == 0) return;
    size_t index = support_below(&m->random, m->count);
    block old = m->blocks[index];
    size_t size = draw_size(m);
    if (support_below(&m->random, 2)) size = old.usable + old.usable / 4 + 1;
    if (size > m->largest) size = m->largest;
    unsigned char *start = hak_heap_realloc(m->heap, old.start, size);
    if (!start) {
        add(m, NULL, size, old.kind);
        return;
    }
    size_t kept = size < old.usable ? size : old.usable;
    REQUIRE(support_intact(start, kept, old.stamp) == kept);
    drop(m, index);
    add(m, start, size, old.kind);
}

static void do_free(model *m)
{
    if (m->count == 0) return;
    size_t index = support_below(&m->random, m->count);
    const block *b = &m->blocks[index];
    REQUIRE(support_intact(b->start, b->usable, b->stamp) == b->usable);
    hak_heap_free(m->heap, b->start);
    drop(m, index);
}

static void do_something_rare(model *m)
{
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    switch (support_below(&m->random, 4)) {
    case 0: hak_heap_trim(m->heap); break;
    case 1: REQUIRE(hak_heap_set_profile(m->heap, profiles[support_below(&m->random, 3)])); break;
    case 2: hak_heap_settle(m->heap); break;
    case 3: REQUIRE(hak_heap_configure(m->heap, "wake=31 kinds=1", NULL, 0)); break;
    }
}

static void model_run(model *m, size_t operations)
{
    for (size_t time = 0; time < operations; time++) {
        size_t wave = time / 20000 % 3; /* fill, empty, stay */
        size_t freeing = wave == 0 ? 30 : wave == 1 ? 60 : 45;
        if (m->count + 1 >= m->room) freeing = 90;
        size_t choice = support_below(&m->random, 100), refused = m->refused;
        if (choice < freeing) do_free(m);
        else if (choice < freeing + 8) do_realloc(m);
        else do_alloc(m);
        if (support_below(&m->random, 5000) == 0) do_something_rare(m);
        for (size_t i = 0; m->refused > refused && i < 5; i++) do_free(m);
        if (time < 300 || time % 997 == 0) check(m);
        if (time % 9973 == 0) support_check_stats(m->heap);
    }
}

static void model_end(model *m, bool region)
{
    while (m->count > 0) do_free(m);
    check(m);
    hak_heap_trim(m->heap);
    if (region) REQUIRE(support_stats(m->heap).footprint == 0);
    support_check_stats(m->heap);
    /* And once more from there. */
    for (size_t i = 0; i < 2000; i++) do_alloc(m);
    check(m);
    free(m->blocks);
    hak_heap_destroy(m->heap);
}

static void agree(const hak_heap_options *options, size_t operations, uint64_t salt)
{
    model m = model_new(options, salt);
    model_run(&m, support_scaled(operations));
    if (m.may_refuse) REQUIRE(m.refused > 0);
    model_end(&m, !options->memory);
}

/* ------------------------------------------------------------------ tests */

static void in_the_shared_region(void **state)
{
    (void)state;
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        agree(&(hak_heap_options){.granularity = granularity}, 400000, granularity);
    }
    agree(&(hak_heap_options){.granularity = 8, .profile = "lean"}, 200000, 1);
}

static void under_limits(void **state)
{
    (void)state;
    static const size_t limits[] = {256 * KIB, MIB, 3 * MIB};
    for (size_t i = 0; i < COUNT(limits); i++) {
        agree(&(hak_heap_options){.granularity = 8, .limit = limits[i]}, 100000, 20 + i);
    }
}

static void on_the_callers_memory(void **state)
{
    (void)state;
    static const size_t sizes[] = {HAK_MEMORY_MIN, 300 * KIB + 7, MIB};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        unsigned char *memory = malloc(sizes[i] + 64);
        assert_non_null(memory);
        memset(memory + sizes[i], 0xc3, 64);
        agree(&(hak_heap_options){.granularity = 8, .memory = memory, .memory_size = sizes[i]},
              100000, 30 + i);
        for (size_t j = 0; j < 64; j++) assert_int_equal(memory[sizes[i] + j], 0xc3);
        free(memory);
    }
}

static void from_the_first_block_on(void **state)
{
    (void)state;
    model m = model_new(&(hak_heap_options){.granularity = 8}, 40);
    check(&m);
    for (unsigned kind = 0; kind < HAK_KINDS; kind++) {
        for (size_t size = 1; size <= 100; size += 9) {
            add(&m, hak__heap_alloc_kind(m.heap, kind, size), size, kind);
            check(&m);
        }
    }
    if (HAK_UNIT_SHIFT == 16) assert_int_equal(support_stats(m.heap).superslabs, 0);
    while (m.count) {
        do_free(&m);
        check(&m);
    }
    model_end(&m, true);
}

static void a_huge_block_that_grows_keeps_its_kind(void **state)
{
    (void)state;
    model m = model_new(&(hak_heap_options){0}, 41);
    m.largest = 64 * MIB;
    add(&m, hak__heap_alloc_kind(m.heap, 3, 1000), 1000, 3);
    for (size_t size = 2000; size <= 40 * MIB; size = size * 3 / 2) {
        block old = m.blocks[0];
        /* In its way, so that it has to move. */
        add(&m, hak__heap_alloc_kind(m.heap, 1, 3 * MIB), 3 * MIB, 1);
        void *start = hak_heap_realloc(m.heap, old.start, size);
        assert_int_equal(support_intact(start, old.usable < size ? old.usable : size, old.stamp),
                         old.usable < size ? old.usable : size);
        drop(&m, 0);
        add(&m, start, size, 3);
        block last = m.blocks[m.count - 1];
        m.blocks[m.count - 1] = m.blocks[0];
        m.blocks[0] = last;
        check(&m);
    }
    REQUIRE(support_stats(m.heap).os.mremap > 0);
    /* What is kept of it serves another kind. */
    hak_heap_free(m.heap, m.blocks[0].start);
    drop(&m, 0);
    add(&m, hak__heap_alloc_kind(m.heap, 5, 30 * MIB), 30 * MIB, 5);
    add(&m, hak_heap_alloc(m.heap, 3 * MIB), 3 * MIB, 0);
    check(&m);
    model_end(&m, true);
}

/* How many of the heap's units hold blocks of several kinds, its nest aside; all blocks are given.
 */
static size_t shared_units(const hak_heap *heap, void *const *blocks, const uint8_t *kinds,
                           size_t count)
{
    uint8_t *seen = calloc(heap->units, 1);
    size_t shared = 0;
    REQUIRE(seen);
    for (size_t i = 0; i < count; i++) {
        size_t unit = ((uintptr_t)blocks[i] - heap->base) >> HAK_UNIT_SHIFT;
        REQUIRE(unit < heap->units);
        if (&heap->slabs[unit] != heap->nest.run) seen[unit] |= (uint8_t)(1 << kinds[i]);
    }
    for (size_t unit = 0; unit < heap->units; unit++)
        shared += (seen[unit] & (seen[unit] - 1)) != 0;
    free(seen);
    return shared;
}

static void without_the_option_kinds_lie_together(void **state)
{
    (void)state;
    static const char *const settings[] = {"kinds=0", "kinds=1"};
    static void *blocks[50000];
    static uint8_t kinds[COUNT(blocks)];
    for (size_t i = 0; i < 2; i++) {
        hak_heap *heap =
            hak_heap_new(&(hak_heap_options){.granularity = 8, .settings = settings[i]});
        for (size_t n = 0; n < COUNT(blocks); n++) {
            kinds[n] = (uint8_t)(n % 3);
            blocks[n] = hak__heap_alloc_kind(heap, kinds[n], 48);
            REQUIRE(blocks[n]);
        }
        size_t shared = shared_units(heap, blocks, kinds, COUNT(blocks));
        assert_true(i ? shared == 0 : shared > 20);
        hak_stats stats = support_stats(heap);
        assert_int_equal(stats.live_blocks, COUNT(blocks));
        assert_int_equal(stats.kinds, i);
        if (i) assert_string_equal(stats.kind_stats[0].name, "other"); /* nobody has named them */
        hak_heap_destroy(heap);
    }
}

static void a_heap_keeps_what_it_was_made_with(void **state)
{
    (void)state;
    for (size_t kinds = 0; kinds < 2; kinds++) {
        char message[256] = "", settings[] = "kinds=0", other[] = "wake=9 kinds=0";
        settings[6] += (char)kinds;
        other[13] += (char)!kinds;
        hak_heap *heap =
            hak_heap_new(&(hak_heap_options){.profile = "balanced", .settings = settings});
        assert_non_null(heap);
        assert_string_equal(hak_heap_profile(heap), "balanced");
        errno = 0;
        assert_false(hak_heap_configure(heap, other, message, sizeof message));
        assert_int_equal(errno, EINVAL);
        assert_non_null(strstr(message, "option 'kinds' is"));
        assert_non_null(strstr(message, "only when one is made"));
        assert_string_equal(hak_heap_profile(heap), "balanced");
        assert_true(hak_heap_configure(heap, settings, NULL, 0));
        assert_true(hak_heap_set_profile(heap, "lean"));
        hak_option options[64];
        size_t count = hak_options(heap, options, COUNT(options)), found = 0;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(options[i].name, "kinds") != 0) continue;
            assert_string_equal(options[i].value, kinds ? "1" : "0");
            assert_string_equal(options[i].origin, "heap");
            found++;
        }
        assert_int_equal(found, 1);
        assert_int_equal(support_stats(heap).kinds, kinds);
        hak_heap_destroy(heap);
    }
}

static void ask_by_environment(void *context)
{
    (void)context;
    setenv("HAKMEM_KINDS", "1", 1);
    hak_heap *heap = hak_heap_new(NULL);
    REQUIRE(support_stats(heap).kinds == 1);
    REQUIRE(hak_heap_set_profile(heap, "lean"));
    REQUIRE(hak__heap_alloc_kind(heap, 2, 100));
    hak_heap *plain = hak_heap_new(&(hak_heap_options){.settings = "kinds=0"});
    REQUIRE(support_stats(plain).kinds == 0);
    REQUIRE(hak__heap_alloc_kind(plain, 2, 100));
    hak_heap_destroy(plain);
    hak_heap_destroy(heap);
}

static void the_environment_asks_for_it(void **state)
{
    (void)state;
    support_in_child(ask_by_environment, NULL, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_asks_for_it), /* before there is a heap */
        cmocka_unit_test(from_the_first_block_on),
        cmocka_unit_test(in_the_shared_region),
        cmocka_unit_test(under_limits),
        cmocka_unit_test(on_the_callers_memory),
        cmocka_unit_test(a_huge_block_that_grows_keeps_its_kind),
        cmocka_unit_test(without_the_option_kinds_lie_together),
        cmocka_unit_test(a_heap_keeps_what_it_was_made_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
