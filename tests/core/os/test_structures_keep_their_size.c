/* A program runs with each shared library that has the number of the header it was compiled with
 * (HAK_ABI): so the sizes of public structures are those that the number stands for. Where one has
 * to change, the number does, and this table with both. */
#include "support.h"

_Static_assert(HAK_ABI == 0, "the sizes below are those of number 0");

static const struct {
    const char *name;
    size_t size, promised;
} structures[] = {
    {"hak_heap_options", sizeof(hak_heap_options), 56},
    {"hak_option", sizeof(hak_option), 168},
    {"hak_os_calls", sizeof(hak_os_calls), 48},
    {"hak_class_stats", sizeof(hak_class_stats), 40},
    {"hak_kind_stats", sizeof(hak_kind_stats), 24},
    {"hak_stats", sizeof(hak_stats), 4248},
    {"hak_process_stats", sizeof(hak_process_stats), 184},
    {"hak_stats_field", sizeof(hak_stats_field), 32},
    {"hak_class_observations", sizeof(hak_class_observations), 608},
    {"hak_range", sizeof(hak_range), 24},
    {"hak_observations", sizeof(hak_observations), 67264},
};

static void sizes_are_those_of_the_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(structures); i++) {
        REQUIRE_THAT(structures[i].size == structures[i].promised, "%s has %zu bytes, not %zu",
                     structures[i].name, structures[i].size, structures[i].promised);
    }
    REQUIRE(HAK_CLASS_STATS_MAX == 96 && HAK_KINDS_MAX == 8);
    REQUIRE(HAK_POWERS == 65 && HAK_SIZE_RANGES_MAX == 320);
}

/* What a program finds where it was compiled to look. */
static void last_fields_are_where_they_were(void **state)
{
    (void)state;
    REQUIRE(offsetof(hak_heap_options, memory_size) == 48);
    REQUIRE(offsetof(hak_option, value) == 136);
    REQUIRE(offsetof(hak_class_stats, fragmentation) == 32);
    REQUIRE(offsetof(hak_stats, limit_left) == 96 && offsetof(hak_stats, os) == 152);
    REQUIRE(offsetof(hak_stats, kind_stats) == sizeof(hak_stats) - 8 * sizeof(hak_kind_stats));
    REQUIRE(offsetof(hak_process_stats, os) == 17 * sizeof(size_t));
    REQUIRE(offsetof(hak_observations, memory) == 19 * sizeof(size_t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_the_number),
        cmocka_unit_test(last_fields_are_where_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
