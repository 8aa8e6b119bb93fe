/* A visit of the blocks of one size meets each one that is live once, wherever it lies, hardly any
 * others, and ends when it is told to. */
#include "support.h"

#include <stdlib.h>

#include "heap/each.h"

enum { BLOCKS = 6000, SIZE = 40, OTHER = 200, FREED_FROM = 1000, FREED_TO = 5000 };

typedef struct visit {
    const void **met;
    size_t count, most;
} visit;

static bool note(void *context, const void *block)
{
    visit *v = context;
    REQUIRE(v->count < 4 * BLOCKS);
    v->met[v->count++] = block;
    return v->count < v->most;
}

static int order(const void *a, const void *b)
{
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    return (left > right) - (left < right);
}

static void each_is_met_once(void **state)
{
    (void)state;
    static const void *met[4 * BLOCKS];
    static char *blocks[BLOCKS];
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8, .profile = "speed"});
    for (size_t i = 0; i < BLOCKS; i++) {
        assert_non_null(blocks[i] = hak_heap_alloc(heap, SIZE));
        assert_non_null(hak_heap_alloc(heap, i % 50 ? OTHER : 20 * KIB));
    }
    for (size_t i = FREED_FROM; i < FREED_TO; i++) {
        hak_heap_free(heap, blocks[i]);
        blocks[i] = NULL;
    }
    hak_heap_trim(heap);
    visit all = {.met = met, .most = SIZE_MAX};
    assert_true(hak__heap_each_block(heap, SIZE, note, &all));
    qsort(met, all.count, sizeof *met, order);
    for (size_t i = 1; i < all.count; i++) assert_true(met[i - 1] < met[i]);
    size_t live = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        if (!blocks[i]) continue;
        live++;
        const void *block = blocks[i];
        assert_non_null(bsearch(&block, met, all.count, sizeof *met, order));
    }
    /* Beside them free ones whose page has not been given back, and larger ones in the nest. */
    REQUIRE_THAT(all.count <= live + BLOCKS / 4, "%zu of %zu", all.count, live);

    visit some = {.met = met, .most = BLOCKS / 4};
    assert_false(hak__heap_each_block(heap, SIZE, note, &some));
    assert_int_equal(some.count, BLOCKS / 4);
    some = (visit){.met = met, .most = 1};
    assert_false(hak__heap_each_block(heap, SIZE, note, &some));
    assert_int_equal(some.count, 1);
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_is_met_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
