/* Blocks of the allocator before go on under hak_lua_alloc: they keep their contents, move into the
 * heap when they grow, within its limit, and are freed by the allocator that they are from. */
#include "trial.h"

static void blocks_of_the_allocator_before_are_freed_by_it(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        counted before = {.refuse_after = -1};
        lua_State *L = new_state(counted_alloc, &before);
        if (!L) skip(); /* LuaJIT without GC64 */
        hak_heap_options options = {.limit = seed == 3 ? 2 * MIB : 0};
        hak_heap *heap = hak_lua_install(L, &options);
        assert_non_null(heap);
        size_t live = before.live, bytes = before.bytes;
        random_state = seed * 31337;
        run_trial(&(trial){.heap = heap,
                           .slots = 1000,
                           .operations = 60000,
                           .largest = 4 * MIB,
                           .may_fail = options.limit != 0,
                           .before = &before});
        assert_int_equal(before.live, live);
        assert_int_equal(before.bytes, bytes);
        lua_close(L);
        assert_int_equal(before.live, 0);
    }
}

static void growing_a_block_from_before_moves_it_into_the_heap(void **unused)
{
    (void)unused;
    counted before = {.refuse_after = -1};
    lua_State *L = new_state(counted_alloc, &before);
    if (!L) skip();
    hak_heap *heap = hak_lua_install(L, NULL);
    for (size_t size = 1; size <= 512 * KIB; size = size * 2 + 3) {
        block b = {counted_alloc(&before, NULL, 0, size), size, (uint32_t)size};
        fill(&b);
        size_t live = before.live;
        b.p = hak_lua_alloc(heap, b.p, size, size * 2);
        assert_non_null(b.p);
        check(&b, size, size);
        assert_true(hak_heap_owns(heap, b.p));
        assert_int_equal(before.live, live - 1);
        hak_lua_alloc(heap, b.p, size * 2, 0);
    }
    lua_close(L);
}

static void a_block_from_before_grows_within_the_limit_and_shrinks_at_it(void **unused)
{
    (void)unused;
    counted before = {.refuse_after = -1};
    lua_State *L = new_state(counted_alloc, &before);
    if (!L) skip();
    hak_heap *heap = hak_lua_install(L, &(hak_heap_options){.limit = MIB});
    assert_non_null(heap);
    while (hak_lua_alloc(heap, NULL, 0, 1000)) continue;
    block b = {counted_alloc(&before, NULL, 0, 64 * KIB), 64 * KIB, 7};
    fill(&b);
    size_t bytes = before.bytes;
    assert_null(hak_lua_alloc(heap, b.p, b.size, 512 * KIB));
    check(&b, b.size, b.size);
    assert_int_equal(before.bytes, bytes);
    b.p = hak_lua_alloc(heap, b.p, b.size, 5 * KIB);
    assert_non_null(b.p);
    check(&b, 5 * KIB, 64 * KIB);
    hak_lua_alloc(heap, b.p, 5 * KIB, 0);
    /* However large. */
    for (size_t size = MIB; size <= MIB + KIB; size += KIB) {
        b = (block){counted_alloc(&before, NULL, 0, size), size, 8};
        fill(&b);
        assert_null(hak_lua_alloc(heap, b.p, size, 2 * size));
        check(&b, size, size);
        assert_false(hak_heap_owns(heap, b.p));
        hak_lua_alloc(heap, b.p, b.size, 0);
    }
    lua_close(L);
    assert_int_equal(before.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_the_allocator_before_are_freed_by_it),
        cmocka_unit_test(growing_a_block_from_before_moves_it_into_the_heap),
        cmocka_unit_test(a_block_from_before_grows_within_the_limit_and_shrinks_at_it),
    };
    return cmocka_run_group_tests_name("blocks from before", tests, NULL, NULL);
}
