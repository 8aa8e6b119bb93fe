/* Which slab of a class new blocks come from: a full one not before enough of it is free, and of
 * the others one that is more than half live, so that emptier ones can run empty. */
#include "heap/blocks.h"
#include "support.h"

#define BLOCKS 40000

static void *small[BLOCKS];

/* How many blocks of a full slab are freed until it is used again; `*capacity`: how many it has. */
static size_t frees_until_it_wakes(const hak_hints *hints, const char *settings, size_t *capacity)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = settings});
    assert_non_null(heap);
    if (hints) heap->hints = hints;
    for (size_t j = 0; j < BLOCKS; j++) assert_non_null(small[j] = hak_heap_alloc(heap, 64));
    size_t i = BLOCKS / 2, count = 0;
    hak_slab *slab = &heap->slabs[((uintptr_t)small[i] - heap->base) >> HAK_UNIT_SHIFT];
    *capacity = slab->capacity;
    for (; slab->state == HAK_SLAB_FULL; i++) {
        REQUIRE(i < BLOCKS);
        hak_slab *of = &heap->slabs[((uintptr_t)small[i] - heap->base) >> HAK_UNIT_SHIFT];
        if (of != slab) continue;
        hak_heap_free(heap, small[i]);
        count++;
    }
    hak_heap_destroy(heap);
    return count;
}

/* Whatever the heap's hints are, `wake` says which part of it that is. */
static void a_full_slab_wakes_when_enough_of_it_is_free(void **state)
{
    (void)state;
    static const hak_hints in_order = {.in_order = true, .clock_most = SIZE_MAX};
    static const struct {
        const char *settings;
        unsigned wake;
    } cases[] = {{"wake=2", 2}, {"wake=3", 3}, {"wake=4", 4}, {"wake=6", 6}};
    if (!hak_settings_valid("wake=3", NULL, 0)) skip(); /* the build has it fixed */
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int sorted = 0; sorted < 2; sorted++) {
            size_t capacity, frees = frees_until_it_wakes(sorted ? &in_order : NULL,
                                                          cases[i].settings, &capacity);
            REQUIRE_THAT(frees == 1 + (capacity >> cases[i].wake), "%s: %zu of %zu",
                         cases[i].settings, frees, capacity);
        }
    }
}

#define SLABS 17

static hak_slab *slab_of(const hak_heap *heap, const void *block)
{
    return &heap->slabs[((uintptr_t)block - heap->base) >> HAK_UNIT_SHIFT];
}

/* Which of some slabs, opened in this order, a class uses next: each has so many blocks left. */
static size_t used_next(const uint32_t *live, size_t count)
{
    hak_heap *heap = hak_heap_new(NULL);
    hak_slab *slabs[SLABS];
    size_t found = 0;
    for (size_t i = 0; i < BLOCKS; i++) assert_non_null(small[i] = hak_heap_alloc(heap, 64));
    for (size_t i = 0; i < BLOCKS && found < count; i++) {
        hak_slab *slab = slab_of(heap, small[i]);
        if (slab->state != HAK_SLAB_FULL) continue;
        for (uint32_t n = live[found]; n < slab->capacity; n++) {
            hak_heap_free(heap, slab->start + n * slab->block_size);
        }
        slabs[found++] = slab;
    }
    assert_int_equal(found, count);
    hak_slab *current = slab_of(heap, small[BLOCKS - 1]), *next = current;
    while (next == current) next = slab_of(heap, hak_heap_alloc(heap, 64));
    size_t index = 0;
    while (index < count && slabs[index] != next) index++;
    hak_heap_destroy(heap);
    return index;
}

/* The first that is more than half live, so that emptier ones can run empty; if there is none, the
 * fullest, among the first sixteen. */
static void slabs_are_used_as_far_as_they_are_full(void **state)
{
    (void)state;
    static const struct {
        size_t count, next;
        uint32_t live[SLABS];
    } cases[] = {
        {1, 0, {100}},
        {3, 1, {300, 600, 900}},
        {3, 0, {513, 300, 900}},
        {3, 2, {512, 300, 513}},
        {4, 1, {300, 400, 350, 400}},
        {16, 15, {[0 ... 14] = 300, 301}},
        {17, 0, {[0 ... 15] = 300, 301}},
    };
    if (HAK_UNIT_SHIFT != 16) skip();
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t next = used_next(cases[i].live, cases[i].count);
        REQUIRE_THAT(next == cases[i].next, "case %zu: %zu, not %zu", i, next, cases[i].next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_slab_wakes_when_enough_of_it_is_free),
        cmocka_unit_test(slabs_are_used_as_far_as_they_are_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
