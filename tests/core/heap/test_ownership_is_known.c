/* hak_owns and hak_heap_owns tell a heap's pointers from those of other heaps, of malloc, of the
 * stack and of nobody; and stop claiming large blocks once these are freed. hak_heap_usable_size is
 * 0 for NULL. */
#include "support.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "sizes.h"

static void a_heap_owns_its_blocks_to_the_last_byte(void **state)
{
    (void)state;
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        hak_heap *other = hak_heap_new(NULL);
        for (size_t i = 0; i < SIZES; i++) {
            const char *block = hak_heap_alloc(heap, sizes[i]);
            size_t usable = hak_heap_usable_size(heap, block);
            for (size_t at = 0; at < usable; at = at * 2 + 1) {
                assert_true(hak_owns(block + at));
                assert_true(hak_heap_owns(heap, block + at));
                assert_false(hak_heap_owns(other, block + at));
            }
            assert_true(hak_owns(block + usable - 1));
            assert_true(hak_heap_owns(heap, block + usable - 1));
            assert_false(hak_heap_owns(other, block + usable - 1));
        }
        hak_heap_destroy(heap);
        hak_heap_destroy(other);
    }
}

static void nobody_owns_foreign_pointers(void **state)
{
    (void)state;
    static int of_the_program;
    int on_the_stack;
    void *of_malloc = malloc(100), *large_of_malloc = malloc(10 * MIB);
    void *mapping = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hak_heap *heap = hak_heap_new(NULL);
    hak_heap_free(heap, hak_heap_alloc(heap, 10));
    const void *foreign[] = {NULL,
                             (void *)1,
                             (void *)UINTPTR_MAX,
                             (void *)(UINTPTR_MAX / 2),
                             &on_the_stack,
                             &of_the_program,
                             (void *)(uintptr_t)nobody_owns_foreign_pointers,
                             of_malloc,
                             large_of_malloc,
                             mapping,
                             heap};
    for (size_t i = 0; i < COUNT(foreign); i++) {
        assert_false(hak_owns(foreign[i]));
        assert_false(hak_heap_owns(heap, foreign[i]));
    }
    hak_heap_destroy(heap);
    munmap(mapping, PAGE);
    free(of_malloc);
    free(large_of_malloc);
}

/* At every page of the address space around a heap's blocks: what was never handed out. */
static void nobody_owns_what_was_never_handed_out(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    char *block = hak_heap_alloc(heap, 100);
    char *huge = hak_heap_alloc(heap, 5 * MIB);
    for (size_t away = 128 * MIB; away < 16 * GIB; away += 127 * MIB) {
        assert_false(hak_owns(block + away));
        assert_false(hak_heap_owns(heap, block + away));
        assert_false(hak_owns(huge + away));
        assert_false(hak_heap_owns(heap, huge + away));
        assert_false(hak_owns(huge - away));
    }
    hak_heap_destroy(heap);
}

static void freed_large_blocks_are_owned_no_more(void **state)
{
    (void)state;
    static const char *const profiles[] = {"speed", "lean"};
    for (size_t p = 0; p < COUNT(profiles); p++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = profiles[p]});
        void *stays = hak_heap_alloc(heap, 20000);
        for (size_t i = 0; i < SIZES; i++) {
            if (sizes[i] <= 16384) continue;
            char *block = hak_heap_alloc(heap, sizes[i]);
            hak_heap_free(heap, block);
            for (size_t at = 0; at < sizes[i]; at = at * 2 + 1) {
                assert_false(hak_owns(block + at));
                assert_false(hak_heap_owns(heap, block + at));
            }
            hak_heap_trim(heap);
            assert_false(hak_owns(block));
            assert_false(hak_heap_owns(heap, block));
        }
        assert_true(hak_owns(stays));
        hak_heap_destroy(heap);
        assert_false(hak_owns(stays));
    }
}

/* The part that a block gave up by shrinking, and the place it moved away from. */
static void what_a_resized_block_left_is_owned_no_more(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    char *block = hak_heap_alloc(heap, 40 * MIB);
    assert_ptr_equal(hak_heap_realloc(heap, block, 9 * MIB), block);
    assert_true(hak_owns(block + 9 * MIB - 1));
    assert_false(hak_owns(block + 12 * MIB));
    assert_false(hak_owns(block + 40 * MIB - 1));

    char *in_the_way = hak_heap_alloc(heap, 3 * MIB);
    for (size_t size = 16 * MIB; size <= 512 * MIB; size *= 2) {
        char *moved = hak_heap_realloc(heap, block, size);
        assert_non_null(moved);
        if (moved != block) {
            assert_false(hak_owns(block));
            assert_false(hak_heap_owns(heap, block + 8 * MIB));
        }
        assert_true(hak_owns(moved + size - 1));
        block = moved;
    }
    assert_true(hak_owns(in_the_way));
    hak_heap_destroy(heap);
}

static void destroyed_heaps_own_nothing(void **state)
{
    (void)state;
    static const char *const profiles[] = {"speed", "lean"};
    for (size_t p = 0; p < COUNT(profiles); p++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = profiles[p]});
        void *blocks[SIZES];
        for (size_t i = 0; i < SIZES; i++) blocks[i] = hak_heap_alloc(heap, sizes[i]);
        hak_heap_destroy(heap);
        for (size_t i = 0; i < SIZES; i++) assert_false(hak_owns(blocks[i]));
        hak_heap *other = hak_heap_new(NULL);
        for (size_t i = 0; i < SIZES; i++) assert_false(hak_heap_owns(other, blocks[i]));
        hak_heap_destroy(other);
    }
}

static void only_its_heap_knows_the_callers_memory(void **state)
{
    (void)state;
    void *memory = malloc(MIB);
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = MIB});
    hak_heap *other = hak_heap_new(NULL);
    for (size_t i = 0; i < SIZES && sizes[i] < 100000; i++) {
        char *block = hak_heap_alloc(heap, sizes[i]);
        assert_false(hak_owns(block));
        assert_true(hak_heap_owns(heap, block));
        assert_true(hak_heap_owns(heap, block + hak_heap_usable_size(heap, block) - 1));
        assert_false(hak_heap_owns(other, block));
        hak_heap_free(heap, block);
        if (sizes[i] > 16384) assert_false(hak_heap_owns(heap, block));
    }
    assert_false(hak_heap_owns(heap, (char *)memory - 1));
    assert_false(hak_heap_owns(heap, (char *)memory + MIB));
    assert_false(hak_heap_owns(heap, NULL));
    void *elsewhere = hak_heap_alloc(other, 10);
    assert_false(hak_heap_owns(heap, elsewhere));
    hak_heap_destroy(heap);
    hak_heap_destroy(other);
    free(memory);
}

static void ask_without_heaps(void *context)
{
    REQUIRE(!hak_owns(context));
    REQUIRE(!hak_owns(NULL));
    static char memory[64 * 1024];
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = sizeof memory});
    REQUIRE(heap);
    REQUIRE(!hak_owns(hak_heap_alloc(heap, 10)));
}

static void nothing_is_owned_before_the_first_heap(void **state)
{
    (void)state;
    int here;
    support_in_child(ask_without_heaps, &here, 10);
}

static void null_has_no_size(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    assert_int_equal(hak_heap_usable_size(heap, NULL), 0);
    hak_heap_free(heap, NULL);
    hak_heap_destroy(heap);
    hak_heap_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_owned_before_the_first_heap), /* must be the first */
        cmocka_unit_test(a_heap_owns_its_blocks_to_the_last_byte),
        cmocka_unit_test(nobody_owns_foreign_pointers),
        cmocka_unit_test(nobody_owns_what_was_never_handed_out),
        cmocka_unit_test(freed_large_blocks_are_owned_no_more),
        cmocka_unit_test(what_a_resized_block_left_is_owned_no_more),
        cmocka_unit_test(destroyed_heaps_own_nothing),
        cmocka_unit_test(only_its_heap_knows_the_callers_memory),
        cmocka_unit_test(null_has_no_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
