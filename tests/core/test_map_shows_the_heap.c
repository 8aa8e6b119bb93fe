/* hak_heap_map writes a page that shows every superslab, unit by unit, every slab with what lives
 * in it, spans, huge blocks and the size classes; and says so when it cannot. */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The page, in memory of its own. */
static char *map_of(const hak_heap *heap)
{
    char path[SUPPORT_PATH];
    FILE *file = fdopen(support_temporary_file(path), "r");
    REQUIRE(file && hak_heap_map(heap, path));
    REQUIRE(fseek(file, 0, SEEK_END) == 0);
    size_t length = (size_t)ftell(file);
    char *page = malloc(length + 1);
    rewind(file);
    REQUIRE(page && fread(page, 1, length, file) == length);
    page[length] = 0;
    fclose(file);
    unlink(path);
    return page;
}

/* How often `text` is in the page. */
static size_t count(const char *page, const char *text)
{
    size_t found = 0;
    for (; (page = strstr(page, text)); page += strlen(text)) found++;
    return found;
}

/* Checks that the cells of each row lie side by side, from its begin to its end; returns how many
 * rows of that class there are. */
static size_t check_rows(const char *page, const char *class)
{
    char begin[64];
    snprintf(begin, sizeof begin, "<svg class=\"%s\" width=\"", class);
    size_t rows = 0;
    for (const char *row = page; (row = strstr(row, begin)); rows++) {
        row += strlen(begin);
        size_t width = strtoull(row, NULL, 10), at = 0, last = 0;
        const char *end = strstr(row, "</svg>");
        REQUIRE(end);
        for (const char *cell = row; (cell = strstr(cell, "<rect ")) && cell < end; cell++) {
            size_t x = strtoull(strstr(cell, " x=\"") + 4, NULL, 10);
            size_t wide = strtoull(strstr(cell, " width=\"") + 8, NULL, 10);
            if (x == last && x < at) continue; /* how far it is filled */
            REQUIRE_THAT(x == at && wide > 0, "a cell at %zu, not %zu", x, at);
            last = x;
            at = x + wide;
        }
        REQUIRE_THAT(at == width, "row %zu ends at %zu of %zu", rows, at, width);
    }
    return rows;
}

/* The hue of the first colour behind `at`. */
static size_t hue_behind(const char *at)
{
    const char *colour = strstr(at, "hsl(");
    REQUIRE(colour);
    return strtoull(colour + 4, NULL, 10);
}

/* Checks that the slabs of each class have its colour, and that neighbours do not look alike. */
static void check_colours(const char *page, const hak_stats *stats)
{
    const char *line = strstr(page, "<table class=\"classes\">");
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < stats->classes; i++) {
        char text[64];
        REQUIRE(line = strstr(line, "<span class=\"swatch\""));
        size_t hue = hue_behind(line++);
        REQUIRE_THAT(hue != last && hue < 360, "%zu bytes", stats->class_stats[i].block_size);
        last = hue;
        snprintf(text, sizeof text,
                 "<title>blocks of %zu bytes: ", stats->class_stats[i].block_size);
        for (const char *cell = page; (cell = strstr(cell, text)); cell++) {
            REQUIRE_THAT(hue_behind(cell) == hue, "%s", text);
        }
    }
}

/* Checks the page against the statistics. */
static void check_map(const hak_heap *heap)
{
    hak_stats stats = support_stats(heap);
    char *page = map_of(heap), text[128];
    REQUIRE(strncmp(page, "<!DOCTYPE html>", 15) == 0 && strstr(page, "</html>"));
    REQUIRE(check_rows(page, "superslab") == stats.superslabs);
    REQUIRE(count(page, "<svg class=\"nestrow\"") == 1 && count(page, ">the nest") == 1);
    REQUIRE(count(page, ">one block of ") == stats.large_blocks - stats.huge_blocks);
    REQUIRE(count(page, ">a huge block of ") == stats.huge_blocks);
    REQUIRE(check_rows(page, "hugeblock") ==
            count(page, ">a huge block of ") + count(page, ">a free, kept, huge block of "));
    size_t slabs = 0, shown_live = 0, live = stats.live_blocks - stats.large_blocks;
    for (size_t i = 0; i < stats.classes; i++) {
        const hak_class_stats *class = &stats.class_stats[i];
        snprintf(text, sizeof text, "<title>blocks of %zu bytes: ", class->block_size);
        REQUIRE_THAT(count(page, text) == class->slabs, "%zu bytes: %zu slabs, not %zu",
                     class->block_size, count(page, text), class->slabs);
        slabs += class->slabs;
        for (const char *cell = page; (cell = strstr(cell, text)); cell += strlen(text)) {
            shown_live += strtoull(cell + strlen(text), NULL, 10);
        }
        snprintf(text, sizeof text, "<td>%zu</td><td>%zu</td><td>%zu</td><td>%zu</td>",
                 class->block_size, class->live, class->slabs, class->footprint / 1024);
        REQUIRE_THAT(count(page, text) == 1, "no line %s", text);
    }
    REQUIRE(count(page, "<title>blocks of ") == slabs);
    check_colours(page, &stats);
    REQUIRE_THAT(shown_live <= live, "%zu blocks are shown, %zu live", shown_live, live);
    snprintf(text, sizeof text, "<p>%zu blocks with %zu KiB live in %zu KiB of pages; %zu KiB more",
             stats.live_blocks, stats.live_bytes / 1024, (stats.footprint - stats.retained) / 1024,
             stats.retained / 1024);
    REQUIRE_THAT(strstr(page, text), "no line %s", text);
    free(page);
}

/* Blocks of all kinds; of each third one is freed. */
static void populate(hak_heap *heap, size_t small, size_t large, size_t huge)
{
    for (size_t i = 0; i < small + large + huge; i++) {
        size_t size = i < small           ? 16 + i * 7 % 9000
                      : i < small + large ? 20000 + i * 5000 % 400000
                                          : 3 * MIB + (i - small - large) * MIB;
        void *block = hak_heap_alloc(heap, size);
        REQUIRE(block);
        if (i % 3 == 0) hak_heap_free(heap, block);
    }
}

static void everything_is_shown(void **state)
{
    (void)state;
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    for (size_t i = 0; i < COUNT(profiles); i++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = profiles[i]});
        check_map(heap);
        for (size_t round = 0; round < 3; round++) {
            populate(heap, 2000, 20, 4);
            check_map(heap);
        }
        REQUIRE(support_stats(heap).superslabs > 2 && support_stats(heap).huge_blocks > 2);
        hak_heap_trim(heap);
        check_map(heap);
        hak_heap_destroy(heap);
    }
}

static void on_the_callers_memory(void **state)
{
    (void)state;
    size_t size = 3 * MIB + 100 * KIB;
    void *memory = malloc(size);
    REQUIRE(memory);
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = size});
    populate(heap, 100, 3, 0);
    hak_stats stats = support_stats(heap);
    char *page = map_of(heap);
    REQUIRE(count(page, "<svg class=\"superslab\"") == stats.superslabs);
    REQUIRE(count(page, ">one block of ") == stats.large_blocks);
    REQUIRE(count(page, ">the nest") == 1);
    free(page);
    hak_heap_destroy(heap);
    free(memory);
}

static void a_name_cannot_break_the_page(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.name = "<b>&\n\xc3\xbc~ "});
    char *page = map_of(heap);
    REQUIRE(count(page, "<b>") == 0);
    REQUIRE(count(page, "heap map: &#60;b&#62;&#38;&#10;&#195;&#188;~ </title>") == 1);
    REQUIRE(count(page, "&#60;b&#62;&#38;&#10;&#195;&#188;~ ") == 2);
    free(page);
    hak_heap_destroy(heap);
}

static void what_cannot_be_written_is_said(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    populate(heap, 500, 3, 0);
    errno = 0;
    REQUIRE(!hak_heap_map(heap, "/nonexistent/map.html") && errno == ENOENT);
    errno = 0;
    REQUIRE(!hak_heap_map(heap, "/dev/full") && errno == ENOSPC);
    REQUIRE(hak_heap_map(heap, "/dev/null"));
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_shown),
        cmocka_unit_test(on_the_callers_memory),
        cmocka_unit_test(a_name_cannot_break_the_page),
        cmocka_unit_test(what_cannot_be_written_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
