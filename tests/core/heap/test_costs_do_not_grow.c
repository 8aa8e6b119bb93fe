/* What a call costs may depend on the size of its block, and not on what the heap has: its
 * instructions are counted on a heap and on one twice as large, for each shape of heap that once
 * made calls expensive. */
#include "heap/blocks.h"
#include "heap/excess.h"
#include "steps.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static size_t times = 4; /* calls that are counted together */

/* What the pieces below share. */
typedef struct shape {
    hak_heap *heap;
    void **blocks;
    size_t count;
    size_t size; /* of the request that is measured */
    void *last;
} shape;

static const char *profile;
static size_t granularity, request;

static shape *shape_new(const hak_heap_options *options, size_t count)
{
    shape *made = calloc(1, sizeof *made);
    REQUIRE(made);
    hak_heap_options with = options ? *options : (hak_heap_options){0};
    with.profile = profile;
    with.granularity = granularity;
    made->heap = hak_heap_new(&with);
    made->blocks = calloc(count, sizeof *made->blocks);
    made->count = count;
    made->size = request;
    REQUIRE(made->heap && made->blocks);
    return made;
}

static void fill(shape *s, size_t size)
{
    for (size_t i = 0; i < s->count; i++) REQUIRE(s->blocks[i] = hak_heap_alloc(s->heap, size));
}

/* Keeps one block in so many. */
static void thin_out(shape *s, size_t keep)
{
    for (size_t i = 0; i < s->count; i++) {
        if (i % keep == 0) continue;
        hak_heap_free(s->heap, s->blocks[i]);
        s->blocks[i] = NULL;
    }
}

/* ------------------------------------------------------------------ what is measured */

static void take(void *prepared)
{
    shape *s = prepared;
    for (size_t i = 0; i < times; i++) REQUIRE(hak_heap_alloc(s->heap, s->size));
}

static void take_and_free(void *prepared)
{
    shape *s = prepared;
    for (size_t i = 0; i < times; i++) {
        void *block = hak_heap_alloc(s->heap, s->size);
        REQUIRE(block);
        hak_heap_free(s->heap, block);
    }
}

static void be_refused(void *prepared)
{
    shape *s = prepared;
    for (size_t i = 0; i < times; i++) REQUIRE(!hak_heap_alloc(s->heap, s->size));
}

/* A block is freed before each refusal, here and there. */
static void be_refused_though_freeing(void *prepared)
{
    shape *s = prepared;
    for (size_t i = 0; i < times * times; i++) {
        do s->count--;
        while (!s->blocks[s->count]);
        hak_heap_free(s->heap, s->blocks[s->count]);
        s->count -= 100;
        REQUIRE(!hak_heap_alloc(s->heap, s->size));
    }
}

/* One block grows beyond the peak, step by step. */
static void grow(void *prepared)
{
    shape *s = prepared;
    for (size_t i = 0; i < times; i++) {
        s->size += 64 * KIB;
        REQUIRE(s->last = hak_heap_realloc(s->heap, s->last, s->size));
    }
}

/* As many blocks as need some pages. */
static void refill(void *prepared)
{
    shape *s = prepared;
    for (size_t i = 0; i < times * PAGE / s->size; i++) {
        REQUIRE(hak_heap_alloc(s->heap, s->size));
    }
}

/* Every second block of some slabs, the second time. */
static void thin_on(void *prepared)
{
    shape *s = prepared;
    size_t last = s->last ? s->size + 8192 : s->size;
    for (; s->size < last; s->size += 2) hak_heap_free(s->heap, s->blocks[s->size]);
    s->last = s->heap;
}

/* Small blocks of another class, at a new peak, the second time. */
static void take_others(void *prepared)
{
    shape *s = prepared;
    if (!s->last) s->heap->pace.next_scan = 0;
    for (size_t i = 0; s->last && i < times * 2; i++) REQUIRE(hak_heap_alloc(s->heap, 1000));
    s->last = s->heap;
}

/* ------------------------------------------------------------------ the shapes of heaps */

/* Every page has a block, so that there is nothing to give back; and that is not known yet. */
static void *many_partial_slabs(size_t mib)
{
    shape *s = shape_new(NULL, mib * MIB / 64);
    fill(s, 64);
    thin_out(s, 4);
    s->last = hak_heap_alloc(s->heap, 300 * KIB);
    return s;
}

/* Nor has anything been asked for since. */
static void *just_thinned_out(size_t mib)
{
    shape *s = shape_new(NULL, mib * MIB / 64);
    fill(s, 64);
    thin_out(s, 4);
    return s;
}

/* The same once it is known. */
static void *settled_partial_slabs(size_t mib)
{
    shape *s = many_partial_slabs(mib);
    hak_heap_settle(s->heap);
    return s;
}

/* Of so many slabs every second block is free that it is almost time to look at them. */
static void *thinned_slabs(size_t mib)
{
    shape *s = shape_new(NULL, mib * MIB / 64);
    fill(s, 64);
    size_t slab = 64 * KIB;
    for (s->size = 0; s->heap->partial_bytes + 3 * slab < hak__heap_bound(s->heap); s->size += 2) {
        hak_heap_free(s->heap, s->blocks[s->size]);
    }
    return s;
}

/* One block in a slab is left, and the pages of the others are given back. */
static void *punched_slabs(size_t slabs)
{
    shape *s = shape_new(NULL, slabs * 1024);
    fill(s, 64);
    thin_out(s, 1024);
    hak_heap_trim(s->heap);
    for (size_t i = 0; i < s->count / 2; i++) REQUIRE(hak_heap_alloc(s->heap, 64));
    return s;
}

static void *full_to_the_limit_of(size_t mib, size_t size)
{
    shape *s = shape_new(&(hak_heap_options){.limit = (mib + 1) * MIB}, mib * MIB / size);
    fill(s, size);
    thin_out(s, 16);
    while (hak_heap_alloc(s->heap, s->size)) continue;
    return s;
}

static void *full_to_the_limit(size_t mib)
{
    return full_to_the_limit_of(mib, 64);
}

/* What is read of a slab that has changed is little. They fill their slabs, so that the last one
 * does not depend on the size of the heap. */
static void *full_of_larger_blocks(size_t mib)
{
    return full_to_the_limit_of(mib, 1024);
}

static void *huge_blocks(size_t count)
{
    shape *s = shape_new(NULL, count);
    fill(s, 3 * MIB);
    return s;
}

/* The addresses between huge blocks are free. */
static void *huge_blocks_here_and_there(size_t count)
{
    shape *s = huge_blocks(count);
    thin_out(s, 2);
    return s;
}

static void *spans_here_and_there(size_t count)
{
    shape *s = shape_new(NULL, count);
    fill(s, 60 * KIB);
    thin_out(s, 2);
    return s;
}

/* The heap before has left the first superslab free. */
static void *superslabs_after_others(size_t count)
{
    hak_heap *first = hak_heap_new(NULL);
    REQUIRE(hak_heap_alloc(first, 100 * KIB));
    shape *s = shape_new(NULL, count);
    fill(s, 2 * MIB - PAGE);
    hak_heap_destroy(first);
    return s;
}

static void *callers_memory(size_t mib)
{
    size_t size = mib * MIB;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    shape *s = shape_new(&(hak_heap_options){.memory = memory, .memory_size = size}, 1);
    for (size_t n = 0; n < size / 2; n += 128 * KIB) REQUIRE(hak_heap_alloc(s->heap, 100 * KIB));
    return s;
}

/* ------------------------------------------------------------------ comparing */

static void compare(const char *what, counted piece, size_t size)
{
    size_t once = steps_of(&piece, size), twice = steps_of(&piece, 2 * size);
    if (once == 0) {
        print_message("%s: not counted, since processes may not be traced here\n", what);
        return;
    }
    print_message("%s, %s: %zu instructions a call, %zu on a heap twice as large\n", what, profile,
                  once / times, twice / times);
    REQUIRE_THAT(twice <= once + once / (times > 1 ? 10 : 4), "%s, %s: %zu, then %zu", what,
                 profile, once, twice);
}

static void in_profile(const char *name, const char *what, size_t of_request, counted piece,
                       size_t size)
{
    profile = name;
    request = of_request;
    compare(what, piece, size);
}

static void in_all_profiles(const char *what, size_t of_request, counted piece, size_t size)
{
    granularity = 8;
    in_profile("speed", what, of_request, piece, size);
    granularity = 0;
    if (times > 1) in_profile("balanced", what, of_request, piece, size);
    in_profile("lean", what, of_request, piece, size);
}

/* In `speed` nothing has looked for holes before. */
static void large_blocks_at_a_peak(void **state)
{
    (void)state;
    in_profile("speed", "large block at a peak", 64 * KIB, (counted){many_partial_slabs, take}, 48);
    in_profile("speed", "block that grows", 300 * KIB, (counted){many_partial_slabs, grow}, 48);
    in_all_profiles("settled, large block", 64 * KIB, (counted){settled_partial_slabs, take}, 48);
}

static void frees_among_many(void **state)
{
    (void)state;
    granularity = 8;
    in_profile("speed", "free among many", 64, (counted){thinned_slabs, thin_on}, 80);
}

static void small_blocks_at_a_peak(void **state)
{
    (void)state;
    granularity = 8;
    in_profile("speed", "small blocks at a peak", 1000, (counted){just_thinned_out, take_others},
               8);
}

static void refilling_punched_slabs(void **state)
{
    (void)state;
    in_all_profiles("refill of punched slabs", 64, (counted){punched_slabs, refill}, 500);
}

static void refusals(void **state)
{
    (void)state;
    in_all_profiles("refusal", 64 * KIB, (counted){full_to_the_limit, be_refused}, 16);
    in_profile("lean", "refusal after a free", 1000 * KIB,
               (counted){full_of_larger_blocks, be_refused_though_freeing}, 16);
}

static void huge_blocks_among_many(void **state)
{
    (void)state;
    size_t count = support_scale() > 1 ? 300 : 1000;
    in_all_profiles("huge block among many", 3 * MIB, (counted){huge_blocks, take_and_free}, count);
    in_profile("balanced", "huge block between others", 20 * MIB,
               (counted){huge_blocks_here_and_there, take}, count);
}

static void spans_among_many(void **state)
{
    (void)state;
    in_all_profiles("span between others", 200 * KIB, (counted){spans_here_and_there, take}, 4000);
    in_all_profiles("superslab after others", 2 * MIB - PAGE,
                    (counted){superslabs_after_others, take_and_free}, 500);
}

static void spans_on_the_callers_memory(void **state)
{
    (void)state;
    in_profile("speed", "span on the caller's memory", 100 * KIB, (counted){callers_memory, take},
               256);
    in_profile("lean", "large span there", 5 * MIB, (counted){callers_memory, take_and_free}, 256);
}

int main(void)
{
    if (support_scale() > 1) times = 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_blocks_at_a_peak),
        cmocka_unit_test(frees_among_many),
        cmocka_unit_test(small_blocks_at_a_peak),
        cmocka_unit_test(refilling_punched_slabs),
        cmocka_unit_test(refusals),
        cmocka_unit_test(huge_blocks_among_many),
        cmocka_unit_test(spans_among_many),
        cmocka_unit_test(spans_on_the_callers_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
