#include "pages/pack_holes.h"

#include "os/os.h"
#include "pages/hugespace.h"
#include "pages/mapping.h"
#include "pages/region.h"

static hak_holes holes_of(const hak_pack *pack)
{
    hak_holes holes = {0};
    uint64_t last = 0; /* bit 0: the last page of the word before */
    for (size_t i = 0; i < HAK_PACK_PAGES / 64; i++) {
        uint64_t word = pack->unmapped.words[i];
        holes.bytes += (size_t)__builtin_popcountll(word) * HAK_PAGE;
        holes.count += (size_t)__builtin_popcountll(word & ~(word << 1 | last));
        last = word >> 63;
    }
    return holes;
}

static void note_holes(hak_holes had, hak_holes has)
{
    hak__region_lock();
    hak__mapping_set_holes(had, has);
    hak__region_unlock();
}

static char *page_at(const hak_superslab *super, size_t page)
{
    return hak__superslab_start(super) + page * HAK_PAGE;
}

static size_t bytes_of(hak_page_range range)
{
    return (range.end - range.first) * HAK_PAGE;
}

size_t hak__pack_mapped_bytes(const hak_superslab *super)
{
    return super->huge_mapped - holes_of(hak__pack_of(super)).bytes;
}

/* Unmaps a range without a look at how many holes there are. */
static bool unmap(hak_superslab *super, hak_page_range range)
{
    hak_pack *pack = hak__pack_of(super);
    if (!hak__os_unmap(page_at(super, range.first), bytes_of(range))) return false;
    hak_holes had = holes_of(pack);
    hak__pack_set_bits(&pack->unmapped, range, true);
    note_holes(had, holes_of(pack));
    return true;
}

bool hak__pack_unmap(hak_superslab *super, hak_page_range range)
{
    return hak__mapping_may_have_holes() && unmap(super, range);
}

/* Unmaps pages of a range that are mapped, but were never touched. */
static void unmap_untouched(hak_superslab *super, hak_page_range range)
{
    const hak_pack *pack = hak__pack_of(super);
    while (range.first < range.end) {
        hak_page_range mapped = hak__pack_next_bits(&pack->unmapped, range, false);
        hak_page_range clean = hak__pack_next_bits(&pack->touched, mapped, false);
        if (clean.first < clean.end) unmap(super, clean);
        range.first = clean.end;
    }
}

/* Maps what is not mapped of a range. */
static bool fill(hak_superslab *super, hak_page_range range)
{
    hak_pack *pack = hak__pack_of(super);
    while (range.first < range.end) {
        hak_page_range run = hak__pack_next_bits(&pack->unmapped, range, true);
        if (run.first == run.end) break;
        if (hak__os_map_at(page_at(super, run.first), bytes_of(run)) != HAK_MAPPED) return false;
        hak_holes had = holes_of(pack);
        hak__pack_set_bits(&pack->unmapped, run, false);
        note_holes(had, holes_of(pack));
        range.first = run.end;
    }
    return true;
}

bool hak__pack_map(hak_superslab *super, hak_page_range range)
{
    hak_page_range mapped = hak__pack_mapped(super), inside = range;
    if (inside.end > mapped.end) inside.end = mapped.end;
    bool done = fill(super, inside) && (range.end <= mapped.end ||
                                        hak__hugespace_extend(super, range.end * HAK_PAGE, false));
    if (!done) unmap_untouched(super, inside);
    return done;
}

/* The end of the mapped pages before `end`, and where they begin. */
static hak_page_range last_mapped(const hak_pack *pack, size_t end)
{
    while (end > 0 && hak__pack_bit(&pack->unmapped, end - 1)) end--;
    size_t first = end;
    while (first > 0 && !hak__pack_bit(&pack->unmapped, first - 1)) first--;
    return (hak_page_range){first, end};
}

bool hak__pack_unmap_all(hak_superslab *super)
{
    const hak_pack *pack = hak__pack_of(super);
    hak_page_range run = last_mapped(pack, hak__pack_mapped(super).end);
    for (; run.first > 0; run = last_mapped(pack, run.first)) {
        if (!unmap(super, run)) return false;
    }
    /* The record is gone with the first pages, and others may take the addresses at once. */
    hak_holes had = holes_of(pack);
    note_holes(had, (hak_holes){0});
    super->huge_packed = false;
    if (hak__hugespace_unmap(super, bytes_of(run))) return true;
    super->huge_packed = true;
    note_holes((hak_holes){0}, had);
    return false;
}

void hak__pack_lose(hak_superslab *super)
{
    hak_pack *pack = hak__pack_of(super);
    size_t end = hak__pack_mapped(super).end;
    for (hak_page_range run = last_mapped(pack, end); run.end > 1;
         run = last_mapped(pack, run.first)) {
        if (run.first == 0) run.first = 1;
        hak__os_purge(page_at(super, run.first), bytes_of(run));
        if (run.first == 1) break;
    }
    note_holes(holes_of(pack), (hak_holes){0});
    hak__os_purge(pack, HAK_PAGE);
    super->huge_packed = false;
    hak__hugespace_lose(super);
}
