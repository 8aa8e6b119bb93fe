#include "pages/units.h"

#include "os/os.h"
#include "pages/accounts.h"
#include "pages/growth.h"
#include "pages/reaper.h"
#include "pages/scatter.h"
#include "pages/shelf.h"
#include "pages/superslabs.h"
#include "pages/supply.h"
#include "pages/unit_purge.h"

/* ------------------------------------------------------------------ what is touched */

/* How many of the first `end` bytes of a run have been touched. */
static size_t touched_before(const hak_pages *pages, const hak_unit *run, size_t end)
{
    size_t unit_size = hak__pages_unit_size(pages), bytes = 0;
    for (; end > unit_size; end -= unit_size) bytes += (run++)->touched;
    return bytes + (end < run->touched ? end : run->touched);
}

static void set_dirty(hak_region *region, size_t unit)
{
    region->supers[unit / HAK_SUPERSLAB_UNITS].dirty |= (uint64_t)1 << (unit % HAK_SUPERSLAB_UNITS);
}

/* The units of a run that lie in one superslab: each time, *unit and *count are those that are
 * left.
 */
static hak_superslab *next_part(hak_region *region, size_t *unit, size_t *count, uint64_t *mask)
{
    hak_superslab *super = &region->supers[*unit / 64];
    size_t first = *unit % 64, here = 64 - first < *count ? 64 - first : *count;
    *mask = hak__bits(first, here);
    *unit += here;
    *count -= here;
    return super;
}

/* Notes that a run may have pages behind what is in use. */
static void note_tails(hak_pages *pages, hak_unit *run)
{
    if (run == pages->single) return; /* purge.c sees to it */
    hak_region *region = hak__region_of_run(pages, run);
    size_t unit = (size_t)(run - region->slabs), count = run->units;
    while (count > 0) {
        uint64_t mask;
        hak_superslab *super = next_part(region, &unit, &count, &mask);
        hak__superslabs_set_tails(pages, super, mask & super->dirty);
    }
}

size_t hak__units_untouched(const hak_pages *pages, const hak_unit *run, size_t begin, size_t end)
{
    size_t touched = touched_before(pages, run, end);
    if (begin > 0) touched -= touched_before(pages, run, begin);
    return end - begin - touched;
}

bool hak__units_use(hak_pages *pages, hak_unit *run, size_t begin, size_t end)
{
    return hak__units_use_with(pages, run, begin, end,
                               hak__units_untouched(pages, run, begin, end));
}

bool hak__units_use_with(hak_pages *pages, hak_unit *run, size_t begin, size_t end, size_t more)
{
    HAK_ASSERT(begin <= end && begin % HAK_PAGE == 0 && end % HAK_PAGE == 0);
    HAK_ASSERT(more == hak__units_untouched(pages, run, begin, end));
    pages->short_of = hak__short_of(pages, more);
    if (pages->short_of) return false;
    pages->retained -= end - begin - more;
    hak__charge_always(pages, more);
    if (more == 0) return true;
    if (run == pages->single) {
        run->touched = (uint32_t)end;
        return true;
    }
    hak_region *region = hak__region_of_run(pages, run);
    size_t unit_size = hak__pages_unit_size(pages);
    for (size_t i = begin / unit_size; i < run->units; i++) {
        size_t part = hak__part_in_unit(end, i, unit_size);
        if (part > run[i].touched) run[i].touched = (uint32_t)part;
        if (part) set_dirty(region, (size_t)(&run[i] - region->slabs));
    }
    return true;
}

void hak__units_leave(hak_pages *pages, hak_unit *run, size_t begin, size_t end)
{
    size_t bytes = touched_before(pages, run, end) - touched_before(pages, run, begin);
    pages->retained += bytes;
    if (bytes) note_tails(pages, run);
}

/* ------------------------------------------------------------------ superslabs */

/* Touches the purged pages of a unit, so that it has all that its record says. */
static void mend(const hak_unit *slab)
{
    for (uint32_t rest = slab->purged; rest; rest &= rest - 1) {
        hak__os_touch(hak__unit_base(slab) + (size_t)__builtin_ctz(rest) * HAK_PAGE, HAK_PAGE);
    }
}

/* Gives the pages of a superslab with purged ones back, since the pool's have none. */
static void purge_punched(hak_superslab *super)
{
    hak_unit *slabs = hak__superslab_slabs(super);
    bool given = hak__region_purge(hak__superslab_start(super), hak__superslab_bytes(super));
    for (size_t i = 0; i < super->units; i++) {
        if (given) slabs[i].touched = 0;
        else mend(&slabs[i]);
    }
    if (given) super->dirty = 0;
}

/* Takes a superslab from the heap: all its units are free then. */
static size_t drop(hak_pages *pages, hak_superslab *super)
{
    hak_unit *slabs = hak__superslab_slabs(super);
    uint32_t purged = 0;
    size_t touched = 0;
    for (size_t i = 0; i < super->units; i++) purged |= slabs[i].purged;
    if (purged) purge_punched(super);
    for (size_t i = 0; i < super->units; i++) {
        touched += slabs[i].touched;
        slabs[i] = (hak_unit){.touched = slabs[i].touched};
    }
    hak__superslabs_remove(pages, super);
    super->free = hak__superslab_all(super);
    return touched;
}

/* Pages from the pool that pass the limit go back, whatever grace there is: nobody has asked for
 * them. */
bool hak__units_adopt(hak_pages *pages, hak_superslab *super)
{
    hak__superslabs_add(pages, super);
    size_t touched = hak__superslab_retained(super);
    pages->short_of = hak__short_of(pages, touched);
    pages->retained += touched;
    pages->footprint += touched;
    if (touched && (pages->short_of || pages->footprint > pages->limit)) {
        hak__purge_begin(pages);
        if (hak__units_purge(pages, super, touched) < touched && pages->short_of) {
            touched = drop(pages, super);
            pages->retained -= touched;
            pages->footprint -= touched;
            hak__supply_give(super, touched, SIZE_MAX);
            return false;
        }
        pages->short_of = 0;
    }
    hak__charge_always(pages, 0);
    if (super->region == hak__region_shared()) {
        size_t end = (hak__superslab_index(super) + 1) * HAK_SUPERSLAB_UNITS;
        pages->owner->reached(pages, end);
    }
    return true;
}

size_t hak__units_let_wait(hak_pages *pages, hak_superslab *super, size_t milliseconds)
{
    if (pages->may_be_dirty) return hak__units_return(pages, super, 0);
    size_t touched = drop(pages, super);
    if (!touched || !hak__reaper_let_wait(super, touched, milliseconds))
        hak__supply_give(super, touched, 0);
    return touched;
}

size_t hak__units_return(hak_pages *pages, hak_superslab *super, size_t pool_max)
{
    size_t touched = drop(pages, super);
    if (pages->may_be_dirty) {
        /* What looks clean may not be. */
        hak_unit *slabs = hak__superslab_slabs(super);
        for (size_t i = 0; i < super->units; i++) slabs[i].touched = 1 << HAK_UNIT_SHIFT;
        super->dirty = hak__superslab_all(super);
        hak__supply_give(super, hak__superslab_bytes(super), 0);
    } else {
        hak__supply_give(super, touched, pool_max);
    }
    return touched;
}

/* ------------------------------------------------------------------ runs */

static void mark_in(hak_pages *pages, hak_superslab *super, uint64_t mask, bool free)
{
    HAK_ASSERT((super->free & mask) == (free ? 0 : mask));
    if (free) {
        super->free |= mask;
        hak__superslabs_clear_tails(pages, super, mask);
    } else {
        super->free &= ~mask;
        hak__superslabs_set_tails(pages, super, mask & super->dirty);
    }
    hak__superslabs_changed(pages, super);
}

/* Marks `count` units from `unit` on as free or taken. */
static void mark(hak_pages *pages, hak_region *region, size_t unit, size_t count, bool free)
{
    if (count == 0) return; /* a run that is resized to as many units as before */
    if (!pages->region) {   /* a run stays in its superslab */
        mark_in(pages, &region->supers[unit / 64], hak__bits(unit % 64, count), free);
        return;
    }
    hak__room_mark(&region->room, unit, count, !free);
    while (count > 0) {
        uint64_t mask;
        hak_superslab *super = next_part(region, &unit, &count, &mask);
        mark_in(pages, super, mask, free);
    }
}

/* Whether `count` units from `unit` on are free, and may belong to a run that begins before them:
 * it stays in its superslab, but on a caller's memory. */
static bool all_free(const hak_pages *pages, const hak_region *region, size_t unit, size_t count)
{
    if (pages->region) return hak__room_is_free(&region->room, unit, count);
    if (unit % 64 == 0 || unit % 64 + count > 64) return false;
    uint64_t mask = hak__bits(unit % 64, count);
    return (region->supers[unit / 64].free & mask) == mask;
}

static void set_interior(hak_unit *run, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        run[i] =
            (hak_unit){.state = HAK_UNIT_INTERIOR, .units = (uint32_t)i, .touched = run[i].touched};
    }
}

static void set_unused(hak_unit *run, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) run[i] = (hak_unit){.touched = run[i].touched};
}

/* Frees the units of a run that nothing is accounted for as in use. */
static void set_free(hak_pages *pages, hak_region *region, hak_unit *run)
{
    size_t count = run->units;
    set_unused(run, 0, count);
    mark(pages, region, (size_t)(run - region->slabs), count, true);
}

void hak__units_clear_shelf(hak_pages *pages)
{
    if (hak__shelf_is_empty(pages)) return;
    for (hak_unit *run; (run = hak__shelf_take_any(pages)) != NULL;)
        set_free(pages, &hak__shared, run);
}

static bool all_have_pages(hak_place place, size_t count)
{
    uint64_t units = hak__bits(place.bit, count);
    return place.super && (place.super->dirty & units) == units;
}

/* Units that have pages already come first: they cost neither a page fault nor footprint. If there
 * is no such run, those on the shelf may be a part of one. */
static hak_place find_run(hak_pages *pages, size_t count, size_t align)
{
    if (!pages->region || count == 1) {
        if (count > HAK_SUPERSLAB_UNITS) return (hak_place){0};
        hak_place found = hak__superslabs_find(pages, count, align);
        if (hak__shelf_is_empty(pages) || all_have_pages(found, count)) return found;
        hak__units_clear_shelf(pages);
        return hak__superslabs_find(pages, count, align);
    }
    size_t first = hak__room_find(&pages->region->room, 0, count);
    if (first == HAK_ROOM_NOWHERE) return (hak_place){0};
    return (hak_place){&pages->region->supers[first / 64], (unsigned)(first % 64)};
}

static hak_superslab *take_superslab(hak_pages *pages, size_t least)
{
    hak__reaper_make_room(HAK_SUPERSLAB_SIZE, true);
    hak_superslab *super = hak__supply_take(pages, hak__growth_least(pages, least));
    if (!super || !hak__units_adopt(pages, super)) return NULL;
    if (pages->keeps_whole) hak__growth_by(pages, HAK_SUPERSLAB_UNITS);
    return super;
}

/* Maps more units for a run: in the short superslab, or a further superslab. */
static hak_place take_more(hak_pages *pages, size_t count, size_t align)
{
    hak_place found = hak__growth_find(pages, count, align);
    while (!found.super) {
        hak_superslab *super = take_superslab(pages, count);
        if (!super) break;
        found =
            super->units < count ? hak__growth_find(pages, count, align) : (hak_place){super, 0};
    }
    return found;
}

static hak_unit *take_at(hak_pages *pages, hak_place found, size_t count, hak_unit_state state)
{
    hak_region *region = found.super->region;
    size_t unit = hak__superslab_index(found.super) * HAK_SUPERSLAB_UNITS + found.bit;
    hak_unit *run = &region->slabs[unit];
    mark(pages, region, unit, count, false);
    *run = (hak_unit){
        .start = hak__unit_start(region, unit),
        .touched = run->touched,
        .units = (uint32_t)count,
        .state = (uint8_t)state,
    };
    set_interior(run, 1, count);
    return run;
}

hak_unit *hak__units_take_mapped(hak_pages *pages, size_t count, size_t align, hak_unit_state state)
{
    hak_place found = find_run(pages, count, align);
    return found.super ? take_at(pages, found, count, state) : NULL;
}

hak_unit *hak__units_take(hak_pages *pages, size_t count, size_t align, hak_unit_state state)
{
    hak_place found = find_run(pages, count, align);
    if (!found.super) {
        if (pages->region || count > HAK_SUPERSLAB_UNITS) return NULL;
        found = take_more(pages, count, align);
        if (!found.super) return NULL;
    }
    return take_at(pages, found, count, state);
}

hak_unit *hak__units_take_scattered(hak_pages *pages, const hak_unit *last, hak_unit_state state)
{
    hak_place found = find_run(pages, 1, 1);
    bool has_pages = found.super && found.super->dirty >> found.bit & 1;
    if (pages->region || !last->start || has_pages) return hak__units_take(pages, 1, 1, state);
    hak_superslab *more = hak__scatter_needs_another(pages, last) ? take_superslab(pages, 1) : NULL;
    hak_place other = more ? (hak_place){more, 0} : hak__scatter(last);
    return other.super ? take_at(pages, other, 1, state) : hak__units_take(pages, 1, 1, state);
}

/* A unit is accounted for up to the last page it has touched, without holes. So one with purged
 * pages goes back whole, or is of no use until it does. */
static void give_punched(hak_pages *pages, hak_region *region, hak_unit *run)
{
    size_t unit = (size_t)(run - region->slabs), missing = hak__bytes_of_pages(run->purged);
    hak_superslab *super = &region->supers[unit / 64];
    pages->retained += hak__pages_used(pages, run) - missing;
    if (missing == run->touched) { /* there is nothing left to give */
        *run = (hak_unit){0};
        super->dirty &= ~((uint64_t)1 << unit % 64);
        mark(pages, region, unit, 1, true);
        return;
    }
    *run = (hak_unit){
        .start = hak__unit_base(run),
        .touched = run->touched,
        .purged = run->purged,
        .units = 1,
        .state = HAK_UNIT_REMNANT,
    };
    hak__superslabs_set_tails(pages, super, (uint64_t)1 << unit % 64);
    hak__units_purge_one(pages, super, unit % 64);
}

void hak__units_give(hak_pages *pages, hak_unit *run)
{
    hak_region *region = hak__region_of_run(pages, run);
    if (run->purged) {
        give_punched(pages, region, run);
        return;
    }
    pages->retained += touched_before(pages, run, hak__pages_used(pages, run));
    set_free(pages, region, run);
}

hak_unit *hak__units_take_shelved(hak_pages *pages, size_t count)
{
    hak_unit *span = hak__shelf_take(pages, count);
    if (span) hak__unit_set_state(span, HAK_SPAN);
    return span;
}

void hak__units_shelve(hak_pages *pages, hak_unit *span)
{
    size_t used = span->span_size;
    if (hak__region_of_run(pages, span) != &hak__shared || span->purged ||
        !hak__shelf_put(pages, span)) {
        hak__units_give(pages, span);
        return;
    }
    pages->retained += touched_before(pages, span, used);
    size_t unit = (size_t)(span - hak__shared.slabs);
    hak_superslab *super = &hak__shared.supers[unit / 64];
    uint64_t tails = hak__bits(unit % 64, span->units) & super->dirty;
    if (tails & ~super->tails) hak__superslabs_set_tails(pages, super, tails);
}

/* Whether a span on the shelf begins with that unit, which lies behind a run. A run ends where its
 * superslab does: there may be no record behind that. */
static bool is_shelved(const hak_region *region, size_t unit)
{
    return region == &hak__shared && unit % HAK_SUPERSLAB_UNITS != 0 &&
           region->slabs[unit].state == HAK_SPAN_SHELVED;
}

bool hak__units_resize(hak_pages *pages, hak_unit *run, size_t count)
{
    hak_region *region = hak__region_of_run(pages, run);
    size_t unit = (size_t)(run - region->slabs);
    size_t had = run->units;
    if (count > had) {
        if (is_shelved(region, unit + had)) hak__units_clear_shelf(pages);
        if (!all_free(pages, region, unit + had, count - had) &&
            !hak__growth_behind(pages, &region->supers[unit / 64], unit % 64 + had,
                                unit % 64 + count))
            return false;
        mark(pages, region, unit + had, count - had, false);
        set_interior(run, had, count);
    } else {
        set_unused(run, count, had);
        mark(pages, region, unit + count, had - count, true);
    }
    run->units = (uint32_t)count;
    return true;
}
