/* Options are taken as given or refused with EINVAL, never guessed; names, profiles, versions and
 * the list of statistics are what the header says. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const profiles[] = {"speed", "balanced", "lean", "custom"};

static void expect_einval(const hak_heap_options *options)
{
    errno = 0;
    assert_null(hak_heap_new(options));
    assert_int_equal(errno, EINVAL);
}

static void defaults_are_as_documented(void **state)
{
    (void)state;
    unsetenv("HAKMEM_PROFILE");
    hak_heap *heaps[] = {hak_heap_new(NULL), hak_heap_new(&(hak_heap_options){0})};
    for (size_t i = 0; i < COUNT(heaps); i++) {
        assert_non_null(heaps[i]);
        assert_string_equal(hak_heap_name(heaps[i]), "heap");
        assert_string_equal(hak_heap_profile(heaps[i]), "balanced");
        assert_int_equal(hak_heap_limit(heaps[i]), 0);
        assert_int_equal(hak_heap_grace_used(heaps[i]), 0);
        support_check_live(heaps[i], 0, 0);
        support_check_stats(heaps[i]);
        hak_heap_destroy(heaps[i]);
    }
}

static void only_granularities_8_and_16_are_taken(void **state)
{
    (void)state;
    static const size_t bad[] = {1, 2, 4, 7, 9, 12, 15, 17, 24, 32, 64, 4096, SIZE_MAX};
    for (size_t i = 0; i < COUNT(bad); i++) {
        expect_einval(&(hak_heap_options){.granularity = bad[i]});
    }
    for (size_t granularity = 8; granularity <= 16; granularity += 8) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = granularity});
        assert_non_null(heap);
        void *block = hak_heap_alloc(heap, 1);
        assert_int_equal(hak_heap_usable_size(heap, block), granularity);
        hak_heap_destroy(heap);
    }
}

static void only_listed_profiles_are_taken(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "fast",   "Speed", "speed ",  " speed",
                                      "spee", "speeds", "lean,", "default", "speed, balanced"};
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "balanced"});
    for (size_t i = 0; i < COUNT(bad); i++) {
        expect_einval(&(hak_heap_options){.profile = bad[i]});
        errno = 0;
        assert_false(hak_heap_set_profile(heap, bad[i]));
        assert_int_equal(errno, EINVAL);
        assert_string_equal(hak_heap_profile(heap), "balanced");
    }
    errno = 0;
    assert_false(hak_heap_set_profile(heap, NULL));
    assert_int_equal(errno, EINVAL);
    assert_string_equal(hak_heap_profile(heap), "balanced");

    for (size_t i = 0; i < COUNT(profiles); i++) {
        char name[16];
        strcpy(name, profiles[i]);
        hak_heap *other = hak_heap_new(&(hak_heap_options){.profile = name});
        assert_non_null(other);
        assert_true(hak_heap_set_profile(heap, name));
        memset(name, 0, sizeof name); /* the options are not kept */
        assert_string_equal(hak_heap_profile(other), profiles[i]);
        assert_string_equal(hak_heap_profile(heap), profiles[i]);
        hak_heap_destroy(other);
    }
    hak_heap_destroy(heap);
}

static void the_profile_names_are_listed(void **state)
{
    (void)state;
    char list[100] = "";
    for (size_t i = 0; i < COUNT(profiles); i++) {
        if (i) strcat(list, ", ");
        strcat(list, profiles[i]);
    }
    assert_string_equal(hak_profile_names(), list);
}

static void names_are_copied_to_31_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "a",
        "exactly thirty-one bytes long ..",
        "0123456789012345678901234567890",
        "01234567890123456789012345678901",
        "a name that goes on and on, far beyond what is kept of it"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char name[100], kept[32] = "";
        strcpy(name, names[i]);
        strncpy(kept, names[i], 31);
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.name = name});
        memset(name, 'x', sizeof name - 1);
        assert_string_equal(hak_heap_name(heap), kept);
        hak_heap_destroy(heap);
    }
}

static void too_little_memory_is_refused(void **state)
{
    (void)state;
    char *memory = malloc(HAK_MEMORY_MIN + 4096);
    for (size_t size = 0; size < HAK_MEMORY_MIN; size = size * 2 + 1) {
        expect_einval(&(hak_heap_options){.memory = memory, .memory_size = size});
    }
    expect_einval(&(hak_heap_options){.memory = memory, .memory_size = HAK_MEMORY_MIN - 1});
    expect_einval(&(hak_heap_options){.memory_size = HAK_MEMORY_MIN});
    for (size_t offset = 0; offset < 4096; offset += 1 + offset / 3) {
        hak_heap *heap = hak_heap_new(
            &(hak_heap_options){.memory = memory + offset, .memory_size = HAK_MEMORY_MIN});
        assert_non_null(heap);
        assert_non_null(hak_heap_alloc(heap, 1000));
        hak_heap_destroy(heap);
    }
    free(memory);
}

static void the_version_is_that_of_the_header(void **state)
{
    (void)state;
    assert_string_equal(hak_version(), HAK_VERSION);
}

/* As the flags that this test is compiled with too say. */
static void the_build_is_told(void **state)
{
    (void)state;
#if defined(HAK_OBSERVE)
    assert_string_equal(hak_build(), "observe");
#elif defined(HAK_DEBUG)
    assert_string_equal(hak_build(), "debug");
#else
    assert_string_equal(hak_build(), "standard");
#endif
}

static void a_profile_is_valid_or_the_message_lists_those_that_are(void **state)
{
    (void)state;
    char why[128] = "unchanged";
    for (size_t i = 0; i < COUNT(profiles); i++) {
        assert_true(hak_profile_valid(profiles[i], why, sizeof why));
        assert_string_equal(why, "unchanged");
    }
    static const char *const bad[] = {"quick", "", NULL};
    for (size_t i = 0; i < COUNT(bad); i++) {
        errno = 0;
        assert_false(hak_profile_valid(bad[i], why, sizeof why));
        assert_int_equal(errno, EINVAL);
        assert_non_null(strstr(why, hak_profile_names()));
        assert_false(hak_profile_valid(bad[i], NULL, 0));
    }
}

/* The list covers every number of hak_stats but those of the OS and of the classes. */
static void the_statistics_are_listed(void **state)
{
    (void)state;
    static const char *const units[] = {"bytes", "blocks", "superslabs", "events"};
    size_t count = 0;
    const hak_stats_field *fields = hak_stats_fields(&count);
    assert_non_null(fields);
    assert_int_equal(count, offsetof(hak_stats, fragmentation) / sizeof(size_t));
    bool seen[offsetof(hak_stats, fragmentation) / sizeof(size_t)] = {0};
    for (size_t i = 0; i < count; i++) {
        assert_true(fields[i].name && *fields[i].name);
        assert_true(fields[i].help && *fields[i].help && !strchr(fields[i].help, '\n'));
        bool known = false;
        for (size_t j = 0; j < COUNT(units); j++) known |= strcmp(fields[i].unit, units[j]) == 0;
        assert_true(known);
        assert_int_equal(fields[i].offset % sizeof(size_t), 0);
        assert_true(fields[i].offset < offsetof(hak_stats, fragmentation));
        assert_false(seen[fields[i].offset / sizeof(size_t)]);
        seen[fields[i].offset / sizeof(size_t)] = true;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_documented),
        cmocka_unit_test(only_granularities_8_and_16_are_taken),
        cmocka_unit_test(only_listed_profiles_are_taken),
        cmocka_unit_test(the_profile_names_are_listed),
        cmocka_unit_test(names_are_copied_to_31_bytes),
        cmocka_unit_test(too_little_memory_is_refused),
        cmocka_unit_test(the_version_is_that_of_the_header),
        cmocka_unit_test(the_build_is_told),
        cmocka_unit_test(a_profile_is_valid_or_the_message_lists_those_that_are),
        cmocka_unit_test(the_statistics_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
