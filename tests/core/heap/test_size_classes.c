/* Which class serves a size: the smallest whose blocks have as much, with little more than that. */
#include "heap/adapter.h"
#include "heap/blocks.h"
#include "support.h"

static void the_smallest_that_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < HAK_SPACINGS; i++) {
        const hak_spacing *spacing = &hak__spacings[i];
        size_t least = 8 * (size_t)spacing->granularity;
        for (size_t size = 0; size <= HAK_MEDIUM_MAX; size++) {
            unsigned index = hak__class_of(size, spacing);
            size_t block = hak__class_size(index, spacing);
            REQUIRE_THAT(index >= 1 && index < HAK_CLASSES, "%zu: %u", size, index);
            REQUIRE_THAT(block >= size && block % spacing->granularity == 0, "%zu: %zu", size,
                         block);
            if (index > 1) {
                size_t below = hak__class_size(index - 1, spacing);
                REQUIRE_THAT(below < size, "%zu: %zu", size, below);
                REQUIRE(hak__class_step(index, spacing) == block - below);
            }
            bool is_tight = size <= least
                                ? block - size <= spacing->granularity
                                : (block - size) * (i == HAK_SPACING_WORDS_MORE ? 5 : 9) < block;
            REQUIRE_THAT(is_tight, "%zu: %zu", size, block);
        }
        REQUIRE(hak__class_size(hak__class_of(HAK_MEDIUM_MAX, spacing), spacing) == HAK_MEDIUM_MAX);
    }
}

static void the_largest_within(void **state)
{
    (void)state;
    for (size_t i = 0; i < HAK_SPACINGS; i++) {
        const hak_spacing *spacing = &hak__spacings[i];
        for (size_t size = spacing->granularity; size <= HAK_MEDIUM_MAX; size++) {
            unsigned index = hak__class_within(size, spacing);
            REQUIRE_THAT(hak__class_size(index, spacing) <= size, "%zu", size);
            REQUIRE_THAT(size == HAK_MEDIUM_MAX || hak__class_size(index + 1, spacing) > size,
                         "%zu", size);
        }
    }
}

/* Arrays of a power of two and one more are not rounded up by an eighth. */
static void a_word_more_than_a_power_of_two(void **state)
{
    (void)state;
    static const hak_hints hints = {.clock_most = SIZE_MAX, .words_more = true};
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        REQUIRE(heap);
        hak__heap_suit(heap, &hints);
        for (size_t power = 128; power < HAK_MEDIUM_MAX; power *= 2) {
            void *block = hak_heap_alloc(heap, power + 8);
            size_t usable = hak_heap_usable_size(heap, block);
            REQUIRE_THAT(usable == power + (granularity == 8 ? 8 : power / 8), "%zu: %zu", power,
                         usable);
            void *larger = hak_heap_alloc(heap, power + 16);
            REQUIRE((uintptr_t)larger % 16 == 0);
            hak_heap_free(heap, block);
            hak_heap_free(heap, larger);
        }
        hak_heap_destroy(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_that_fits),
        cmocka_unit_test(the_largest_within),
        cmocka_unit_test(a_word_more_than_a_power_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
