/* A picture of a heap: a self-contained page of HTML. Each superslab is a row, each unit a cell,
 * coloured by its content and filled in proportion to its live blocks. */
#include <stdio.h>
#include <string.h>

#include "heap/heap.h"
#include "os/os.h"
#include "pages/pages.h"
#include "threads/threads.h"

#define CELL   15 /* pixels */
#define HEIGHT 22

#define put hak__file_put

/* Writes the heap's name, escaped for HTML. */
static void put_name(hak_file *out, const char *name)
{
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        if (c == '<' || c == '>' || c == '&' || c < ' ' || c > '~') put(out, "&#%u;", c);
        else put(out, "%c", c);
    }
}

/* The hue of a size class; neighbouring classes differ. */
static unsigned hue_of(unsigned size_class)
{
    return size_class * 67 % 360;
}

static const char style[] =
    "<style>body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;color:#222;"
    "background:#fff}h1{font-size:1.5em}svg{display:block;margin:0 0 3px}table{border-collapse:"
    "collapse}td,th{padding:1px 10px;text-align:right}th{border-bottom:1px solid #999}"
    "rect{stroke:#fff}.free{fill:#f2f2f2}.kept{fill:#dcdcdc}.span{fill:#555}.nest{fill:#111}"
    ".huge{fill:#777}.swatch{display:inline-block;width:1.2em;height:.9em}</style>";

static void put_rect(hak_file *out, size_t x, size_t width, const char *class, const char *what)
{
    put(out,
        "<rect class=\"%s\" x=\"%zu\" y=\"0\" width=\"%zu\" height=\"%d\"><title>%s</title></rect>",
        class, x, width, HEIGHT, what);
}

static void put_cell(hak_file *out, size_t unit, size_t count, const char *class, const char *what)
{
    put_rect(out, unit * CELL, count * CELL, class, what);
}

/* Writes the cell of a slab: pale, and in full colour from below in proportion
 * to its live blocks. */
static void put_slab(hak_file *out, const hak_heap *heap, size_t unit, const hak_slab *slab)
{
    size_t live = hak__slab_live(slab), width = slab->units * CELL;
    unsigned hue = hue_of(slab->size_class);
    double part = (double)live / slab->capacity;
    int filled = (int)(part * HEIGHT + 0.5);
    if (live && filled == 0) filled = 1;
    char kind[48] = "";
    if (hak__heap_keeps_kinds(heap)) {
        snprintf(kind, sizeof kind, " (%s)", hak__kinds_name_of(heap, slab->block_kind));
    }
    put(out,
        "<g><title>blocks of %u bytes%s: %zu of %u in use (%.0f %%)</title>"
        "<rect x=\"%zu\" y=\"0\" width=\"%zu\" height=\"%d\" fill=\"hsl(%u 60%% 90%%)\"/>"
        "<rect x=\"%zu\" y=\"%d\" width=\"%zu\" height=\"%d\" fill=\"hsl(%u 65%% 48%%)\"/></g>",
        slab->block_size, kind, live, slab->capacity, part * 100, unit * CELL, width, HEIGHT, hue,
        unit * CELL, HEIGHT - filled, width, filled, hue);
}

static void put_run(hak_file *out, const hak_heap *heap, size_t unit, const hak_slab *slab)
{
    char what[96];
    switch (slab->state) {
    case HAK_UNIT_FREE:
    case HAK_UNIT_REMNANT:
        snprintf(what, sizeof what, "free, %u KiB of pages kept", slab->touched / 1024);
        put_cell(out, unit, 1, slab->touched ? "kept" : "free", slab->touched ? what : "free");
        break;
    case HAK_SPAN:
        snprintf(what, sizeof what, "one block of %zu KiB", (size_t)slab->span_size / 1024);
        put_cell(out, unit, slab->units, "span", what);
        break;
    case HAK_SPAN_SHELVED:
        put_cell(out, unit, slab->units, "kept", "free, kept whole");
        break;
    case HAK_UNIT_NEST:
        put_cell(out, unit, slab->units, "nest", "the nest: first blocks of all sizes");
        break;
    case HAK_SLAB_CURRENT:
    case HAK_SLAB_PARTIAL:
    case HAK_SLAB_DRY:
    case HAK_SLAB_FULL: put_slab(out, heap, unit, slab); break;
    default: break; /* drawn with the first unit of its run */
    }
}

static void put_superslab(hak_file *out, const hak_heap *heap, const hak_superslab *super)
{
    const hak_slab *slabs = hak__superslab_slabs(super);
    put(out, "<svg class=\"superslab\" width=\"%d\" height=\"%d\">", HAK_SUPERSLAB_UNITS * CELL,
        HEIGHT);
    for (size_t unit = 0; unit < super->units; unit++) put_run(out, heap, unit, &slabs[unit]);
    put(out, "</svg>\n");
}

static void put_begin(hak_file *out, const char *name)
{
    put(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>heap map: ");
    put_name(out, name);
    put(out, "</title>%s</head><body>\n", style);
}

static void put_head(hak_file *out, const hak_heap *heap, const hak_stats *stats)
{
    put(out, "<h1>The heap \342\200\234");
    put_name(out, heap->name);
    put(out,
        "\342\200\235</h1>\n<p>%zu blocks with %zu KiB live in %zu KiB of pages; %zu KiB more are "
        "kept for reuse. Profile: %s.</p>\n",
        stats->live_blocks, stats->live_bytes / 1024, (stats->footprint - stats->retained) / 1024,
        stats->retained / 1024, hak__policy(heap)->name);
    put(out,
        "<p>Each row is a superslab, a piece of %zu KiB of addresses, and each cell one of its 64 "
        "units. A coloured cell holds blocks of one size: the colour says which, and it is filled "
        "from below as far as blocks are in use. A few full ones and many empty ones mean that the "
        "program has let go of what it does not need; many that are filled a little are "
        "fragmentation: few blocks keep much memory. Point at a cell to read what it is.</p>\n"
        "<p><span class=\"swatch\" style=\"background:#555\"></span> one large block &nbsp; "
        "<span class=\"swatch\" style=\"background:#777\"></span> a huge block &nbsp; "
        "<span class=\"swatch\" style=\"background:#111\"></span> the nest, where the heap begins "
        "&nbsp; <span class=\"swatch\" style=\"background:#dcdcdc\"></span> free, its pages kept "
        "&nbsp; <span class=\"swatch\" style=\"background:#f2f2f2\"></span> free</p>\n",
        HAK_SUPERSLAB_UNITS * hak__pages_unit_size(&heap->pages) / 1024);
}

static void put_classes(hak_file *out, const hak_heap *heap, const hak_stats *stats)
{
    put(out, "<h2>Sizes</h2>\n<table class=\"classes\"><tr><th></th><th>bytes</th><th>in use</th>"
             "<th>slabs</th><th>KiB of pages</th><th>without a block</th></tr>\n");
    for (size_t i = 0; i < stats->classes; i++) {
        const hak_class_stats *class = &stats->class_stats[i];
        unsigned index = hak__heap_class_of(heap, class->block_size);
        put(out,
            "<tr><td><span class=\"swatch\" style=\"background:hsl(%u 65%% 48%%)\"></span></td>"
            "<td>%zu</td><td>%zu</td><td>%zu</td><td>%zu</td><td>%.0f %%</td></tr>\n",
            hue_of(index), class->block_size, class->live, class->slabs, class->footprint / 1024,
            class->fragmentation * 100);
    }
    put(out, "</table>\n");
}

static void put_huge(hak_file *out, const hak_superslab *list)
{
    for (const hak_superslab *huge = list; huge; huge = huge->next) {
        char what[96];
        snprintf(what, sizeof what, "%s huge block of %zu KiB",
                 huge->huge_retained ? "a free, kept," : "a", huge->huge_size / 1024);
        put(out, "<svg class=\"hugeblock\" width=\"%d\" height=\"%d\">", HAK_SUPERSLAB_UNITS * CELL,
            HEIGHT);
        put_cell(out, 0, HAK_SUPERSLAB_UNITS, huge->huge_retained ? "kept" : "huge", what);
        put(out, "</svg>\n");
    }
}

/* A row for each pack: its blocks where they lie. */
static void put_packs(hak_file *out, const hak_superslab *list)
{
    const size_t pixel = HAK_PACK_SIZE / (HAK_SUPERSLAB_UNITS * CELL);
    for (const hak_superslab *super = list; super; super = super->next_owned) {
        const hak_pack *pack = hak__pack_of(super);
        put(out, "<svg class=\"pack\" width=\"%d\" height=\"%d\">", HAK_SUPERSLAB_UNITS * CELL,
            HEIGHT);
        put_rect(out, 0, HAK_SUPERSLAB_UNITS * CELL, pack->retained ? "kept" : "free", "free");
        for (size_t i = 0; i < pack->count; i++) {
            hak_pack_block block = pack->blocks[i];
            char what[96];
            snprintf(what, sizeof what, "one block of %u KiB", (block.end - block.begin) / 1024);
            size_t begin = block.begin / pixel, end = block.end / pixel;
            put_rect(out, begin, end > begin ? end - begin : 1, "span", what);
        }
        put(out, "</svg>\n");
    }
}

static void put_heap(hak_file *out, const hak_heap *heap)
{
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    put_head(out, heap, &stats);
    put(out, "<h2>Superslabs</h2>\n");
    if (!heap->pages.region) {
        put(out, "<svg class=\"nestrow\" width=\"%d\" height=\"%d\">", HAK_SUPERSLAB_UNITS * CELL,
            HEIGHT);
        put_run(out, heap, 0, heap->nest.run);
        put(out, "</svg>\n");
    }
    for (const hak_superslab *super = heap->pages.supers->owned; super; super = super->next_owned) {
        put_superslab(out, heap, super);
    }
    put_packs(out, heap->pages.supers->packs);
    put_huge(out, heap->pages.huge);
    for (unsigned list = 0; list < HAK_KEPT; list++) put_huge(out, heap->pages.supers->kept[list]);
    put_classes(out, heap, &stats);
}

static bool end(hak_file *out)
{
    put(out, "</body></html>\n");
    return hak__file_close(out);
}

bool hak_heap_map(const hak_heap *heap, const char *path)
{
    HAK_GUARDED(heap);
    hak_file out;
    if (!hak__file_open(&out, path)) return false;
    put_begin(&out, heap->name);
    put_heap(&out, heap);
    return end(&out);
}

static void put_thread_heap(void *out, hak_thread_heap *heap)
{
    put_heap(out, heap->heap);
}

bool hak_threads_map(const char *path)
{
    hak_file out;
    if (!hak__file_open(&out, path)) return false;
    put_begin(&out, "threads");
    hak__threads_each(put_thread_heap, &out);
    return end(&out);
}
