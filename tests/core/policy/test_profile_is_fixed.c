/* A FAST build has one profile, fixed at compile time: every heap has it and does as it says; any
 * other is refused with ENOTSUP, whoever asks for it, and the environment's variables that would
 * change it are answered by one line each. What agrees with it is accepted. */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(name)   #name
#define EXPAND(name) TEXT(name)

#define MOST 64

static const char fixed[] = EXPAND(HAK_FAST_PROFILE);
static const char *const names[] = {
    "speed", "balanced", "lean", "custom", "MIXED_TINYV3_C7_SAFE", "MIXED_TINYV3_C7_BALANCED",
};

static bool is_fixed(const char *name)
{
    return strcmp(name, fixed) == 0 || (strcmp(fixed, "speed") == 0 && strstr(name, "_SAFE")) ||
           (strcmp(fixed, "balanced") == 0 && strstr(name, "_BALANCED"));
}

/* Checks that a call, which returned `accepted`, was refused for the build if it had to be. */
static void expect(bool accepted, bool wanted)
{
    assert_int_equal(accepted, wanted);
    if (!wanted) assert_int_equal(errno, ENOTSUP);
    errno = 0;
}

static void it_is_the_only_one(void **state)
{
    (void)state;
    assert_string_equal(hak_build(), "fast");
    assert_string_equal(hak_profile_names(), fixed);
    hak_heap *first = hak_heap_new(NULL);
    errno = 0;
    for (size_t i = 0; i < COUNT(names); i++) {
        char why[256] = "";
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = names[i]});
        expect(heap != NULL, is_fixed(names[i]));
        if (heap) assert_string_equal(hak_heap_profile(heap), fixed);
        hak_heap_destroy(heap);
        expect(hak_heap_set_profile(first, names[i]), is_fixed(names[i]));
        assert_string_equal(hak_heap_profile(first), fixed);
        expect(hak_profile_valid(names[i], why, sizeof why), is_fixed(names[i]));
        if (!is_fixed(names[i])) assert_non_null(strstr(why, "this build is fixed to "));
    }
    assert_false(hak_heap_set_profile(first, "quick"));
    assert_int_equal(errno, EINVAL);
    hak_heap_destroy(first);
}

/* "name=value" as the profile has it, or another value that the option can have. */
static void setting_of(const hak_option *option, bool another, char *text, size_t size)
{
    const char *value = option->value;
    if (another) {
        if (strcmp(option->name, "decommit") == 0) value = "OFF";
        else if (strcmp(option->type, "flag") == 0) value = "1";
        else if (strcmp(option->name, "wake") == 0) value = "7";
        else value = strcmp(option->type, "bytes") == 0 ? "8192" : "3";
    }
    snprintf(text, size, "%s=%s", option->name, value);
}

/* The others are the process's. */
static bool of_a_profile(const char *name)
{
    static const char *const others[] = {"prewarm", "os_stats", "trace"};
    for (size_t i = 0; i < COUNT(others); i++) {
        if (strcmp(name, others[i]) == 0) return false;
    }
    return true;
}

static void nothing_refines_it(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    hak_option options[MOST], after[MOST];
    size_t count = hak_options(heap, options, MOST), of_the_build = 0;
    for (size_t i = 0; i < count; i++) {
        char text[128], why[256] = "";
        if (!of_a_profile(options[i].name)) {
            assert_string_equal(options[i].origin, "default");
            continue;
        }
        assert_string_equal(options[i].origin, "build");
        of_the_build++;
        if (strcmp(options[i].name, "profile") == 0) continue;
        setting_of(&options[i], true, text, sizeof text);
        errno = 0;
        expect(hak_heap_configure(heap, text, why, sizeof why), false);
        assert_non_null(strstr(why, options[i].name));
        assert_non_null(strstr(why, "this build is fixed to "));
        expect(hak_heap_new(&(hak_heap_options){.settings = text}) != NULL, false);
        expect(hak_settings_valid(text, NULL, 0), false);
        /* (warm_pool and decay have no value that says nothing, and some set two things.) */
        static const char *const others[] = {"warm_pool", "decay", "wake", "retain_least"};
        size_t other = 0;
        while (other < COUNT(others) && strcmp(options[i].name, others[other]) != 0) other++;
        if (other < COUNT(others)) continue;
        setting_of(&options[i], false, text, sizeof text);
        expect(hak_heap_configure(heap, text, why, sizeof why), true);
    }
    assert_true(of_the_build > 8);
    assert_int_equal(hak_options(heap, after, MOST), count);
    for (size_t i = 0; i < count; i++) assert_string_equal(after[i].value, options[i].value);
    assert_string_equal(hak_heap_profile(heap), fixed);
    assert_false(hak_heap_configure(heap, "carve=1", NULL, 0));
    assert_int_equal(errno, EINVAL);
    hak_heap_destroy(heap);
}

static void it_does_as_the_profile_says(void **state)
{
    (void)state;
    enum { BLOCKS = 100000, SIZE = 1000 };
    hak_heap *heap = hak_heap_new(NULL);
    void **blocks = calloc(BLOCKS, sizeof *blocks);
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_heap_alloc(heap, SIZE);
        assert_non_null(blocks[i]);
        support_fill(blocks[i], SIZE, i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        assert_int_equal(support_intact(blocks[i], SIZE, i), SIZE);
        hak_heap_free(heap, blocks[i]);
    }
    free(blocks);
    support_check_stats(heap);
    support_check_live(heap, 0, 0);
    size_t retained = support_stats(heap).retained;
    if (strcmp(fixed, "speed") == 0) assert_true(retained >= 16 * MIB && retained <= 82 * MIB);
    else assert_true(retained <= 4 * MIB + BLOCKS / 100 * SIZE * 12);
    if (strcmp(fixed, "lean") == 0) assert_true(retained <= 256 * KIB + BLOCKS / 50 * SIZE);
    hak_heap_destroy(heap);
}

typedef struct variables {
    const char *name, *value;
} variables;

static void make_heaps(void *context)
{
    for (const variables *of = context; of->name; of++) setenv(of->name, of->value, 1);
    for (size_t i = 0; i < 3; i++) {
        hak_heap *heap = hak_heap_new(NULL);
        REQUIRE(heap && strcmp(hak_heap_profile(heap), fixed) == 0);
        REQUIRE(hak_heap_alloc(heap, 100));
    }
}

static void the_environment_is_told_once(void **state)
{
    (void)state;
    bool is_lean = strcmp(fixed, "lean") == 0;
    variables other[] = {
        {"HAKMEM_PROFILE", is_lean ? "speed" : "lean"}, {"HAKMEM_CARVE", "64k"}, {0}};
    support_child child = support_fork(make_heaps, other, 10);
    REQUIRE_THAT(child.signal == 0 && child.code == 0 && child.lines == 2, "%s", child.text);
    for (size_t i = 0; other[i].name; i++) assert_non_null(strstr(child.text, other[i].name));
    assert_non_null(strstr(child.text, "is ignored: the profile of this build is fixed to "));

    variables same[] = {{"HAKMEM_PROFILE", fixed}, {"HAKMEM_CARVE", "4k"}, {0}};
    child = support_fork(make_heaps, same, 10);
    REQUIRE_THAT(child.signal == 0 && child.code == 0 && child.lines == 0, "%s", child.text);

    variables unknown[] = {{"HAKMEM_PROFILE", "quick"}, {0}};
    child = support_fork(make_heaps, unknown, 10);
    REQUIRE_THAT(child.signal == 0 && child.code == 0 && child.lines == 1, "%s", child.text);
    assert_non_null(strstr(child.text, "accepted are"));
    assert_non_null(strstr(child.text, fixed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_environment_is_told_once), /* first: this process must not have read it */
        cmocka_unit_test(it_is_the_only_one),
        cmocka_unit_test(nothing_refines_it),
        cmocka_unit_test(it_does_as_the_profile_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
