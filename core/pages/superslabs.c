#include "pages/superslabs.h"

#include "os/os.h"

#define LOOK_AT 16 /* superslabs of a list that may have a run, not all of which need have it */

#define NO_LIST (-1)

const hak_superslab_lists hak__no_superslabs;

/* ------------------------------------------------------------------ lists */

/* Superslabs whose longest run of free units has 2^room … 2^(room+1) - 1; one has at least 1. */
static unsigned room_of(uint64_t free)
{
    unsigned room = 0;
    for (; room < HAK_ROOMS - 1; room++) {
        uint64_t twice = free & free >> (1u << room);
        if (!twice) break;
        free = twice;
    }
    return room;
}

static bool has_dirty(const hak_superslab *super)
{
    return (super->free & super->dirty) != 0;
}

/* A superslab with all its units free is in the list of the longest runs, even if it is short. */
static int list_for(const hak_superslab *super)
{
    if (!super->free) return NO_LIST;
    bool is_unused = super->free == hak__superslab_all(super);
    unsigned room = is_unused ? HAK_ROOMS - 1 : room_of(super->free);
    return (int)(room + (has_dirty(super) ? HAK_ROOMS : 0));
}

/* Takes a superslab out of its list, if it is in one. */
static void unlink(hak_pages *pages, hak_superslab *super)
{
    if (super->list == NO_LIST) return;
    hak__superslab_remove(&pages->supers->with_room[super->list], super);
    super->list = NO_LIST;
}

void hak__superslabs_changed(hak_pages *pages, hak_superslab *super)
{
    int list = list_for(super);
    if (list == super->list) return;
    unlink(pages, super);
    if (list != NO_LIST) hak__superslab_push(&pages->supers->with_room[list], super);
    super->list = (int8_t)list;
}

bool hak__superslabs_in_place(const hak_superslab *super)
{
    return super->list == list_for(super);
}

void hak__superslabs_set_tails(hak_pages *pages, hak_superslab *super, uint64_t units)
{
    if (units && !super->tails) {
        super->previous_tailed = NULL;
        super->next_tailed = pages->supers->tailed;
        if (super->next_tailed) super->next_tailed->previous_tailed = super;
        pages->supers->tailed = super;
    }
    super->tails |= units;
}

void hak__superslabs_clear_tails(hak_pages *pages, hak_superslab *super, uint64_t units)
{
    if (!(super->tails & units)) return;
    super->tails &= ~units;
    if (super->tails) return;
    if (super->previous_tailed) super->previous_tailed->next_tailed = super->next_tailed;
    else pages->supers->tailed = super->next_tailed;
    if (super->next_tailed) super->next_tailed->previous_tailed = super->previous_tailed;
}

/* The last superslab of a caller's memory may be short for good. */
static bool may_grow(const hak_superslab *super)
{
    return super->units < HAK_SUPERSLAB_UNITS && super->region == hak__region_shared();
}

hak_superslab *hak__superslabs_growing(const hak_pages *pages)
{
    return pages->growing ? &hak__region_shared()->supers[pages->growing - 1] : NULL;
}

void hak__superslabs_add(hak_pages *pages, hak_superslab *super)
{
    hak_superslab_lists *lists = pages->supers;
    super->owner = pages;
    super->tails = 0;
    super->list = NO_LIST;
    super->previous_owned = NULL;
    super->next_owned = lists->owned;
    if (lists->owned) lists->owned->previous_owned = super;
    lists->owned = super;
    pages->super_count++;
    if (may_grow(super)) pages->growing = (uint32_t)hak__superslab_index(super) + 1;
    hak__superslabs_changed(pages, super);
}

void hak__superslabs_remove(hak_pages *pages, hak_superslab *super)
{
    hak_superslab_lists *lists = pages->supers;
    hak__superslabs_clear_tails(pages, super, super->tails);
    unlink(pages, super);
    if (super->previous_owned) super->previous_owned->next_owned = super->next_owned;
    else lists->owned = super->next_owned;
    if (super->next_owned) super->next_owned->previous_owned = super->previous_owned;
    if (lists->cursor.super == super) lists->cursor = (hak_cursor){0};
    if (hak__superslabs_growing(pages) == super) pages->growing = 0;
    pages->super_count--;
}

/* ------------------------------------------------------------------ finding */

hak_superslab *hak__superslabs_unused(const hak_pages *pages, bool with_pages)
{
    return pages->supers->with_room[HAK_ROOMS - 1 + (with_pages ? HAK_ROOMS : 0)];
}

hak_superslab *hak__superslabs_next_dirty(const hak_pages *pages, const hak_superslab *super)
{
    int list = super ? super->list : 2 * HAK_ROOMS;
    hak_superslab *next = super ? super->next : NULL;
    while (!next && list > HAK_ROOMS) next = pages->supers->with_room[--list];
    return next;
}

/* Every `align`th bit. */
static uint64_t aligned_bits(size_t align)
{
    return ~(uint64_t)0 / hak__bits(0, align);
}

/* Where a run would lie, and how well. */
typedef struct candidate {
    hak_place place;
    size_t dirty;  /* units with pages */
    size_t length; /* of the free run that it is taken from */
} candidate;

/* The shortest free run of a superslab in which one of the places is; the best of them so far is
 * `best`. */
static void find_shortest(hak_superslab *super, size_t count, uint64_t places, candidate *best)
{
    for (uint64_t free = super->free, run; free; free &= ~run) {
        run = hak__bits_lowest_run(free);
        size_t length = hak__bits_span(run);
        bool is_worse = best->dirty == count && length >= best->length;
        if (!(places & run) || is_worse) continue;
        unsigned bit = (unsigned)__builtin_ctzll(places & run);
        *best = (candidate){{super, bit}, count, length};
    }
}

/* Where the most units have pages. */
static void find_dirtiest(hak_superslab *super, size_t count, uint64_t places, candidate *best)
{
    for (uint64_t rest = places; rest; rest &= rest - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(rest);
        size_t dirty = (size_t)__builtin_popcountll(super->dirty & hak__bits(bit, count));
        if (!best->place.super || dirty > best->dirty)
            *best = (candidate){{super, bit}, dirty, HAK_SUPERSLAB_UNITS};
    }
}

static void look_in(hak_superslab *super, size_t count, uint64_t aligned, candidate *best)
{
    uint64_t with_pages = hak__bits_run_starts(super->free & super->dirty, count) & aligned;
    if (count == 1) with_pages &= -with_pages;
    if (with_pages) find_shortest(super, count, with_pages, best);
    else if (best->dirty < count)
        find_dirtiest(super, count, hak__bits_run_starts(super->free, count) & aligned, best);
}

/* The best place in the lists of those with pages. What lies in a superslab with little room leaves
 * longer runs whole. Single units, as of slabs, lie at the lowest place, since what stays of them
 * would cut the room otherwise. */
static hak_place find_with_pages(const hak_pages *pages, size_t count, uint64_t aligned)
{
    candidate best = {0};
    size_t looked_at = 0;
    unsigned first = 63 - (unsigned)__builtin_clzll(count);
    for (unsigned room = first; room < HAK_ROOMS; room++) {
        hak_superslab *super = pages->supers->with_room[room + HAK_ROOMS];
        for (size_t in_list = 0; super && in_list < LOOK_AT; super = super->next, in_list++) {
            look_in(super, count, aligned, &best);
            bool is_exact = best.dirty == count && (count == 1 || best.length == count);
            if (is_exact || (best.place.super && ++looked_at >= LOOK_AT)) return best.place;
        }
        if (best.dirty == count) return best.place;
    }
    return best.place;
}

/* The first place in the lists of those without. */
static hak_place find_without(const hak_pages *pages, size_t count, uint64_t aligned)
{
    unsigned first = 63 - (unsigned)__builtin_clzll(count);
    for (unsigned room = first; room < HAK_ROOMS; room++) {
        size_t in_list = 0;
        hak_superslab *super = pages->supers->with_room[room];
        for (; super && in_list < LOOK_AT; super = super->next, in_list++) {
            uint64_t places = hak__bits_run_starts(super->free, count) & aligned;
            if (places) return (hak_place){super, (unsigned)__builtin_ctzll(places)};
        }
    }
    return (hak_place){0};
}

hak_place hak__superslabs_find(const hak_pages *pages, size_t count, size_t align)
{
    uint64_t aligned = aligned_bits(align);
    hak_place place = find_with_pages(pages, count, aligned);
    return place.super ? place : find_without(pages, count, aligned);
}

hak_superslab *hak__superslabs_find_clean(const hak_pages *pages)
{
    for (unsigned list = 2 * HAK_ROOMS; list-- > 0;) {
        size_t looked_at = 0;
        hak_superslab *super = pages->supers->with_room[list];
        for (; super && looked_at < LOOK_AT; super = super->next, looked_at++) {
            if (super->free & ~super->dirty) return super;
        }
    }
    return NULL;
}

hak_unit *hak__superslabs_step(hak_pages *pages)
{
    hak_cursor *cursor = &pages->supers->cursor;
    if (cursor->super) {
        uint64_t rest = ~cursor->super->free & cursor->super->dirty & ~cursor->passed;
        if (rest) {
            cursor->passed |= rest & -rest;
            return &hak__superslab_slabs(cursor->super)[__builtin_ctzll(rest)];
        }
        *cursor = (hak_cursor){cursor->super->next_owned, 0};
    } else if (pages->supers->owned) {
        *cursor = (hak_cursor){pages->supers->owned, 0};
    }
    return NULL;
}
