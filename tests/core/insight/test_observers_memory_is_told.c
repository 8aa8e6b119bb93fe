/* An observer tells all the memory that it takes, and leaves none of it when its heap goes. Built
 * with HAK_OBSERVE. */
#include "support.h"

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
        cmocka_unit_test(the_memory_of_an_observer_is_told),
        cmocka_unit_test(nothing_stays_of_an_observer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
