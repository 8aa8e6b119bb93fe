/* A pointer that cannot be freed ends the process by abort() after one line on stderr, "hakmem: …",
 * rather than corrupting memory: foreign pointers, interior pointers of spans and huge blocks, and
 * double frees of these in every build; those of small blocks in the debug build, which pays for
 * looking. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "heap/slab.h"
#include "sizes.h"

/* The heap every case misuses, and another. */
static hak_heap *heap, *other;

static void check_died_for(void (*body)(void *), void *context, const char *pointer)
{
    support_child child = support_fork(body, context, 20);
    REQUIRE_THAT(child.signal == SIGABRT, "signal %d, code %d: %s", child.signal, child.code,
                 child.text);
    REQUIRE_THAT(child.lines == 1 && strncmp(child.text, "hakmem: ", 8) == 0, "it says %s",
                 child.text);
    size_t length = strlen(child.text);
    REQUIRE_THAT(length > 30 && child.text[length - 1] == '\n', "it says %s", child.text);
    REQUIRE_THAT(strstr(child.text, pointer), "it does not say %s: %s", pointer, child.text);
}

/* `body` misuses `block`, and the line says so. */
static void check_died(void (*body)(void *), void *block)
{
    char pointer[32];
    snprintf(pointer, sizeof pointer, "0x%016zx: ", (size_t)block);
    check_died_for(body, block, pointer);
}

static int setup(void **state)
{
    (void)state;
    heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    other = hak_heap_new(NULL);
    if (!heap || !other) return -1;
    /* Something of everything alive, so that superslabs, slabs and lists stay. */
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t j = 0; j < 3; j++) {
            if (!hak_heap_alloc(heap, sizes[i]) || !hak_heap_alloc(other, sizes[i])) return -1;
        }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hak_heap_destroy(heap);
    hak_heap_destroy(other);
    return 0;
}

static void free_it(void *block)
{
    hak_heap_free(heap, block);
}

static void realloc_it(void *block)
{
    if (hak_heap_realloc(heap, block, 300)) abort();
}

static void ask_its_size(void *block)
{
    if (hak_heap_usable_size(heap, block)) return;
}

static void foreign_pointers_are_reported(void **state)
{
    (void)state;
    static char of_the_program[100];
    char on_the_stack[100];
    char *of_malloc = malloc(100), *large_of_malloc = malloc(50 * MIB);
    void *mapping = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *const foreign[] = {on_the_stack,    of_the_program, of_malloc, of_malloc + 16,
                             large_of_malloc, mapping,        (void *)8, (void *)(UINTPTR_MAX - 7)};
    for (size_t i = 0; i < COUNT(foreign); i++) {
        check_died(free_it, foreign[i]);
        check_died(realloc_it, foreign[i]);
        check_died(ask_its_size, foreign[i]);
    }
    munmap(mapping, PAGE);
    free(of_malloc);
    free(large_of_malloc);
}

static const size_t large[] = {16385,       65536,       65537,   300000,
                               2 * MIB - 1, 2 * MIB + 1, 5 * MIB, 20 * MIB};

static void interior_pointers_of_large_blocks_are_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(large); i++) {
        char *block = hak_heap_alloc(heap, large[i]);
        assert_non_null(block);
        for (size_t at = 8; at < large[i]; at = at * 7 + 8) check_died(free_it, block + at);
        check_died(free_it, block + 64 * KIB * ((large[i] - 8) / (64 * KIB)) + 8);
        hak_heap_free(heap, block);
    }
}

static void free_it_twice(void *block)
{
    hak_heap_free(heap, block);
    hak_heap_free(heap, block);
}

static void free_trim_and_free(void *block)
{
    hak_heap_free(heap, block);
    hak_heap_trim(heap);
    hak_heap_free(heap, block);
}

static void free_it_twice_when_lean(void *block)
{
    if (!hak_heap_set_profile(heap, "lean")) return;
    free_it_twice(block);
}

static void double_frees_of_large_blocks_are_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(large); i++) {
        void *block = hak_heap_alloc(heap, large[i]);
        assert_non_null(block);
        check_died(free_it_twice, block);
        check_died(free_trim_and_free, block);
        check_died(free_it_twice_when_lean, block);
        hak_heap_free(heap, block);
    }
}

static void blocks_of_another_heap_are_reported_where_they_can_be_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(large); i++) {
        void *block = hak_heap_alloc(other, large[i]);
        assert_non_null(block);
        /* Beyond what this heap has ever held, or huge: known in every build. */
        if (large[i] > 2 * MIB) check_died(free_it, block);
        hak_heap_free(other, block);
    }
}

/* ------------------------------------------------------------------ on the caller's memory */

static void misuse_on_the_callers_memory_is_reported(void **state)
{
    (void)state;
    void *memory = malloc(4 * MIB);
    hak_heap *usual = heap;
    heap = hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = 4 * MIB});
    assert_non_null(heap);
    char on_the_stack[100];
    char *span = hak_heap_alloc(heap, 200000), *small = NULL;
    for (size_t i = 0; i < 2000; i++) small = hak_heap_alloc(heap, 100); /* the last is in a slab */
    assert_true(span && small);
    check_died(free_it, on_the_stack);
    check_died(free_it, (char *)memory - 16);
    check_died(free_it, (char *)memory + 4 * MIB);
    check_died(free_it, span + 16);
    check_died(free_it, span + 150000);
    check_died(free_it_twice, span);
    check_died(free_it, hak_heap_alloc(other, 100));
    check_died(free_it, small + 16);
    if (support_debug) check_died(free_it_twice, small);
    hak_heap_destroy(heap);
    heap = usual;
    free(memory);
}

/* ------------------------------------------------------------------ only the debug build looks */

static void small_blocks(void (*each)(char *block, size_t size))
{
    for (size_t size = 1; size <= 16384; size = size * 2 + 7) {
        char *block = hak_heap_alloc(heap, size);
        assert_non_null(block);
        each(block, size);
        hak_heap_free(heap, block);
    }
}

static void check_double_free(char *block, size_t size)
{
    (void)size;
    check_died(free_it_twice, block);
    check_died(free_trim_and_free, block);
}

static void double_frees_of_small_blocks_are_reported(void **state)
{
    (void)state;
    if (!support_debug) skip();
    small_blocks(check_double_free);
}

/* Freed, then some others, then freed again: from slabs in all states. */
static void free_all_and_one_again(void *context)
{
    size_t size = *(size_t *)context;
    enum { MANY = 10000 };
    static void *blocks[MANY];
    for (size_t i = 0; i < MANY; i++) blocks[i] = hak_heap_alloc(heap, size);
    for (size_t i = 0; i < MANY; i += 2) hak_heap_free(heap, blocks[i]);
    hak_heap_free(heap, blocks[MANY / 3 & ~(size_t)1]);
}

static void late_double_frees_are_reported(void **state)
{
    (void)state;
    if (!support_debug) skip();
    for (size_t size = 8; size < 1024; size *= 3) {
        check_died_for(free_all_and_one_again, &size, "0x");
    }
}

static void check_interior(char *block, size_t size)
{
    size_t usable = hak_heap_usable_size(heap, block);
    for (size_t at = 1; at < usable; at = at * 3 + 1) check_died(free_it, block + at);
    if (size > 8) check_died(free_it, block + 8);
}

static void interior_pointers_of_small_blocks_are_reported(void **state)
{
    (void)state;
    if (!support_debug) skip();
    small_blocks(check_interior);
}

static void all_blocks_of_another_heap_are_reported(void **state)
{
    (void)state;
    if (!support_debug) skip();
    for (size_t i = 0; i < SIZES; i++) {
        void *block = hak_heap_alloc(other, sizes[i]);
        assert_non_null(block);
        check_died(free_it, block);
        check_died(realloc_it, block);
        hak_heap_free(other, block);
    }
}

/* In a release build too, where the record has to be looked at anyway. Here a slab of which one
 * page has been carved waits for its turn, and any free of it is an event. */
static char *waiting_slab(hak_heap *of, size_t size)
{
    enum { MANY = 40000 };
    static char *blocks[MANY];
    size_t n = 0;
    for (uintptr_t unit = 0, last = 0; n < 2000 || unit == last; n++) {
        REQUIRE(n < MANY);
        blocks[n] = hak_heap_alloc(of, size);
        last = unit;
        unit = (uintptr_t)blocks[n] >> HAK_UNIT_SHIFT;
    }
    char *slab = (char *)((uintptr_t)blocks[n - 1] >> HAK_UNIT_SHIFT << HAK_UNIT_SHIFT);
    /* Others have free blocks, which are used before the next page is carved. */
    for (size_t i = 1000; i < 1500; i++) hak_heap_free(of, blocks[i]);
    for (char *block = slab;
         (uintptr_t)block >> HAK_UNIT_SHIFT == (uintptr_t)slab >> HAK_UNIT_SHIFT;) {
        block = hak_heap_alloc(of, size);
    }
    return slab;
}

static void wild_pointers_are_reported_where_a_record_can_tell(void **state)
{
    (void)state;
    hak_heap *usual = heap;
    heap = hak_heap_new(NULL);
    char *slab = waiting_slab(heap, 512);
    size_t unit = (size_t)1 << HAK_UNIT_SHIFT;
    check_died(free_it, slab + unit - 512);
    check_died(free_it, slab + unit / 2);
    check_died(free_it, slab + 8);
    check_died(free_it, slab + 1000);
    check_died(ask_its_size, slab + unit - 512);
    check_died(realloc_it, slab + unit / 2);
    hak_heap_free(heap, slab + 512);
    hak_heap_destroy(heap);
    heap = usual;
}

/* In a slab, behind what has been carved; in a unit nobody uses; where no slab has ever been. */
static void addresses_never_handed_out_are_reported(void **state)
{
    (void)state;
    if (!support_debug) skip();
    hak_heap *usual = heap;
    heap = hak_heap_new(NULL);
    char *block = hak_heap_alloc(heap, 2000);
    size_t usable = hak_heap_usable_size(heap, block);
    char *slab = (char *)((uintptr_t)block & ~(uintptr_t)(64 * KIB - 1));
    check_died(free_it, block + 10 * usable);
    check_died(free_it, block + 20 * usable);
    check_died(free_it, slab + 63 * KIB);
    check_died(free_it, slab + 64 * KIB);
    check_died(free_it, slab + MIB);
    check_died(free_it, slab + 100 * MIB);
    check_died(free_it, slab + 10 * GIB);
    hak_heap_destroy(heap);
    heap = usual;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_pointers_are_reported),
        cmocka_unit_test(interior_pointers_of_large_blocks_are_reported),
        cmocka_unit_test(double_frees_of_large_blocks_are_reported),
        cmocka_unit_test(blocks_of_another_heap_are_reported_where_they_can_be_told),
        cmocka_unit_test(misuse_on_the_callers_memory_is_reported),
        cmocka_unit_test(double_frees_of_small_blocks_are_reported),
        cmocka_unit_test(late_double_frees_are_reported),
        cmocka_unit_test(interior_pointers_of_small_blocks_are_reported),
        cmocka_unit_test(all_blocks_of_another_heap_are_reported),
        cmocka_unit_test(addresses_never_handed_out_are_reported),
        cmocka_unit_test(wild_pointers_are_reported_where_a_record_can_tell),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
