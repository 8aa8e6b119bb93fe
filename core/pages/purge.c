#include "pages/purge.h"

#include "pages/accounts.h"
#include "pages/kept.h"
#include "pages/pack_purge.h"
#include "pages/superslabs.h"
#include "pages/unit_purge.h"
#include "pages/units.h"

/* Superslabs without a block go back to the supply, or wait for so many milliseconds. */
static void purge_superslabs(hak_pages *pages, size_t keep, size_t wait)
{
    if (pages->retained > keep) hak__units_clear_shelf(pages);
    hak_superslab *super, *next;
    for (super = hak__superslabs_unused(pages, true); super && pages->retained > keep;
         super = next) {
        next = super->next;
        size_t touched =
            wait ? hak__units_let_wait(pages, super, wait) : hak__units_return(pages, super, 0);
        pages->retained -= touched;
        hak__discharge(pages, touched);
        pages->purges++;
    }
}

void hak__purge_unused(hak_pages *pages)
{
    hak__units_clear_shelf(pages);
    for (hak_superslab *super; (super = hak__superslabs_unused(pages, false)) != NULL;) {
        hak__units_return(pages, super, 0);
    }
}

/* Pages of free units, and then those behind blocks, until `bytes` have been given back. */
static size_t purge_units(hak_pages *pages, size_t bytes)
{
    hak__units_clear_shelf(pages);
    size_t given = 0;
    hak_superslab *super = hak__superslabs_next_dirty(pages, NULL), *next;
    for (; super && given < bytes && !hak__purge_gave_up(pages); super = next) {
        next = hak__superslabs_next_dirty(pages, super);
        given += hak__units_purge(pages, super, bytes - given);
    }
    super = pages->supers->tailed;
    for (; super && given < bytes && !hak__purge_gave_up(pages); super = next) {
        next = super->next_tailed;
        given += hak__units_purge(pages, super, bytes - given);
    }
    return given;
}

size_t hak__purge_some(hak_pages *pages, size_t bytes)
{
    if (pages->retained == 0) return 0;
    size_t given = purge_units(pages, bytes);
    if (given < bytes) given += hak__packs_purge_some(pages, bytes - given);
    if (given < bytes && !pages->region) given += hak__kept_purge_some(pages, bytes - given);
    return given;
}

size_t hak__purge_single(hak_pages *pages)
{
    hak_unit *run = pages->single;
    size_t used = hak__pages_used(pages, run), bytes = run->touched - used;
    if (bytes == 0 || !hak__give_pages_at_once(pages, run->start + used, bytes)) return 0;
    run->touched = (uint32_t)used;
    pages->retained -= bytes;
    hak__discharge(pages, bytes);
    return bytes;
}

static void purge_whole(hak_pages *pages, size_t keep, size_t wait)
{
    hak__kept_purge_to(pages, keep, wait);
    purge_superslabs(pages, keep, wait);
}

void hak__purge_let_wait(hak_pages *pages, size_t keep, size_t wait)
{
    size_t before = pages->footprint;
    if (!wait || pages->region) return;
    purge_whole(pages, keep, wait);
    /* What comes back from there costs nothing, and tells nothing of what else was given back. */
    if (pages->footprint < before) pages->demand.released.given = 0;
}

void hak__purge_to(hak_pages *pages, size_t keep)
{
    if (pages->retained <= keep) return;
    if (!pages->region) purge_whole(pages, keep, 0);
    if (pages->retained > keep) purge_units(pages, pages->retained - keep);
    if (pages->retained > keep) hak__packs_purge_some(pages, pages->retained - keep);
    if (!pages->region && pages->retained > keep) hak__purge_single(pages);
}
