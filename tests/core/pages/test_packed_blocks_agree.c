/* Blocks in packs, beside all others: random operations under a limit of address space that comes
 * and goes. Contents stay, zeroed blocks are zero, statistics agree with the model, and the
 * invariants hold. What is no block is reported. */
#include "address_limit.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "heap/check.h"
#include "heap/held.h"
#include "pages/pages.h"

#define SLOTS 250
#define HEAPS 2
#define EDGE  256 /* bytes written at the ends of a block, and one word in each page */

typedef struct slot {
    char *start;
    size_t size, usable;
    uint64_t stamp;
} slot;

typedef struct model {
    hak_heap *heaps[HEAPS];
    slot slots[HEAPS][SLOTS];
    support_random random;
    size_t refused, packed, others; /* bytes of address space */
} model;

static void set_space(size_t bytes)
{
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = bytes ? support_status("VmSize:") + bytes : limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
}

static bool is_packed(const void *block)
{
    hak_region *region = hak__region_of(block);
    const hak_superslab *super = hak__superslab_of(region, block);
    if (super->type == HAK_SUPERSLAB_TAIL) super -= super->distance;
    return super->type == HAK_SUPERSLAB_HUGE && super->huge_packed;
}

static void write_slot(slot *s)
{
    support_fill_pages(s->start, s->size, s->stamp);
    support_fill(s->start + s->size - EDGE, EDGE, s->stamp);
}

static void check_slot(const model *m, const slot *s, const char *start, size_t size)
{
    (void)m;
    size_t whole = size < s->size - EDGE ? size : s->size - EDGE;
    REQUIRE_THAT(support_intact_pages(start, whole, s->stamp) == whole, "%zu of %zu bytes", whole,
                 s->size);
    if (size < s->size) return;
    REQUIRE(support_intact(start + s->size - EDGE, EDGE, s->stamp) == EDGE);
}

#define OPERATIONS 60000 /* of a whole run, which meets refusals */

/* Mostly above 16 KiB, as many in each doubling up to 4 MiB. */
static size_t draw(model *m)
{
    if (support_below(&m->random, 5) == 0) return EDGE + support_below(&m->random, 16384);
    size_t size = (size_t)16384 << support_below(&m->random, 8);
    if (support_below(&m->random, 4) == 0) return size;
    return size + 1 + support_below(&m->random, size);
}

static bool set(model *m, hak_heap *heap, slot *s, char *start, size_t size)
{
    if (!start) {
        REQUIRE_THAT(errno == ENOMEM, "errno %d", errno);
        m->refused++;
        return false;
    }
    *s = (slot){start, size, hak_heap_usable_size(heap, start), support_next(&m->random)};
    REQUIRE(s->usable >= size && hak_heap_owns(heap, start + s->usable - 1) && hak_owns(start));
    if (is_packed(start)) {
        REQUIRE(hak_heap_usable_size(heap, start + size / 2) == s->usable);
        m->packed++;
    }
    write_slot(s);
    return true;
}

static void take(model *m, hak_heap *heap, slot *s)
{
    size_t size = draw(m), alignment = (size_t)16 << support_below(&m->random, 16);
    errno = 0;
    switch (support_below(&m->random, 6)) {
    case 0: {
        char *start = hak_heap_zalloc(heap, 1, size);
        if (start) REQUIRE(support_zeros(start, size) == size);
        set(m, heap, s, start, size);
        break;
    }
    case 1:
        if (set(m, heap, s, hak_heap_aligned_alloc(heap, alignment, size), size))
            REQUIRE((uintptr_t)s->start % alignment == 0);
        break;
    default: set(m, heap, s, hak_heap_alloc(heap, size), size);
    }
}

static void resize(model *m, hak_heap *heap, slot *s)
{
    size_t size = draw(m);
    if (support_below(&m->random, 3))
        size = s->size + s->size / (1 + support_below(&m->random, 20));
    if (support_below(&m->random, 3) == 0) size = s->size - s->size / 3;
    if (size < EDGE) size = EDGE;
    slot had = *s;
    errno = 0;
    char *start = hak_heap_realloc(heap, had.start, size);
    check_slot(m, &had, start ? start : had.start, start && size < had.size ? size : had.size);
    set(m, heap, s, start, size);
}

static void drop(model *m, hak_heap *heap, slot *s)
{
    check_slot(m, s, s->start, s->size);
    hak_heap_free(heap, s->start);
    s->start = NULL;
}

static void check(const model *m)
{
    size_t others = support_others_space();
    REQUIRE_THAT(others < m->others + MIB && m->others < others + MIB, "%zu KiB, then %zu",
                 m->others / KIB, others / KIB);
    for (size_t h = 0; h < HEAPS; h++) {
        size_t blocks = 0, bytes = 0;
        for (size_t i = 0; i < SLOTS; i++) {
            blocks += m->slots[h][i].start != NULL;
            bytes += m->slots[h][i].start ? m->slots[h][i].usable : 0;
        }
        support_check_live(m->heaps[h], blocks, bytes);
        support_check_stats(m->heaps[h]);
#ifdef HAK_DEBUG
        hak__heap_check(m->heaps[h]);
#endif
    }
}

static void do_something_rare(model *m, size_t least, size_t h)
{
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    switch (support_below(&m->random, 6)) {
    case 0: set_space(0); break;
    case 1:
    case 2: set_space(least + support_below(&m->random, 200 * MIB)); break;
    case 3: hak_heap_trim(m->heaps[h]); break;
    case 4: {
        hak_stats stats = support_stats(m->heaps[h]);
        size_t limit = stats.footprint + support_below(&m->random, 20 * MIB);
        hak_heap_set_limit(m->heaps[h], stats.limit ? 0 : limit);
        break;
    }
    default:
        REQUIRE(hak_heap_set_profile(m->heaps[h],
                                     support_profile(profiles[support_below(&m->random, 3)])));
    }
}

static void run(void *context)
{
    const job *of = context;
    static model m;
    m.random = (support_random){support_seed() + of->limit};
    for (size_t h = 0; h < HEAPS; h++) REQUIRE(m.heaps[h] = hak_heap_new(NULL));
    m.others = support_others_space();
    set_space(of->limit);
    size_t operations = support_scaled(OPERATIONS);
    for (size_t time = 0; time < operations; time++) {
        size_t h = support_below(&m.random, HEAPS), i = support_below(&m.random, SLOTS);
        /* At times there are few blocks, so that packs become empty. */
        bool fills = time / 3000 % 3 != 2 || i < SLOTS / 10;
        slot *s = &m.slots[h][i];
        if (!s->start && fills) take(&m, m.heaps[h], s);
        else if (s->start && fills && support_below(&m.random, 3)) resize(&m, m.heaps[h], s);
        else if (s->start) drop(&m, m.heaps[h], s);
        if (support_below(&m.random, 300) == 0) do_something_rare(&m, of->size, h);
        if (time % 500 == 0) check(&m);
    }
    print_message("%zu packed, %zu refused\n", m.packed, m.refused);
    REQUIRE(m.packed > operations / 20 && (m.refused > 0 || operations < OPERATIONS));
    set_space(0);
    check(&m);
    for (size_t i = 0; i < SLOTS; i++) {
        if (m.slots[0][i].start) drop(&m, m.heaps[0], &m.slots[0][i]);
    }
    hak_heap_set_limit(m.heaps[0], 0);
    hak_heap_trim(m.heaps[0]);
    support_check_live(m.heaps[0], 0, 0);
    REQUIRE(support_stats(m.heaps[0]).footprint == 0);
    for (size_t h = 0; h < HEAPS; h++) hak_heap_destroy(m.heaps[h]);
    hak_process_stats process;
    hak_process_stats_read(&process);
    REQUIRE(process.footprint == 0 && process.madvise_disabled == 0);
}

static void packed_blocks_are_as_all_others(void **state)
{
    (void)state;
    support_seed();
    support_in_child(run, &(job){60 * MIB, 1}, 120);
    support_in_child(run, &(job){150 * MIB, 20 * MIB}, 120);
    support_in_child(run, &(job){8 * GIB, 4 * GIB}, 120);
}

/* ------------------------------------------------------------------ growing where it is */

static char *packed_block(hak_heap *heap)
{
    for (size_t i = 0; i < 1000; i++) {
        char *block = hak_heap_alloc(heap, 50000);
        REQUIRE(block);
        if (is_packed(block)) return block;
    }
    support_fail(__FILE__, __LINE__, "packed", "%s", "no block is");
}

static void grow_in_place(void *context)
{
    (void)context;
    set_space(GIB);
    hak_heap *heap = hak_heap_new(NULL);
    char *block = packed_block(heap);
    /* Behind the last block of a pack there is room until the next one comes. */
    REQUIRE(hak_heap_realloc(heap, block, 70000) == block);
    REQUIRE(hak_heap_usable_size(heap, block) >= 70000);
    REQUIRE(hak_heap_realloc(heap, block, 40000) == block);
    REQUIRE(hak_heap_usable_size(heap, block) < 50000);
    char *next = hak_heap_alloc(heap, 50000);
    REQUIRE(next == block + hak_heap_usable_size(heap, block));
    char *moved = hak_heap_realloc(heap, block, 70000);
    REQUIRE(moved && moved != block && is_packed(moved));
    hak_heap_destroy(heap);
}

static void packed_blocks_grow_where_they_are(void **state)
{
    (void)state;
    support_in_child(grow_in_place, NULL, 20);
}

/* A block that grows at a peak takes the place of holes in slabs, as others do that come. */
static void grow_at_a_peak(void *context)
{
    (void)context;
    enum { SMALL = 500, PIECE = 100 * 1024 };
    set_space(GIB);
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.settings = "retain_least=100m retain_busy=100m retain_part=0"});
    char *block = packed_block(heap);
    held all = hold(heap, 20000, SMALL);
    thin_out(heap, &all, 12 * KIB / SMALL);
    size_t peak = support_stats(heap).footprint_peak;
    REQUIRE(support_stats(heap).footprint == peak);
    for (size_t size = 50000; size < 10 * PIECE; size += PIECE) {
        REQUIRE(hak_heap_realloc(heap, block, size) == block);
        memset(block, 1, size);
    }
    REQUIRE_THAT(support_stats(heap).footprint_peak <= peak + 64 * KIB, "%zu, then %zu", peak,
                 support_stats(heap).footprint_peak);
    held_end(heap, &all, SMALL);
    hak_heap_destroy(heap);
}

static void packed_blocks_grow_into_holes(void **state)
{
    (void)state;
    support_in_child(grow_at_a_peak, NULL, 20);
}

/* A block that is to be zero takes pages of two others, of which the first has given its pages
 * back, and a page that is in use further on. */
static void zero_beside_others(void *context)
{
    (void)context;
    enum { SIZE = 9 * 4096 + 500 };
    set_space(GIB);
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "speed"});
    char *before = packed_block(heap), *end = before + hak_heap_usable_size(heap, before),
         *blocks[3];
    REQUIRE(hak_heap_alloc(heap, 6 * PAGE - (uintptr_t)end % PAGE) == end);
    for (size_t i = 0; i < COUNT(blocks); i++) {
        REQUIRE(blocks[i] = hak_heap_alloc(heap, SIZE));
        memset(blocks[i], 1, SIZE);
    }
    size_t usable = hak_heap_usable_size(heap, blocks[0]);
    REQUIRE((uintptr_t)blocks[0] % PAGE == 0);
    REQUIRE(blocks[1] == blocks[0] + usable && blocks[2] == blocks[1] + usable);
    hak_heap_free(heap, blocks[0]);
    hak_heap_trim(heap);
    hak_heap_free(heap, blocks[1]);
    REQUIRE(hak_heap_zalloc(heap, 1, 2 * usable) == blocks[0]);
    REQUIRE(support_zeros(blocks[0], 2 * usable) == 2 * usable);
    for (size_t i = 0; i < SIZE; i++) REQUIRE_THAT(blocks[2][i] == 1, "byte %zu", i);
    hak_heap_destroy(heap);
}

static void packed_blocks_are_zero_beside_others(void **state)
{
    (void)state;
    support_in_child(zero_beside_others, NULL, 20);
}

/* ------------------------------------------------------------------ what is no block */

enum { TWICE, INSIDE, AT_THE_RECORD, IN_A_GAP, REALLOC, SIZE, MISUSES };

static void misuse(void *context)
{
    set_space(GIB);
    hak_heap *heap = hak_heap_new(NULL);
    char *first = packed_block(heap), *second = hak_heap_alloc(heap, 60000);
    REQUIRE(second == first + hak_heap_usable_size(heap, first));
    hak_heap_free(heap, first);
    REQUIRE(hak_heap_owns(heap, second) && hak_heap_owns(heap, second + 59999));
    REQUIRE(!hak_heap_owns(heap, first) && !hak_owns(second + 70000));
    switch (*(int *)context) {
    case TWICE: hak_heap_free(heap, first); break;
    case INSIDE: hak_heap_free(heap, second + 64); break;
    case AT_THE_RECORD:
        hak_heap_free(heap, (void *)((uintptr_t)first & ~(HAK_SUPERSLAB_SIZE - 1)));
        break;
    case IN_A_GAP: hak_heap_free(heap, second + 60032 + 64); break;
    case REALLOC: REQUIRE(!hak_heap_realloc(heap, first, 100000)); break;
    default: hak_heap_usable_size(heap, first);
    }
}

static void what_is_no_block_is_reported(void **state)
{
    (void)state;
    static const char *const texts[MISUSES] = {
        "free already",         "points into a block", "no block lives there",
        "no block lives there", "not a block",         "not a block",
    };
    for (int which = 0; which < MISUSES; which++) {
        support_child child = support_fork(misuse, &which, 20);
        REQUIRE_THAT(child.signal == 6 && strstr(child.text, texts[which]), "%d: signal %d, %s",
                     which, child.signal, child.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_blocks_are_as_all_others),
        cmocka_unit_test(packed_blocks_grow_where_they_are),
        cmocka_unit_test(packed_blocks_grow_into_holes),
        cmocka_unit_test(packed_blocks_are_zero_beside_others),
        cmocka_unit_test(what_is_no_block_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
