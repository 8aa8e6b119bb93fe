/* The statistics in JSON are the same as in C, whatever the heap's name; any parser reads them, and
 * they are cut as snprintf cuts. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sizes.h"

/* Has Python parse `json`, strictly, and evaluate `expression` with it as `d`. */
static size_t python(const char *json, const char *expression)
{
    char path[SUPPORT_PATH], command[1024 + SUPPORT_PATH];
    FILE *file = fdopen(support_temporary_file(path), "w");
    assert_non_null(file);
    assert_true(fputs(json, file) >= 0 && fclose(file) == 0);
    snprintf(command, sizeof command,
             "python3 -c \"import json; d = json.loads(open('%s', 'rb').read().decode('utf-8'), "
             "object_pairs_hook=lambda p: dict(p) if len(dict(p)) == len(p) else 1 / 0); "
             "print(int(%s))\"",
             path, expression);
    FILE *answer = popen(command, "r");
    assert_non_null(answer);
    size_t value = 0;
    int read = fscanf(answer, "%zu", &value);
    int status = pclose(answer);
    REQUIRE_THAT(read == 1 && status == 0, "python3 cannot read %s", json);
    remove(path);
    return value;
}

/* The whole text, in memory of its own. */
static char *json_of(const hak_heap *heap)
{
    size_t length = hak_heap_stats_json(heap, NULL, 0);
    char *text = malloc(length + 1);
    assert_non_null(text);
    assert_int_equal(hak_heap_stats_json(heap, text, length + 1), length);
    assert_int_equal(strlen(text), length);
    return text;
}

static void json_says_the_same(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.name = "scripts", .profile = "balanced", .limit = 200 * MIB});
    for (size_t i = 0; i < SIZES; i++) {
        assert_non_null(hak_heap_alloc(heap, sizes[i]));
        hak_heap_free(heap, hak_heap_alloc(heap, sizes[i]));
    }
    hak_stats stats = support_stats(heap);
    size_t count, expected = 0;
    const hak_stats_field *fields = hak_stats_fields(&count);
    char *json = json_of(heap), sum[1024] = "";
    for (size_t i = 0; i < count; i++) {
        size_t value;
        memcpy(&value, (const char *)&stats + fields[i].offset, sizeof value);
        expected += (i + 1) * value;
        size_t length = strlen(sum);
        snprintf(sum + length, sizeof sum - length, "%zu * d['%s'] + ", i + 1, fields[i].name);
    }
    strcat(sum, "0");
    assert_int_equal(python(json, sum), expected);
    assert_int_equal(python(json, "d['os_calls']['total'] + 3 * d['os_calls']['failed'] + "
                                  "5 * len(d['classes'])"),
                     stats.os.total + 3 * stats.os.failed + 5 * stats.classes);
    assert_int_equal(python(json,
                            "sum(d['os_calls'][k] for k in ('mmap', 'madvise', "
                            "'mremap', 'munmap')) == d['os_calls']['total'] "
                            "and sum(c['size'] * c['live'] for c in d['classes']) + "
                            "d['large_bytes'] == d['live_bytes'] "
                            "and all(c['footprint'] and c['slabs'] >= 0 for c in d['classes']) "
                            "and (d['name'], d['profile'], d['version']) == "
                            "('scripts', 'balanced', '" HAK_VERSION "')"),
                     1);
    free(json);
    hak_heap_destroy(heap);
}

static void json_is_json_whatever_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in_python;
    } names[] = {
        {"", "''"},
        {"quote \" backslash \\ slash /",
         "'quote ' + chr(34) + ' backslash ' + chr(92) + ' slash /'"},
        {"\n\t\r\b\f\x01\x1f\x7f", "bytes((10, 9, 13, 8, 12, 1, 31, 127)).decode()"},
        {"gr\xc3\xbc\xc3\x9f", "bytes((103, 114, 195, 188, 195, 159)).decode()"},
        /* The first and the last of each length, and what lies beside them. */
        {"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
         "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
         "''.join(map(chr, (0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, "
         "0x10ffff)))"},
        {"\xc1\xbf\xe0\x9f\xbf\xed\xa0\x80\xed\xbf\xbf\xf0\x8f\xbf\xbf\xf4\x90\x80\x80\xf8\x80",
         "chr(0xfffd) * 21"},
        /* Cut within a character after 31 bytes, and no UTF-8 to begin with: any text will do. */
        {"0123456789012345678901234567\xe2\x82\xac\xe2\x82\xac", NULL},
        {"012345678901234567890123456789\xc3\xbc", NULL},
        {"\xff\xfe latin 1: \xfc \xc0\x80 \xed\xa0\x80 \xf5\x80\x80\x80 \xe2\x82", NULL},
        {"\x80\x80", NULL},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.name = names[i].name});
        char *json = json_of(heap), expression[300];
        snprintf(expression, sizeof expression, "d['name'] == %s",
                 names[i].in_python ? names[i].in_python : "d['name'] or True");
        assert_int_equal(python(json, expression), 1);
        free(json);
        hak_heap_destroy(heap);
    }
}

static void json_is_cut_as_snprintf_cuts(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    for (size_t i = 0; i < SIZES; i++) assert_non_null(hak_heap_alloc(heap, sizes[i]));
    char *whole = json_of(heap);
    size_t length = strlen(whole);
    char *part = malloc(length + 16);
    for (size_t size = 0; size < length + 8; size += 1 + size / 50) {
        memset(part, '#', length + 16);
        assert_int_equal(hak_heap_stats_json(heap, part, size), length);
        if (size > 0) {
            size_t kept = size - 1 < length ? size - 1 : length;
            assert_memory_equal(part, whole, kept);
            assert_int_equal(part[kept], 0);
            assert_int_equal(part[kept + 1], '#');
        } else {
            assert_int_equal(part[0], '#');
        }
    }
    assert_int_equal(hak_heap_stats_json(heap, part, length + 1), length);
    assert_string_equal(part, whole);
    assert_int_equal(hak_heap_stats_json(heap, part, length), length);
    assert_int_equal(strlen(part), length - 1);
    free(part);
    free(whole);
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_says_the_same),
        cmocka_unit_test(json_is_json_whatever_the_name),
        cmocka_unit_test(json_is_cut_as_snprintf_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
