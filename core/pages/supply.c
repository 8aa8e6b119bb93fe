#include "pages/supply.h"

#include "os/os.h"
#include "pages/mapping.h"
#include "pages/region.h"
#include "pages/waiting.h"

#define UNUSED_MOST 8            /* superslabs that stay, of nests none of which is in use */
#define NESTS_FEW   ((size_t)16) /* units that are mapped for the first nests */

/* The units of a short superslab that are mapped first. Fewer if the process has many superslabs,
 * and so perhaps many heaps: together with its nest a heap has eight units then. */
#define FIRST         ((size_t)16)
#define FIRST_OF_MANY ((size_t)7)
#define MANY          (((size_t)64 << 20) / HAK_SUPERSLAB_SIZE)

static hak_superslab *pool; /* superslabs without owner whose pages are kept; LIFO */
static size_t pool_bytes;   /* touched in them, and in free nests */

static size_t superslabs_taken, superslabs_given; /* for statistics */

/* The superslabs of nests that have a free one; where one was given back latest comes first, and
 * those whose free ones have no pages come last. */
static hak_superslab_line nests;
static size_t nests_unused; /* those that have no other */

static void put_into_pool(hak_superslab *super, size_t touched)
{
    super->next = pool;
    super->pooled = touched;
    pool_bytes += touched;
    pool = super;
}

static hak_superslab *take_from_pool(void)
{
    hak_superslab *super = pool;
    if (super) {
        pool = super->next;
        pool_bytes -= super->pooled;
        super->pooled = 0;
    }
    return super;
}

/* A superslab of free units, some of which may be dirty. A new one has at least `units`. */
static hak_superslab *take(hak_superslab_type type, size_t units)
{
    hak_superslab *super = type == HAK_SUPERSLAB_SLABS ? hak__waiting_take() : NULL;
    if (!super) super = take_from_pool();
    if (!super) super = hak__region_take_free(units);
    if (super) {
        superslabs_taken++;
        super->type = type;
        super->free = hak__superslab_all(super);
    }
    return super;
}

/* ------------------------------------------------------------------ short superslabs */

static bool are_few(void)
{
    return hak__mapping_count() < MANY;
}

/* The units to map of a superslab that needs `least`. */
static size_t first_units(size_t least)
{
    if (!hak__mapping_may_be_short()) return HAK_SUPERSLAB_UNITS;
    size_t first = are_few() ? FIRST : FIRST_OF_MANY;
    return first > least ? first : least;
}

/* The units to map when it grows: twice as many, so that few steps lead to a whole one. */
static size_t next_units(size_t units, size_t least)
{
    size_t next = 2 * units > least ? 2 * units : least;
    return next <= HAK_SUPERSLAB_UNITS / 2 ? next : HAK_SUPERSLAB_UNITS;
}

/* Of a whole superslab that another heap has left, only the first `units` and those with pages stay
 * mapped. If these are most of it, it stays whole. */
static void shorten(hak_superslab *super, size_t units)
{
    if (!super->region->grows || super->units < HAK_SUPERSLAB_UNITS || are_few()) return;
    size_t dirty = super->dirty ? HAK_SUPERSLAB_UNITS - (size_t)__builtin_clzll(super->dirty) : 0;
    if (units < dirty) units = dirty;
    if (units > HAK_SUPERSLAB_UNITS / 2) return;
    hak__mapping_shorten(super, units);
    super->free = hak__superslab_all(super);
}

hak_superslab *hak__supply_take(struct hak_pages *pages, size_t least)
{
    hak__region_start();
    hak__region_lock();
    size_t units = first_units(least);
    hak_superslab *super = take(HAK_SUPERSLAB_SLABS, units);
    if (super) {
        shorten(super, units);
        super->owner = pages;
    }
    hak__region_unlock();
    return super;
}

hak_mapped hak__supply_grow(hak_superslab *super, size_t least)
{
    hak__region_lock();
    size_t had = super->units, units = next_units(had, least);
    hak_mapped mapped = hak__mapping_grow(super, units);
    if (mapped != HAK_MAPPED && units > least) mapped = hak__mapping_grow(super, least);
    super->free |= hak__bits(had, super->units - had);
    hak__region_unlock();
    return mapped;
}

static void make_free(hak_superslab *super)
{
    hak__region_drop_records(super);
    hak__region_make_free(super, 1);
}

/* Gives the pages of a superslab of slabs back, and frees it. False when the OS refuses. */
static bool purge(hak_superslab *super)
{
    if (!hak__mapping_drop(super)) return false;
    hak_unit *slabs = hak__superslab_slabs(super);
    for (size_t i = 0; i < super->units; i++) slabs[i].touched = 0;
    super->dirty = 0;
    make_free(super);
    return true;
}

void hak__supply_orphan(hak_superslab *super)
{
    superslabs_given++;
    super->owner = NULL;
}

void hak__supply_drop(hak_superslab *super, size_t touched)
{
    if (!purge(super)) put_into_pool(super, touched);
}

void hak__supply_give(hak_superslab *super, size_t touched, size_t pool_max)
{
    hak__region_lock();
    hak__supply_orphan(super);
    bool is_pooled = touched && pool_bytes + touched <= pool_max;
    if (touched == 0 && super->units == HAK_SUPERSLAB_UNITS) {
        make_free(super);
    } else if (is_pooled || !purge(super)) {
        put_into_pool(super, touched);
    }
    hak__region_unlock();
}

/* ------------------------------------------------------------------ nests */

static hak_superslab *nests_new(void)
{
    bool is_first = hak__mapping_count() == 0 || hak__os_address_limit() != SIZE_MAX;
    hak_superslab *super = take(HAK_SUPERSLAB_NESTS, is_first ? NESTS_FEW : HAK_SUPERSLAB_UNITS);
    if (!super) return NULL;
    pool_bytes += hak__superslab_retained(super);
    super->owner = NULL;
    hak__line_put_first(&nests, super);
    nests_unused++;
    return super;
}

static hak_unit *take_nest(void)
{
    hak_superslab *super = nests.first ? nests.first : nests_new();
    if (!super) return NULL;
    if (super->free == hak__superslab_all(super)) nests_unused--;
    uint64_t dirty = super->free & super->dirty;
    unsigned bit = (unsigned)__builtin_ctzll(dirty ? dirty : super->free);
    super->free &= ~((uint64_t)1 << bit);
    super->dirty &= ~((uint64_t)1 << bit);
    if (!(super->free & super->dirty)) {
        hak__line_remove(&nests, super);
        if (super->free) hak__line_put_last(&nests, super);
    }
    hak_unit *nest = &hak__superslab_slabs(super)[bit];
    pool_bytes -= nest->touched;
    *nest = (hak_unit){
        .start = hak__superslab_start(super) + ((size_t)bit << HAK_UNIT_SHIFT),
        .touched = nest->touched,
        .units = 1,
        .state = HAK_UNIT_NEST,
    };
    return nest;
}

hak_unit *hak__supply_take_nest(void)
{
    hak__region_start();
    hak__region_lock();
    hak_unit *nest = take_nest();
    hak__region_unlock();
    return nest;
}

/* Purges the dirty ones of `run`, adjacent free units. False when the OS refuses. */
static bool purge_run(hak_superslab *super, uint64_t run)
{
    run &= super->dirty;
    if (!run) return true;
    hak_unit *slabs = hak__superslab_slabs(super);
    size_t first = (size_t)__builtin_ctzll(run), last = 63 - (size_t)__builtin_clzll(run);
    char *start = hak__superslab_start(super) + (first << HAK_UNIT_SHIFT);
    if (!hak__region_purge(start, ((last - first) << HAK_UNIT_SHIFT) + slabs[last].touched))
        return false;
    super->dirty &= ~run;
    for (uint64_t rest = run; rest; rest &= rest - 1) {
        hak_unit *slab = &slabs[__builtin_ctzll(rest)];
        pool_bytes -= slab->touched;
        slab->touched = 0;
    }
    return true;
}

/* Purges the free nests of a superslab, and frees it if there are no others. False when the OS
 * refuses. */
static bool purge_nests(hak_superslab *super)
{
    for (uint64_t rest = super->free, run; rest; rest &= ~run) {
        run = hak__bits_lowest_run(rest);
        if (!purge_run(super, run)) return false;
    }
    if (super->free != hak__superslab_all(super) || super->dirty) return true;
    if (super->units < HAK_SUPERSLAB_UNITS && !hak__mapping_remove(super)) return false;
    hak__line_remove(&nests, super);
    nests_unused--;
    superslabs_given++;
    make_free(super);
    return true;
}

/* Gives free nests back until at most `keep` bytes are pooled. */
static void shrink_nests(size_t keep)
{
    hak_superslab *prev;
    for (hak_superslab *super = nests.last; super && pool_bytes > keep; super = prev) {
        prev = super->prev;
        if (!purge_nests(super)) return;
    }
}

void hak__supply_give_nest(hak_unit *nest, size_t pool_max)
{
    hak__region_lock();
    hak_region *region = hak__region_of(nest->start);
    hak_superslab *super = hak__superslab_of(region, nest->start);
    uint64_t bit = (uint64_t)1 << (hak__unit_index(region, nest->start) % HAK_SUPERSLAB_UNITS);
    if (super->free) hak__line_remove(&nests, super);
    hak__line_put_first(&nests, super);
    super->free |= bit;
    if (nest->touched) super->dirty |= bit;
    pool_bytes += nest->touched;
    *nest = (hak_unit){.touched = nest->touched};
    bool is_unused = super->free == hak__superslab_all(super);
    if (is_unused && ++nests_unused > UNUSED_MOST) purge_nests(super);
    if (pool_bytes > pool_max) shrink_nests(pool_max / 2);
    hak__region_unlock();
}

/* ------------------------------------------------------------------ both */

/* Gives pooled superslabs back likewise. One that the OS refuses to take stays. */
static void shrink_pool(size_t keep)
{
    while (pool && pool_bytes > keep) {
        size_t bytes = pool->pooled;
        hak_superslab *super = take_from_pool();
        if (purge(super)) continue;
        put_into_pool(super, bytes);
        return;
    }
}

size_t hak__supply_shrink(size_t keep)
{
    hak__region_lock();
    size_t before = pool_bytes;
    shrink_pool(keep);
    shrink_nests(keep);
    size_t given = before - pool_bytes;
    hak__region_unlock();
    return given;
}

hak_supply_counts hak__supply_counts(void)
{
    return (hak_supply_counts){
        .pooled = pool_bytes + hak__waiting_bytes(),
        .superslabs_taken = superslabs_taken,
        .superslabs_given = superslabs_given,
    };
}
