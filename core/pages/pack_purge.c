#include "pages/pack_purge.h"

#include "os/os.h"
#include "pages/accounts.h"
#include "pages/pack_holes.h"
#include "pages/pack_lists.h"
#include "pages/unit_purge.h"

/* Takes bytes off what is retained. */
static void forget(hak_pages *pages, hak_pack *pack, size_t bytes)
{
    pack->retained -= (uint32_t)bytes;
    pages->retained -= bytes;
    hak__discharge(pages, bytes);
}

/* Gives mapped pages back, `touched` bytes of which are retained. */
static bool give_back(hak_pages *pages, hak_superslab *super, hak_page_range run, size_t touched)
{
    if (hak__pack_unmap(super, run)) return hak__purge_answered(pages, true);
    char *start = hak__superslab_start(super) + run.first * HAK_PAGE;
    return touched && hak__give_pages_at_once(pages, start, (run.end - run.first) * HAK_PAGE);
}

/* Purges a range without a block; returns the bytes that were retained in it. */
static size_t purge_range(hak_pages *pages, hak_superslab *super, hak_page_range range)
{
    hak_pack *pack = hak__pack_of(super);
    size_t given = 0, end = hak__pack_mapped(super).end;
    if (range.end > end) range.end = end;
    while (range.first < range.end && !hak__purge_gave_up(pages)) {
        hak_page_range run = hak__pack_next_bits(&pack->unmapped, range, false);
        size_t touched = hak__pack_count_bits(&pack->touched, run) * HAK_PAGE;
        range.first = run.end;
        if (run.first == run.end || !give_back(pages, super, run, touched)) continue;
        hak__pack_set_bits(&pack->touched, run, false);
        given += touched;
    }
    forget(pages, pack, given);
    return given;
}

/* What was unmapped of a pack, until the OS refused, is no longer retained. */
static size_t forget_unmapped(hak_pages *pages, hak_pack *pack)
{
    size_t given = 0;
    for (size_t i = 0; i < HAK_PACK_PAGES / 64; i++) {
        uint64_t gone = pack->touched.words[i] & pack->unmapped.words[i];
        given += (size_t)__builtin_popcountll(gone) * HAK_PAGE;
        pack->touched.words[i] &= ~gone;
    }
    forget(pages, pack, given);
    return given;
}

/* Gives back a pack without blocks. On refusal at least its pages. */
static size_t drop(hak_pages *pages, hak_superslab *super)
{
    hak_pack *pack = hak__pack_of(super);
    size_t bytes = pack->retained;
    hak__pack_lists_remove(pages, super);
    if (hak__purge_answered(pages, hak__pack_unmap_all(super))) {
        pages->retained -= bytes;
        hak__discharge(pages, bytes);
        return bytes;
    }
    size_t given = forget_unmapped(pages, pack);
    given += purge_range(pages, super, hak__pack_gap_pages(pack, 0));
    hak__pack_lists_add(pages, super);
    return given;
}

/* Purges gaps, the last ones first, until that is at least `bytes`. */
static size_t purge(hak_pages *pages, hak_superslab *super, size_t bytes)
{
    const hak_pack *pack = hak__pack_of(super);
    size_t given = 0;
    if (pack->count == 0) return drop(pages, super);
    for (size_t i = pack->count + 1; i-- > 0 && given < bytes;)
        given += purge_range(pages, super, hak__pack_gap_pages(pack, i));
    hak__pack_lists_changed(pages, super);
    return given;
}

size_t hak__packs_purge_one(hak_pages *pages, hak_superslab *super)
{
    return purge(pages, super, SIZE_MAX);
}

size_t hak__packs_purge_some(hak_pages *pages, size_t bytes)
{
    size_t given = 0;
    hak_superslab *super = hak__pack_lists_retaining(pages), *next;
    for (; super && given < bytes && !hak__purge_gave_up(pages); super = next) {
        next = super->next_tailed;
        given += purge(pages, super, bytes - given);
    }
    return given;
}

void hak__packs_destroy(hak_pages *pages)
{
    hak_superslab *super = pages->supers->packs, *next;
    for (; super; super = next) {
        next = super->next_owned;
        if (!hak__pack_unmap_all(super)) hak__pack_lose(super);
    }
}
