/* What an observed heap tells in JSON is what it tells in C, in the form of
 * docs/observations.schema.json, and is cut as snprintf cuts. Built with HAK_OBSERVE. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char expected_text[MIB];
static size_t expected_length;

__attribute__((format(printf, 1, 2))) static void expect(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    expected_length += (size_t)vsnprintf(expected_text + expected_length,
                                         sizeof expected_text - expected_length, format, args);
    va_end(args);
    REQUIRE(expected_length < sizeof expected_text);
}

static void expect_fields(const void *of, const hak_stats_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t value;
        memcpy(&value, (const char *)of + fields[i].offset, sizeof value);
        expect(", \"%s\": %zu", fields[i].name, value);
    }
}

static void expect_powers(const char *name, const size_t *counts)
{
    bool begun = false;
    expect(", \"%s\": [", name);
    for (size_t power = 0; power < HAK_POWERS; power++) {
        if (!counts[power]) continue;
        uint64_t from = power ? (uint64_t)1 << (power - 1) : 0;
        expect("%s{\"from\": %ju, \"to\": %ju, \"count\": %zu}", begun ? ", " : "", (uintmax_t)from,
               (uintmax_t)(power ? 2 * from - 1 : 0), counts[power]);
        begun = true;
    }
    expect("]");
}

/* All of it, as docs/observations.schema.json has it. */
static void expect_observations(const hak_observations *told)
{
    size_t count;
    const hak_stats_field *fields = hak_observations_fields(&count);
    expected_length = 0;
    expect("{\"version\": \"%s\", \"name\": \"a \\\"name\\\"\", \"observing\": %s", hak_version(),
           told->observing ? "true" : "false");
    expect_fields(told, fields, count);
    expect(", \"sizes\": [");
    for (size_t i = 0; i < told->size_ranges; i++) {
        expect("%s{\"from\": %ju, \"to\": %ju, \"count\": %zu}", i ? ", " : "",
               (uintmax_t)told->sizes[i].from, (uintmax_t)told->sizes[i].to, told->sizes[i].count);
    }
    expect("]");
    expect_powers("lifetimes", told->lifetimes);
    expect_powers("ages", told->ages);
    expect(", \"classes\": [");
    fields = hak_class_observations_fields(&count);
    for (size_t i = 0; i < told->classes; i++) {
        const hak_class_observations *class = &told->class_observations[i];
        expect("%s{\"size\": %zu", i ? ", " : "", class->block_size);
        expect_fields(class, fields + 1, count - 1);
        expect_powers("lifetimes", class->lifetimes);
        expect("}");
    }
    expect("]}");
}

static void json(void *unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.name = "a \"name\""});
    for (size_t i = 0; i < 3000; i++) hak_heap_free(heap, hak_heap_alloc(heap, i * 7));
    for (size_t i = 0; i < 100; i++) REQUIRE(hak_heap_alloc(heap, i * 7));
    size_t length = hak_heap_observations_json(heap, NULL, 0), count;
    char *text = malloc(length + 1), part[20];
    REQUIRE(text && hak_heap_observations_json(heap, text, length + 1) == length);
    REQUIRE(strlen(text) == length && strstr(text, "\"name\": \"a \\\"name\\\"\""));
    REQUIRE(hak_heap_observations_json(heap, part, sizeof part) == length);
    REQUIRE(strlen(part) == sizeof part - 1 && strncmp(part, text, sizeof part - 1) == 0);
    const hak_observations *told = hak_heap_observations(heap);
    const hak_stats_field *field = hak_observations_fields(&count);
    for (size_t i = 0; i < count; i++) {
        char expected[80];
        size_t value;
        memcpy(&value, (const char *)told + field[i].offset, sizeof value);
        snprintf(expected, sizeof expected, "\"%s\": %zu,", field[i].name, value);
        REQUIRE_THAT(strstr(text, expected), "%s", expected);
    }
    expect_observations(told);
    REQUIRE_THAT(strcmp(text, expected_text) == 0, "%s", text);
    REQUIRE(hak_heap_observe(heap, false));
    REQUIRE(hak_heap_observations_json(heap, text, length + 2) == length + 1);
    expect_observations(hak_heap_observations(heap));
    REQUIRE(strncmp(text, expected_text, length) == 0);
    free(text);
    hak_heap_destroy(heap);
}

static void json_tells_the_same(void **unused)
{
    (void)unused;
    support_in_child(json, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_tells_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
