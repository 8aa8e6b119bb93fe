#include "pages/unit_purge.h"

#include "os/os.h"
#include "pages/accounts.h"
#include "pages/superslabs.h"

#define PAUSE_MOST 15 /* purges left out, as a power of two */

bool hak__purge_may_begin(hak_pages *pages)
{
    if (pages->refusals_in_a_row == 0) return true;
    if (pages->purges_skipped < (1u << pages->purge_pause)) {
        pages->purges_skipped++;
        return false;
    }
    pages->purges_skipped = 0;
    if (pages->purge_pause < PAUSE_MOST) pages->purge_pause++;
    hak__purge_begin(pages);
    return true;
}

bool hak__purge_answered(hak_pages *pages, bool given)
{
    if (given) {
        pages->refusals_in_a_row = pages->purge_pause = 0;
        pages->purges++;
    } else {
        pages->refusals_in_a_row++;
    }
    return given;
}

bool hak__give_pages(hak_pages *pages, void *start, size_t size)
{
    if (hak__pages_profile(pages)->decommit != HAK_DECOMMIT_FREE || pages->at_once)
        return hak__give_pages_at_once(pages, start, size);
    if (hak__purge_gave_up(pages)) return false;
    bool given = hak__purge_answered(pages, hak__region_purge_lazily(start, size));
    if (given) pages->may_be_dirty = true;
    return given;
}

bool hak__give_pages_at_once(hak_pages *pages, void *start, size_t size)
{
    return !hak__purge_gave_up(pages) && hak__purge_answered(pages, hak__region_purge(start, size));
}

/* What is to be purged of a superslab: adjacent bytes none of which is in use. */
typedef struct page_gap {
    size_t first, last; /* units */
    size_t begin, end;  /* bytes from the start of the superslab; end == 0: nothing */
    size_t kept;        /* bytes of the first unit that lie before it */
} page_gap;

/* Purges a gap; returns the bytes that were touched in it. */
static size_t purge_gap(hak_pages *pages, hak_superslab *super, const page_gap *gap)
{
    if (gap->end == 0) return 0;
    /* A caller's memory is only no longer counted. */
    if (!pages->region) {
        char *start = hak__superslab_start(super);
        if (!hak__give_pages(pages, start + gap->begin, gap->end - gap->begin)) return 0;
    }
    hak_unit *slabs = hak__superslab_slabs(super);
    size_t kept = gap->kept, given = 0;
    for (size_t i = gap->first; i <= gap->last; i++, kept = 0) {
        given += slabs[i].touched - kept - hak__unit_missing(&slabs[i]);
        slabs[i].touched = (uint32_t)kept;
        if (kept == 0) super->dirty &= ~((uint64_t)1 << i);
        if (slabs[i].state == HAK_UNIT_REMNANT) {
            slabs[i] = (hak_unit){0};
            super->free |= (uint64_t)1 << i;
            hak__superslabs_clear_tails(pages, super, (uint64_t)1 << i);
        }
    }
    pages->retained -= given;
    hak__discharge(pages, given);
    return given;
}

/* Where pages may be retained: units in use are among them only if they may have some behind their
 * blocks. */
static uint64_t candidates(const hak_superslab *super)
{
    return (super->free & super->dirty) | super->tails;
}

size_t hak__units_purge(hak_pages *pages, hak_superslab *super, size_t most)
{
    hak_unit *slabs = hak__superslab_slabs(super);
    size_t unit_size = hak__pages_unit_size(pages);
    size_t given = 0, found = 0;
    uint64_t visited = 0;
    page_gap gap = {0};
    for (uint64_t rest = candidates(super); rest && found < most; rest &= rest - 1) {
        size_t i = (size_t)__builtin_ctzll(rest);
        visited |= rest & -rest;
        hak_unit *run = hak__unit_head(&slabs[i]);
        size_t kept =
            hak__part_in_unit(hak__pages_used(pages, run), (size_t)(&slabs[i] - run), unit_size);
        /* What was never touched before it may go along, but not what is in use. */
        uint64_t between = hak__bits(0, i) & ~hak__bits(0, gap.last + 1);
        if (kept > 0 || between & ~super->free) {
            given += purge_gap(pages, super, &gap);
            gap.end = 0;
        }
        if (kept >= slabs[i].touched) continue;
        if (gap.end == 0) {
            gap.first = i;
            gap.begin = i * unit_size + kept;
            gap.kept = kept;
        }
        gap.last = i;
        gap.end = i * unit_size + slabs[i].touched;
        found += slabs[i].touched - kept - hak__unit_missing(&slabs[i]);
    }
    given += purge_gap(pages, super, &gap);
    if (given >= found) hak__superslabs_clear_tails(pages, super, visited);
    hak__superslabs_changed(pages, super);
    return given;
}

void hak__units_purge_one(hak_pages *pages, hak_superslab *super, size_t unit)
{
    size_t begin = unit * hak__pages_unit_size(pages);
    page_gap gap = {.first = unit,
                    .last = unit,
                    .begin = begin,
                    .end = begin + hak__superslab_slabs(super)[unit].touched};
    purge_gap(pages, super, &gap);
    hak__superslabs_changed(pages, super);
}
