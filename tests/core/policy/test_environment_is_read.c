/* HAKMEM_PROFILE chooses the profile of heaps whose options name none; a name that is no profile is
 * answered by one line on stderr, once, and "balanced". */
#include "support.h"

#include <stdlib.h>
#include <string.h>

/* Sets the variable, makes three heaps, and requires them to have the profile expected. */
typedef struct setting {
    const char *value; /* NULL: not set */
    const char *profile;
} setting;

static void make_heaps(void *context)
{
    const setting *of = context;
    if (of->value) setenv("HAKMEM_PROFILE", of->value, 1);
    else unsetenv("HAKMEM_PROFILE");
    for (size_t i = 0; i < 3; i++) {
        hak_heap *heap = hak_heap_new(i == 1 ? &(hak_heap_options){.name = "x"} : NULL);
        REQUIRE(heap);
        REQUIRE_THAT(strcmp(hak_heap_profile(heap), of->profile) == 0, "%s",
                     hak_heap_profile(heap));
        REQUIRE(hak_heap_alloc(heap, 100));
        if (i == 2) hak_heap_destroy(heap);
    }
    static char memory[HAK_MEMORY_MIN];
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = sizeof memory});
    REQUIRE(strcmp(hak_heap_profile(heap), of->profile) == 0);
    /* An option has the last word. */
    heap = hak_heap_new(&(hak_heap_options){.profile = "balanced"});
    REQUIRE(strcmp(hak_heap_profile(heap), "balanced") == 0);
}

static void a_profile_is_taken_silently(void **state)
{
    (void)state;
    static const setting settings[] = {
        {"speed", "speed"}, {"balanced", "balanced"}, {"lean", "lean"},
        {"Lean", "lean"},   {"BALANCED", "balanced"}, {"mixed_tinyv3_c7_balanced", "balanced"},
        {"", "balanced"},   {NULL, "balanced"}};
    for (size_t i = 0; i < COUNT(settings); i++) {
        support_child child = support_fork(make_heaps, (void *)&settings[i], 10);
        REQUIRE_THAT(child.signal == 0 && child.code == 0, "%s", child.text);
        REQUIRE_THAT(child.lines == 0 && !*child.text, "it says %s", child.text);
    }
}

static void an_unknown_profile_is_answered_once(void **state)
{
    (void)state;
    static const char *const unknown[] = {"fast",           "Speeds", "lean ",
                                          "speed,balanced", "\n",     "%s%n"};
    for (size_t i = 0; i < COUNT(unknown); i++) {
        setting of = {unknown[i], "balanced"};
        support_child child = support_fork(make_heaps, &of, 10);
        REQUIRE_THAT(child.signal == 0 && child.code == 0, "%s", child.text);
        REQUIRE_THAT(child.lines == 1, "it says %s", child.text);
        assert_int_equal(strncmp(child.text, "hakmem: ", 8), 0);
        assert_int_equal(child.text[strlen(child.text) - 1], '\n');
        assert_non_null(strstr(child.text, "HAKMEM_PROFILE is '"));
        assert_non_null(strstr(child.text, "using balanced"));
        assert_non_null(strstr(child.text, hak_profile_names()));
    }
}

static void make_named_heaps(void *context)
{
    (void)context;
    setenv("HAKMEM_PROFILE", "nonsense", 1);
    for (size_t i = 0; i < 3; i++) REQUIRE(hak_heap_new(&(hak_heap_options){.profile = "lean"}));
}

static void nobody_is_warned_of_what_is_not_used(void **state)
{
    (void)state;
    support_child child = support_fork(make_named_heaps, NULL, 10);
    REQUIRE_THAT(child.signal == 0 && child.code == 0 && child.lines == 0, "%s", child.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_is_taken_silently),
        cmocka_unit_test(an_unknown_profile_is_answered_once),
        cmocka_unit_test(nobody_is_warned_of_what_is_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
