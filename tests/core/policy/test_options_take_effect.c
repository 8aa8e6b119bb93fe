/* Options refine a heap's profile, from the environment and by the heap's own settings; each does
 * what it says, hak_options tells the value and where it came from, and what is not accepted is
 * refused with the accepted names and values, and changes nothing. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/options.h"

#define MOST 64

/* The option of that name as `heap` has it. */
static hak_option option_of(const hak_heap *heap, const char *name)
{
    hak_option options[MOST];
    size_t count = hak_options(heap, options, MOST);
    REQUIRE(count > 0 && count <= MOST);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].name, name) == 0) return options[i];
    }
    REQUIRE_THAT(false, "no option %s", name);
    return options[0];
}

static void expect(const hak_heap *heap, const char *name, const char *value, const char *origin)
{
    hak_option option = option_of(heap, name);
    REQUIRE_THAT(strcmp(option.value, value) == 0, "%s is %s, not %s", name, option.value, value);
    REQUIRE_THAT(strcmp(option.origin, origin) == 0, "%s is from %s, not %s", name, option.origin,
                 origin);
}

/* Bytes retained after so many were in use, in blocks of 1,000. */
static size_t retained_after(hak_heap *heap, size_t bytes)
{
    size_t count = bytes / 1000;
    void **blocks = calloc(count, sizeof *blocks);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = hak_heap_alloc(heap, 1000);
        REQUIRE(blocks[i]);
        *(char *)blocks[i] = 1;
    }
    for (size_t i = 0; i < count; i++) hak_heap_free(heap, blocks[i]);
    free(blocks);
    return support_stats(heap).retained;
}

/* ------------------------------------------------------------------ settings of a heap */

static void settings_refine_a_profile(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.profile = "lean", .settings = "retain_least=8m, carve=8192 wake=3"});
    assert_non_null(heap);
    assert_string_equal(hak_heap_profile(heap), "custom");
    expect(heap, "profile", "custom", "heap");
    expect(heap, "retain_least", "8388608", "heap");
    expect(heap, "carve", "8192", "heap");
    expect(heap, "wake", "3", "heap");
    expect(heap, "retain_part", "2", "profile");
    size_t retained = retained_after(heap, 64 * MIB);
    assert_true(retained > MIB && retained <= 8 * MIB + 64 * MIB / 50);

    assert_true(hak_heap_configure(heap, "retain_least=0 retain_part=0", NULL, 0));
    assert_true(support_stats(heap).retained <= PAGE);
    expect(heap, "carve", "8192", "heap");

    assert_true(hak_heap_set_profile(heap, "speed"));
    expect(heap, "profile", "speed", "heap");
    expect(heap, "carve", "4096", "profile");
    expect(heap, "retain_least", "33554432", "profile");
    hak_heap_destroy(heap);
}

/* Words in any case; a unit of bytes with or without the b, and the i. */
static void values_are_taken_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *name, *value;
    } written[] = {
        {"retain_least=8MB", "retain_least", "8388608"},
        {"retain_least=9mib", "retain_least", "9437184"},
        {"retain_least=64K", "retain_least", "65536"},
        {"retain_least=65kB", "retain_least", "66560"},
        {"retain_least=66KiB", "retain_least", "67584"},
        {"retain_least=1g", "retain_least", "1073741824"},
        {"retain_least=2Gb", "retain_least", "2147483648"},
        {"retain_least=1024GiB", "retain_least", "1099511627776"},
        {"retain_least=0mb", "retain_least", "0"},
        {"carve=8KB", "carve", "8192"},
        {"mem_lean=yes", "mem_lean", "1"},
        {"mem_lean=No", "mem_lean", "0"},
        {"mem_lean=TRUE", "mem_lean", "1"},
        {"mem_lean=false", "mem_lean", "0"},
        {"mem_lean=On", "mem_lean", "1"},
        {"mem_lean=OFF", "mem_lean", "0"},
        {"mem_lean=1", "mem_lean", "1"},
        {"decommit=free", "decommit", "FREE"},
        {"decommit=Off", "decommit", "OFF"},
        {"decommit=DontNeed", "decommit", "DONTNEED"},
    };
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < COUNT(written); i++) {
        char why[256] = "";
        REQUIRE_THAT(hak_heap_configure(heap, written[i].setting, why, sizeof why), "%s: %s",
                     written[i].setting, why);
        expect(heap, written[i].name, written[i].value, "heap");
    }
    hak_heap_destroy(heap);
}

static void a_lean_heap_retains_no_more_than_balanced(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "retain_least=64m"});
    assert_true(hak_heap_configure(heap, "mem_lean=1", NULL, 0));
    hak_heap *balanced = hak_heap_new(&(hak_heap_options){.profile = "balanced"});
    assert_string_equal(option_of(heap, "retain_least").value,
                        option_of(balanced, "retain_least").value);
    hak_heap_destroy(balanced);
    hak_heap_destroy(heap);
}

static void a_policy_that_gives_nothing_back(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "decommit=OFF retain_least=0"});
    size_t retained = retained_after(heap, 64 * MIB);
    assert_true(retained > 60 * MIB);
    assert_int_equal(hak_heap_settle(heap), 0);
    assert_true(hak_heap_trim(heap) >= retained); /* but for a trim */
    hak_heap_destroy(heap);
}

static void pages_given_back_lazily_are_zeroed_for_whom_it_matters(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.settings = "decommit=FREE retain_least=0 retain_part=0 pool=64m"});
    for (size_t round = 0; round < 20; round++) {
        size_t size = 100 * KIB + round * 7777;
        char *block = hak_heap_alloc(heap, size);
        assert_non_null(block);
        memset(block, 0xa5, size);
        hak_heap_free(heap, block);
        char *zero = hak_heap_zalloc(heap, 1, size);
        assert_non_null(zero);
        assert_int_equal(support_zeros(zero, size), size);
        hak_heap_free(heap, zero);
    }
    assert_true(support_stats(heap).purges > 0);
    hak_heap_destroy(heap);
    /* What it has left to others is clean. */
    heap = hak_heap_new(NULL);
    for (size_t round = 0; round < 20; round++) {
        char *zero = hak_heap_zalloc(heap, 1, 200 * KIB);
        assert_int_equal(support_zeros(zero, 200 * KIB), 200 * KIB);
    }
    hak_heap_destroy(heap);
}

static void prewarmed_memory_is_there_and_stays(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    hak_heap_trim(heap); /* what is pooled would do */
    size_t begin = support_resident();
    assert_int_equal(hak_heap_prewarm(heap, 32 * MIB), 32 * MIB);
    assert_true(support_resident() >= begin + 31 * MIB);
    assert_int_equal(support_stats(heap).retained, 32 * MIB);
    uint64_t calls = support_stats(heap).os.total;
    void *blocks[10000];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        blocks[i] = hak_heap_alloc(heap, 2000);
        support_fill(blocks[i], 2000, i);
    }
    assert_true(support_stats(heap).footprint <= 33 * MIB);
    assert_true(support_stats(heap).os.total <= calls + 4);
    for (size_t i = 0; i < COUNT(blocks); i++) hak_heap_free(heap, blocks[i]);
    support_check_stats(heap);
    assert_true(hak_heap_trim(heap) > 30 * MIB);
    assert_int_equal(hak_heap_prewarm(heap, 0), 0);
    assert_true(hak_heap_set_limit(heap, 8 * MIB));
    assert_true(hak_heap_prewarm(heap, 32 * MIB) <= 8 * MIB);
    hak_heap_destroy(heap);
}

static void what_is_not_accepted_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *says;
    } refused[] = {
        {"speed=1", "unknown option 'speed', accepted are: mem_lean, warm_pool, decommit, carve"},
        {"profile=lean", "unknown option 'profile'"},
        {"carve", "option 'carve' cannot be ''"},
        {"carve=", "option 'carve' cannot be ''"},
        {"carve=4095", "accepted are: 4096 to"},
        {"carve=1m", "option 'carve' cannot be '1m'"},
        {"carve=-4096", "option 'carve' cannot be '-4096'"},
        {"carve=8192 wake=0", "option 'wake' cannot be '0', accepted are: 1 to 31"},
        {"decommit=never", "'never', accepted are: OFF, FREE, DONTNEED"},
        {"decommit=of", "option 'decommit' cannot be 'of'"},
        {"mem_lean=2", "option 'mem_lean' cannot be '2', accepted are: 0, 1, no, yes"},
        {"mem_lean=yess", "option 'mem_lean' cannot be 'yess'"},
        {"mem_lean=", "option 'mem_lean' cannot be ''"},
        {"wake=5k", "option 'wake' cannot be '5k', accepted are: 1 to 31"},
        {"retain_least=8bm", "with k, kb, kib, m, mb, mib, g, gb, gib"},
        {"retain_least=8 mb", "option"},
        {"retain_least=mb", "option 'retain_least' cannot be 'mb'"},
        {"retain_least=1025gib", "option 'retain_least' cannot be"},
        {"retain_least=99999999999999999999999", "option 'retain_least' cannot be"},
        {"retain_least=1099511627776g", "option 'retain_least' cannot be"},
        {"retain_least=1025g", "option 'retain_least' cannot be"},
        {"retain_least=1x", "option 'retain_least' cannot be '1x'"},
        {"=", "unknown option ''"},
    };
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "balanced"});
    hak_option before[MOST], after[MOST];
    size_t count = hak_options(heap, before, MOST);
    for (size_t i = 0; i < COUNT(refused); i++) {
        char message[512] = "";
        errno = 0;
        assert_false(hak_heap_configure(heap, refused[i].settings, message, sizeof message));
        assert_int_equal(errno, EINVAL);
        REQUIRE_THAT(strstr(message, refused[i].says), "%s", message);
        assert_false(hak_settings_valid(refused[i].settings, NULL, 0));
        errno = 0;
        assert_null(hak_heap_new(&(hak_heap_options){.settings = refused[i].settings}));
        assert_int_equal(errno, EINVAL);
        memset(after, 0, sizeof after);
        assert_int_equal(hak_options(heap, after, MOST), count);
        for (size_t j = 0; j < count; j++) {
            assert_string_equal(before[j].value, after[j].value);
            assert_string_equal(before[j].origin, after[j].origin);
        }
    }
    assert_string_equal(hak_heap_profile(heap), "balanced");
    assert_true(hak_heap_configure(heap, " , ", NULL, 0)); /* nothing */
    hak_heap_destroy(heap);
}

/* ------------------------------------------------------------------ the environment */

/* The environment is read by whoever needs it first. */
static void before_any_heap(void *context)
{
    (void)context;
    setenv("HAKMEM_WAKE", "5", 1);
    expect(NULL, "wake", "5", "environment");
}

static void with_a_warm_pool(void *context)
{
    (void)context;
    setenv("HAKMEM_WARM_POOL_SIZE", "2", 1);
    setenv("HAKMEM_WARM_POOL", "3", 1); /* the other name: the one in the table is read first */
    setenv("HAKMEM_WAKE", "5", 1);
    setenv("HAKMEM_PROFILE", "MIXED_TINYV3_C7_BALANCED", 1);
    hak_heap *heap = hak_heap_new(NULL);
    expect(heap, "profile", "balanced", "environment");
    expect(heap, "warm_pool", "2", "environment");
    expect(heap, "retain_least", "8388608", "profile");
    expect(heap, "wake", "5", "environment");
    expect(NULL, "warm_pool", "2", "environment");
    REQUIRE(retained_after(heap, 64 * MIB) <= 8 * MIB);
    setenv("HAKMEM_WAKE", "7", 1); /* read once */
    expect(hak_heap_new(NULL), "wake", "5", "environment");
    /* A heap's own settings have the last word. */
    expect(hak_heap_new(&(hak_heap_options){.settings = "wake=6"}), "wake", "6", "heap");
}

static void when_lean_on_memory(void *context)
{
    (void)context;
    setenv("HAKMEM_SS_MEM_LEAN", "1", 1);
    setenv("HAKMEM_SS_MEM_LEAN_DECOMMIT", "OFF", 1);
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "MIXED_TINYV3_C7_SAFE"});
    expect(heap, "profile", "speed", "heap");
    expect(heap, "mem_lean", "1", "environment");
    expect(heap, "decommit", "OFF", "environment");
    expect(heap, "retain_least", "262144", "profile");
    expect(heap, "retain_busy", "8388608", "profile");
    REQUIRE(retained_after(heap, 64 * MIB) > 60 * MIB);
}

/* The names that options' names make, beside the table's. */
static void by_the_names_of_options(void *context)
{
    (void)context;
    setenv("HAKMEM_DECOMMIT", "free", 1);
    setenv("HAKMEM_MEM_LEAN", "yes", 1);
    setenv("HAKMEM_RETAIN_LEAST", "8MB", 1);
    setenv("HAKMEM_PROFILE", "Lean", 1);
    setenv("HAKMEM_TRACE", "77", 1);
    setenv("HAKMEM_PYTHON", "1", 1); /* not the core's, but known */
    hak_heap *heap = hak_heap_new(NULL);
    expect(heap, "profile", "lean", "environment");
    expect(heap, "decommit", "FREE", "environment");
    expect(heap, "mem_lean", "1", "environment");
    expect(heap, "retain_least", "8388608", "environment");
    expect(heap, "trace", "77", "environment");
}

/* What holds for the process may be asked for before there is a heap. */
static void what_holds_for_the_process(void *context)
{
    (void)context;
    setenv("HAKMEM_TRACE", "77", 1);
    setenv("HAKMEM_PREWARM", "3m", 1);
    REQUIRE(hak__options_trace() == 77);
    REQUIRE(hak__options_prewarm() == 3 * MIB);
    hak_heap *heap = hak_heap_new(NULL);
    REQUIRE(heap && support_stats(heap).retained == 3 * MIB);
}

static void variables_are_read_once_and_refine(void **state)
{
    (void)state;
    support_child child = support_fork(by_the_names_of_options, NULL, 20);
    REQUIRE_THAT(child.signal == 0 && child.code == 0 && child.lines == 0, "%s", child.text);
    support_in_child(before_any_heap, NULL, 20);
    support_in_child(with_a_warm_pool, NULL, 20);
    support_in_child(when_lean_on_memory, NULL, 20);
    support_in_child(what_holds_for_the_process, NULL, 20);
}

static void make_a_heap(void *context)
{
    const char *const *setting = context;
    setenv(setting[0], setting[1], 1);
    for (size_t i = 0; i < 3; i++) REQUIRE(hak_heap_alloc(hak_heap_new(NULL), 10));
}

static void a_bad_variable_is_answered_once(void **state)
{
    (void)state;
    static const char *const settings[][3] = {
        {"HAKMEM_CARVE", "1", "is '1', "},
        {"HAKMEM_WARM_POOL_SIZE", "-1", "is '-1', "},
        {"HAKMEM_SS_MEM_LEAN", "maybe", "is 'maybe', "},
        {"HAKMEM_SS_MEM_LEAN_DECOMMIT", "%s%n", "is '%s%n', "},
        {"HAKMEM_SS_OS_STATS", "2", "is '2', "},
        {"HAKMEM_RETAIN_LEAST", "8 apples\n", "is '8 apples?', "},
        {"HAKMEM_POOL", "0123456789012345678901234567890123456789", "345...', "},
    };
    for (size_t i = 0; i < COUNT(settings); i++) {
        support_child child = support_fork(make_a_heap, (void *)settings[i], 10);
        REQUIRE_THAT(child.signal == 0 && child.code == 0, "%s", child.text);
        REQUIRE_THAT(child.lines == 1, "it says %s", child.text);
        assert_int_equal(strncmp(child.text, "hakmem: ", 8), 0);
        assert_non_null(strstr(child.text, settings[i][0]));
        REQUIRE_THAT(strstr(child.text, settings[i][2]), "it says %s", child.text);
        assert_non_null(strstr(child.text, "accepted are"));
    }
}

static void an_unknown_variable_is_answered_by_the_nearest(void **state)
{
    (void)state;
    static const char *const settings[][3] = {
        {"HAKMEM_PROFLIE", "lean", "HAKMEM_PROFILE\n"},
        {"HAKMEM_PROFILES", "lean", "HAKMEM_PROFILE\n"},
        {"HAKMEM_RETAIN_LAST", "1m", "HAKMEM_RETAIN_LEAST\n"},
        {"HAKMEM_WARMPOOL", "2", "HAKMEM_WARM_POOL\n"},
        {"HAKMEM_SS_MEM_LEAN_DECOMIT", "OFF", "HAKMEM_SS_MEM_LEAN_DECOMMIT\n"},
        {"HAKMEM_PYTHN", "1", "HAKMEM_PYTHON\n"},
        {"HAKMEM_", "1", "\n"},
        {"HAKMEM_0123456789012345678901234567890123456789012345678901234567890123456789", "%n",
         "\n"},
    };
    for (size_t i = 0; i < COUNT(settings); i++) {
        support_child child = support_fork(make_a_heap, (void *)settings[i], 10);
        REQUIRE_THAT(child.signal == 0 && child.code == 0, "%s", child.text);
        REQUIRE_THAT(child.lines == 1, "it says %s", child.text);
        assert_int_equal(strncmp(child.text, "hakmem: HAKMEM_", 15), 0);
        assert_non_null(strstr(child.text, "is ignored: there is no such variable"));
        REQUIRE_THAT(strstr(child.text, settings[i][2]), "it says %s", child.text);
    }
    static const char *const silent[][2] = {
        {"HAKMEM_PROFLIE", ""}, {"HAKME_PROFILE", "lean"}, {"HAKMEM_PYTHON", "yes"}};
    for (size_t i = 0; i < COUNT(silent); i++) {
        support_child child = support_fork(make_a_heap, (void *)silent[i], 10);
        REQUIRE_THAT(child.signal == 0 && child.code == 0 && child.lines == 0, "%s", child.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* In children, which must be the first to make a heap. */
        cmocka_unit_test(variables_are_read_once_and_refine),
        cmocka_unit_test(a_bad_variable_is_answered_once),
        cmocka_unit_test(an_unknown_variable_is_answered_by_the_nearest),
        cmocka_unit_test(settings_refine_a_profile),
        cmocka_unit_test(values_are_taken_as_people_write_them),
        cmocka_unit_test(a_lean_heap_retains_no_more_than_balanced),
        cmocka_unit_test(a_policy_that_gives_nothing_back),
        cmocka_unit_test(pages_given_back_lazily_are_zeroed_for_whom_it_matters),
        cmocka_unit_test(prewarmed_memory_is_there_and_stays),
        cmocka_unit_test(what_is_not_accepted_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
