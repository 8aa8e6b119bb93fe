/* hak_heap_map writes a page that shows every superslab, unit by unit, every slab with what lives
 * in it, spans, huge blocks and the size classes; and says so when it cannot. */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/kinds.h"
#include "pages/kept.h"

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

/* ------------------------------------------------------------------ cells */

#define CELL   15 /* pixels */
#define HEIGHT 22

/* Whether `shown` is `part` of `whole` times `all`, to the nearest whole number. */
static bool is_rounded(size_t shown, size_t part, size_t whole, size_t all)
{
    size_t exact = part * all, twice = 2 * (shown * whole);
    size_t difference = twice > 2 * exact ? twice - 2 * exact : 2 * exact - twice;
    return difference <= whole + 1;
}

/* The cell of something without blocks of one size, which must be the next in the page. Returns
 * what lies behind it. */
static const char *expect_plain(const char *at, size_t unit, size_t units, const char *class,
                                const char *what)
{
    char text[256];
    snprintf(text, sizeof text,
             "<rect class=\"%s\" x=\"%zu\" y=\"0\" width=\"%zu\" height=\"%d\">"
             "<title>%s</title></rect>",
             class, unit * CELL, units * CELL, HEIGHT, what);
    at = strstr(at, "<rect ");
    REQUIRE_THAT(at && strncmp(at, text, strlen(text)) == 0, "not %s, but %.150s", text, at);
    return at + strlen(text);
}

/* The same of a slab: what it holds in words, and filled from below as far. */
static const char *expect_slab(const char *at, const hak_heap *heap, size_t unit,
                               const hak_slab *slab)
{
    char text[128], kind[32] = "";
    size_t live = hak__slab_live(slab), percent, x[2], y, width[2], height, whole;
    if (hak__heap_keeps_kinds(heap)) snprintf(kind, 32, " (%s)", hak__kinds_name_of(heap, slab->block_kind));
    snprintf(text, sizeof text, "<g><title>blocks of %u bytes%s: %zu of %u in use (",
             slab->block_size, kind, live, slab->capacity);
    REQUIRE(at = strstr(at, "<g>"));
    REQUIRE_THAT(strncmp(at, text, strlen(text)) == 0, "not %s, but %.150s", text, at);
    int found = sscanf(at + strlen(text),
                       "%zu %%)</title><rect x=\"%zu\" y=\"0\" width=\"%zu\" height=\"%zu\" "
                       "fill=\"hsl(%*u 60%% 90%%)\"/><rect x=\"%zu\" y=\"%zu\" width=\"%zu\" "
                       "height=\"%zu\" fill=\"hsl(%*u 65%% 48%%)\"/></g>",
                       &percent, &x[0], &width[0], &whole, &x[1], &y, &width[1], &height);
    REQUIRE_THAT(found == 8, "%d numbers in %.400s", found, at);
    for (size_t i = 0; i < 2; i++) {
        REQUIRE(x[i] == unit * CELL && width[i] == slab->units * CELL);
    }
    REQUIRE(whole == HEIGHT && y + height == HEIGHT);
    REQUIRE_THAT(is_rounded(percent, live, slab->capacity, 100), "%zu %% of %s", percent, text);
    if (height == 1 && live) REQUIRE(live * HEIGHT < slab->capacity * 2); /* never nothing */
    else REQUIRE_THAT(is_rounded(height, live, slab->capacity, HEIGHT), "%zu of %s", height, text);
    REQUIRE(!live == !height);
    return strstr(at, "</g>");
}

static const char *expect_run(const char *at, const hak_heap *heap, size_t unit,
                              const hak_slab *slab)
{
    char what[64];
    if (slab->state == HAK_UNIT_FREE) {
        snprintf(what, sizeof what, "free, %u KiB of pages kept", slab->touched / 1024);
        return slab->touched ? expect_plain(at, unit, 1, "kept", what)
                             : expect_plain(at, unit, 1, "free", "free");
    }
    if (slab->state == HAK_SPAN) {
        snprintf(what, sizeof what, "one block of %zu KiB", (size_t)slab->span_size / 1024);
        return expect_plain(at, unit, slab->units, "span", what);
    }
    if (slab->state == HAK_SPAN_SHELVED)
        return expect_plain(at, unit, slab->units, "kept", "free, kept whole");
    if (slab->state == HAK_UNIT_NEST)
        return expect_plain(at, unit, slab->units, "nest", "the nest: first blocks of all sizes");
    return expect_slab(at, heap, unit, slab);
}

static const char *expect_huge(const char *at, const hak_superslab *list)
{
    for (const hak_superslab *huge = list; huge; huge = huge->next) {
        char what[64];
        bool kept = huge->huge_retained;
        snprintf(what, sizeof what, "%s huge block of %zu KiB", kept ? "a free, kept," : "a",
                 huge->huge_size / 1024);
        at = expect_plain(at, 0, HAK_SUPERSLAB_UNITS, kept ? "kept" : "huge", what);
    }
    return at;
}

/* Every cell is what the records say, in their order. */
static void check_cells(const char *page, const hak_heap *heap)
{
    const char *at = strstr(page, "<h2>Superslabs</h2>");
    REQUIRE(at);
    if (!heap->pages.region) at = expect_run(at, heap, 0, heap->nest.run);
    for (const hak_superslab *super = heap->pages.supers->owned; super; super = super->next_owned) {
        const hak_slab *slabs = hak__superslab_slabs(super);
        for (size_t unit = 0; unit < super->units; unit++) {
            if (slabs[unit].state == HAK_UNIT_INTERIOR) continue;
            at = expect_run(at, heap, unit, &slabs[unit]);
        }
    }
    at = expect_huge(at, heap->pages.huge);
    for (unsigned list = 0; list < HAK_KEPT; list++) {
        at = expect_huge(at, heap->pages.supers->kept[list]);
    }
    REQUIRE(!strstr(at, "<rect "));
}

/* ------------------------------------------------------------------ the page */

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
    char *page = map_of(heap), text[160];
    REQUIRE(strncmp(page, "<!DOCTYPE html>", 15) == 0 && strstr(page, "</html>"));
    REQUIRE(check_rows(page, "superslab") == stats.superslabs);
    REQUIRE(count(page, "<svg class=\"nestrow\"") == 1 && count(page, ">the nest") == 1);
    REQUIRE(count(page, "<svg class=\"nestrow\" width=\"960\" height=\"22\">") == 1);
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
        snprintf(text, sizeof text,
                 "<td>%zu</td><td>%zu</td><td>%zu</td><td>%zu</td><td>%.0f %%</td></tr>",
                 class->block_size, class->live, class->slabs, class->footprint / 1024,
                 class->fragmentation * 100);
        REQUIRE_THAT(count(page, text) == 1, "no line %s", text);
    }
    REQUIRE(count(page, "<title>blocks of ") == slabs);
    REQUIRE(count(page, "<tr><td>") == stats.classes && count(page, "</table>") == 1);
    check_colours(page, &stats);
    check_cells(page, heap);
    REQUIRE_THAT(shown_live <= live, "%zu blocks are shown, %zu live", shown_live, live);
    snprintf(text, sizeof text,
             "<p>%zu blocks with %zu KiB live in %zu KiB of pages; %zu KiB more are kept for "
             "reuse. Profile: %s.</p>",
             stats.live_blocks, stats.live_bytes / 1024, (stats.footprint - stats.retained) / 1024,
             stats.retained / 1024, hak_heap_profile(heap));
    REQUIRE_THAT(strstr(page, text), "no line %s", text);
    REQUIRE(strstr(page, "a piece of 4096 KiB of addresses"));
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

/* Huge blocks that are kept are shown whatever their size, though they lie in several lists. */
static void kept_blocks_of_all_sizes_are_shown(void **state)
{
    (void)state;
    static const size_t sizes[] = {300 * KIB, 400 * KIB, 3 * MIB, 20 * MIB};
    void *blocks[COUNT(sizes)];
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "retain_least=100m"});
    for (size_t i = 0; i < COUNT(sizes); i++) {
        blocks[i] = hak_heap_alloc(heap, 100 * KIB);
        REQUIRE(hak_heap_alloc(heap, 100 * KIB)); /* so that it cannot grow where it is */
        REQUIRE(blocks[i] = hak_heap_realloc(heap, blocks[i], sizes[i]));
    }
    hak_heap_free(heap, blocks[0]);
    hak__kept_purge_some(&heap->pages, 200 * KIB);
    for (size_t i = 1; i < COUNT(sizes); i++) hak_heap_free(heap, blocks[i]);
    for (unsigned list = 0; list < HAK_KEPT; list++) REQUIRE(heap->pages.supers->kept[list]);
    heap->pages.supers->cursor.super = heap->pages.supers->owned; /* which lies behind the lists */
    char *page = map_of(heap);
    check_cells(page, heap);
    REQUIRE(count(page, ">a free, kept, huge block of ") == COUNT(sizes));
    REQUIRE(count(page, ">a free, kept, huge block of 400 KiB") == 1);
    free(page);
    hak_heap_destroy(heap);
}

/* A slab says what its blocks are for, where the heap keeps them apart. */
static void kinds_are_named(void **state)
{
    (void)state;
    static const char *const names[] = {"other", "round", "square"};
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "kinds=1"});
    hak__kinds_name(heap, names, COUNT(names));
    for (size_t i = 0; i < 3000; i++) {
        REQUIRE(hak__heap_alloc_kind(heap, i % 3, 100 + i % 2 * 1000));
    }
    char *page = map_of(heap);
    check_cells(page, heap);
    REQUIRE(count(page, " bytes (round): ") > 1 && count(page, " bytes (other): ") > 1);
    free(page);
    hak_heap_destroy(heap);
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
    check_cells(page, heap);
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
        cmocka_unit_test(kept_blocks_of_all_sizes_are_shown),
        cmocka_unit_test(kinds_are_named),
        cmocka_unit_test(on_the_callers_memory),
        cmocka_unit_test(a_name_cannot_break_the_page),
        cmocka_unit_test(what_cannot_be_written_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
