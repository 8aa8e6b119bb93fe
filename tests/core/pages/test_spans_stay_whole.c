/* A span that is freed stays whole for the next one of its length. Its units are there for whatever
 * else wants them before the footprint grows, and its pages go back when pages do. */
#include "heap/blocks.h"
#include "support.h"

#define UNIT   ((size_t)1 << HAK_UNIT_SHIFT)
#define BLOCKS 8

static hak_heap *heap;
static void *blocks[BLOCKS];
static size_t each; /* bytes of a block */

static size_t peak(void)
{
    return support_stats(heap).footprint_peak;
}

/* Blocks of `units` units side by side, and one behind them, so that they lie in the middle. */
static void make_blocks(size_t units)
{
    heap = support_fresh_heap(support_profile("speed"));
    each = units * UNIT;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_heap_alloc(heap, each);
        assert_non_null(blocks[i]);
        support_fill(blocks[i], each, i);
    }
    assert_non_null(hak_heap_alloc(heap, each));
}

/* Frees them; returns the peak before. */
static size_t free_all(void)
{
    size_t before = peak();
    for (size_t i = 0; i < BLOCKS; i++) {
        assert_int_equal(support_intact(blocks[i], each, i), each);
        hak_heap_free(heap, blocks[i]);
    }
    support_check_live(heap, 1, each);
    return before;
}

static void it_is_used_as_it_was(void **state)
{
    (void)state;
    make_blocks(3);
    size_t footprint = support_stats(heap).footprint;
    for (size_t i = 0; i < BLOCKS; i++) {
        hak_heap_free(heap, blocks[i]);
        support_check_live(heap, BLOCKS, BLOCKS * each);
        assert_int_equal(support_stats(heap).retained, each);
        void *again = hak_heap_alloc(heap, each - PAGE);
        assert_ptr_equal(again, blocks[i]);
        assert_int_equal(support_stats(heap).retained, PAGE);
        hak_heap_free(heap, again);
        assert_ptr_equal(hak_heap_alloc(heap, each), blocks[i]);
        assert_int_equal(support_stats(heap).retained, 0);
        assert_int_equal(support_stats(heap).footprint, footprint);
    }
    hak_heap_destroy(heap);
}

static void it_is_zeroed(void **state)
{
    (void)state;
    make_blocks(2);
    hak_heap_free(heap, blocks[3]);
    void *again = hak_heap_zalloc(heap, 1, each);
    assert_ptr_equal(again, blocks[3]);
    assert_int_equal(support_zeros(again, each), each);
    hak_heap_destroy(heap);
}

static void longer_blocks_take_several(void **state)
{
    (void)state;
    make_blocks(1);
    size_t before = free_all();
    assert_non_null(hak_heap_alloc(heap, BLOCKS * each));
    assert_int_equal(peak(), before);
    hak_heap_destroy(heap);
}

static void slabs_take_their_units(void **state)
{
    (void)state;
    make_blocks(2);
    size_t before = free_all();
    for (size_t bytes = 0; bytes < each * BLOCKS * 3 / 4; bytes += 500) {
        assert_non_null(hak_heap_alloc(heap, 500));
    }
    assert_true(peak() <= before + UNIT);
    hak_heap_destroy(heap);
}

/* A call may have to free all of them. */
static void few_do(void **state)
{
    (void)state;
    enum { MANY = 1000, MOST = 64 };
    static void *many[MANY];
    heap = support_fresh_heap(support_profile("speed"));
    for (size_t i = 0; i < MANY; i++) assert_non_null(many[i] = hak_heap_alloc(heap, 20 * KIB));
    for (size_t i = 0; i < MANY; i++) hak_heap_free(heap, many[i]);
    size_t whole = 0;
    for (hak_superslab *super = heap->pages.supers->owned; super; super = super->next_owned) {
        for (size_t i = 0; i < super->units; i++)
            whole += hak__superslab_slabs(super)[i].state == HAK_SPAN_SHELVED;
    }
    assert_in_range(whole, 1, MOST);
    hak_heap_destroy(heap);
}

static void blocks_grow_into_them(void **state)
{
    (void)state;
    make_blocks(2);
    char *below = blocks[0];
    for (size_t i = 0; i < BLOCKS; i++) {
        if ((char *)blocks[i] == below + each) hak_heap_free(heap, blocks[i]);
    }
    assert_ptr_equal(hak_heap_realloc(heap, below, 2 * each), below);
    assert_int_equal(support_intact(below, each, 0), each);
    support_check_live(heap, BLOCKS, BLOCKS * each + each);
    hak_heap_destroy(heap);
}

/* What lies behind the last superslab of the region has no records. */
static void at_the_end_of_a_superslab_they_grow_elsewhere(void **state)
{
    (void)state;
    enum { UNITS = 4, SUPERSLABS = 40 }; /* more than records are mapped for at a time */
    size_t ends = 0;
    heap = support_fresh_heap(support_profile("speed"));
    while (ends < SUPERSLABS) {
        char *block = hak_heap_alloc(heap, UNITS * UNIT);
        assert_non_null(block);
        if (((uintptr_t)block + UNITS * UNIT) % HAK_SUPERSLAB_SIZE != 0) continue;
        support_fill_pages(block, UNITS * UNIT, ends);
        block = hak_heap_realloc(heap, block, (UNITS + 1) * UNIT);
        assert_non_null(block);
        assert_int_equal(support_intact_pages(block, UNITS * UNIT, ends), UNITS * UNIT);
        assert_non_null(hak_heap_alloc(heap, UNITS * UNIT)); /* where it was */
        ends++;
    }
    hak_heap_destroy(heap);
}

static void their_pages_go_back(void **state)
{
    (void)state;
    make_blocks(4);
    free_all();
    assert_true(support_stats(heap).retained >= BLOCKS * each);
    assert_true(hak_heap_trim(heap) >= BLOCKS * each);
    assert_int_equal(support_stats(heap).retained, 0);
    void *again = hak_heap_zalloc(heap, 1, each);
    assert_int_equal(support_zeros(again, each), each);
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

static void a_limit_is_kept(void **state)
{
    (void)state;
    make_blocks(4);
    size_t in_use = support_stats(heap).footprint;
    hak_heap_free(heap, blocks[2]);
    assert_true(hak_heap_set_limit(heap, in_use));
    assert_non_null(hak_heap_alloc(heap, 3 * UNIT));
    assert_true(support_stats(heap).footprint <= in_use);
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_used_as_it_was),
        cmocka_unit_test(it_is_zeroed),
        cmocka_unit_test(longer_blocks_take_several),
        cmocka_unit_test(slabs_take_their_units),
        cmocka_unit_test(few_do),
        cmocka_unit_test(blocks_grow_into_them),
        cmocka_unit_test(at_the_end_of_a_superslab_they_grow_elsewhere),
        cmocka_unit_test(their_pages_go_back),
        cmocka_unit_test(a_limit_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
