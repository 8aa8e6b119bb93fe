#include "pages/pack_lists.h"

#define LOOK_AT 16 /* packs of a list that may have a gap which is long enough */
#define NO_LIST (-1)

static hak_pack_lists *lists_of(const hak_pages *pages)
{
    return &hak__pack_of(pages->supers->packs)->lists;
}

/* The list for packs whose longest gap is `gap`. */
static int list_for(size_t gap)
{
    if (gap <= HAK_PACK_ABOVE) return NO_LIST;
    int list = __builtin_ctzll(HAK_PACK_ABOVE);
    list = 63 - __builtin_clzll(gap) - list;
    return list < HAK_PACK_LISTS ? list : HAK_PACK_LISTS - 1;
}

/* ------------------------------------------------------------------ with retained pages */

static bool is_retaining(const hak_pages *pages, const hak_superslab *super)
{
    return super->previous_tailed || lists_of(pages)->retaining == super;
}

static void set_retaining(hak_pages *pages, hak_superslab *super, bool retains)
{
    hak_pack_lists *lists = lists_of(pages);
    if (is_retaining(pages, super) == retains) return;
    if (retains) {
        super->previous_tailed = NULL;
        super->next_tailed = lists->retaining;
        if (lists->retaining) lists->retaining->previous_tailed = super;
        lists->retaining = super;
        return;
    }
    if (super->previous_tailed) super->previous_tailed->next_tailed = super->next_tailed;
    else lists->retaining = super->next_tailed;
    if (super->next_tailed) super->next_tailed->previous_tailed = super->previous_tailed;
    super->next_tailed = super->previous_tailed = NULL;
}

hak_superslab *hak__pack_lists_retaining(const hak_pages *pages)
{
    return pages->supers->packs ? lists_of(pages)->retaining : NULL;
}

/* ------------------------------------------------------------------ by gap */

static void set_list(hak_pages *pages, hak_superslab *super, int list)
{
    hak_superslab **by_gap = lists_of(pages)->by_gap;
    if (super->list == list) return;
    if (super->list != NO_LIST) hak__superslab_remove(&by_gap[super->list], super);
    if (list != NO_LIST) hak__superslab_push(&by_gap[list], super);
    super->list = (int8_t)list;
}

void hak__pack_lists_changed(hak_pages *pages, hak_superslab *super)
{
    const hak_pack *pack = hak__pack_of(super);
    super->pack_gap = (uint32_t)hak__pack_longest_gap(pack);
    set_list(pages, super, list_for(super->pack_gap));
    set_retaining(pages, super, pack->retained > 0);
}

bool hak__pack_lists_in_place(const hak_pages *pages, const hak_superslab *super)
{
    const hak_pack *pack = hak__pack_of(super);
    return super->pack_gap == hak__pack_longest_gap(pack) &&
           super->list == list_for(super->pack_gap) &&
           is_retaining(pages, super) == (pack->retained > 0);
}

hak_superslab *hak__pack_lists_find(const hak_pages *pages, size_t size, size_t align)
{
    size_t enough = size + align - HAK_PACK_STEP, looked_at = 0;
    if (!pages->supers->packs) return NULL;
    /* Pages that are there already cost neither a page fault nor footprint. */
    hak_superslab *retaining = lists_of(pages)->retaining;
    for (; retaining && looked_at < LOOK_AT; retaining = retaining->next_tailed, looked_at++) {
        if (retaining->pack_gap >= enough) return retaining;
    }
    for (int list = list_for(size); list < HAK_PACK_LISTS; list++) {
        hak_superslab *super = lists_of(pages)->by_gap[list];
        for (size_t i = 0; super && i < LOOK_AT; super = super->next, i++) {
            if (super->pack_gap >= enough) return super;
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------ all */

/* The first one stays the first, since it has the lists. */
void hak__pack_lists_add(hak_pages *pages, hak_superslab *super)
{
    hak_superslab *first = pages->supers->packs;
    super->previous_owned = first;
    super->next_owned = first ? first->next_owned : NULL;
    if (super->next_owned) super->next_owned->previous_owned = super;
    if (first) first->next_owned = super;
    else pages->supers->packs = super;
    super->list = NO_LIST;
    super->next_tailed = super->previous_tailed = NULL;
    hak__pack_lists_changed(pages, super);
}

void hak__pack_lists_remove(hak_pages *pages, hak_superslab *super)
{
    set_list(pages, super, NO_LIST);
    set_retaining(pages, super, false);
    hak_superslab *next = super->next_owned;
    if (next) next->previous_owned = super->previous_owned;
    if (super->previous_owned) {
        super->previous_owned->next_owned = next;
        return;
    }
    if (next) hak__pack_of(next)->lists = hak__pack_of(super)->lists;
    pages->supers->packs = next;
}
