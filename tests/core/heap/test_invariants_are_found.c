/* Whatever is broken in a heap is found by hak__heap_check, in the debug build: the process ends
 * with a line that says so. A heap with something of everything is whole; then one thing after the
 * other is broken in it. */
#include "support.h"

#include <signal.h>
#include <string.h>

#include "heap/bins.h"
#include "heap/check.h"
#include "heap/holes.h"
#include "os/calls.h"
#include "pages/superslabs.h"
#include "pages/units.h"

#define SIZE ((size_t)64)
#define MANY ((size_t)40 * 1024)
#define UNIT ((size_t)1 << HAK_UNIT_SHIFT)

static hak_heap *heap;
static char *span, *small_span, *huge, *medium;

/* ------------------------------------------------------------------ a heap with everything */

static hak_slab *record_of(const void *block)
{
    hak_region *region = hak__region_of(block);
    return &region->slabs[hak__unit_index(region, block)];
}

/* The first unit in a state, with pages or not. */
static hak_slab *unit_that_is(hak_slab_state state, bool touched, bool punched)
{
    for (hak_superslab *super = heap->pages.supers->owned; super; super = super->next_owned) {
        for (size_t i = 0; i < HAK_SUPERSLAB_UNITS; i++) {
            hak_slab *unit = &hak__superslab_slabs(super)[i];
            if (unit->state == state && !unit->touched == !touched && !unit->purged == !punched)
                return unit;
        }
    }
    REQUIRE(!"there is one");
    return NULL;
}

static bool stays(size_t slab, size_t offset)
{
    switch (slab % 4) {
    case 0: return true;                         /* full */
    case 1: return offset < PAGE;                /* dry, once the other pages are gone */
    case 2: return offset / SIZE % 2;            /* partial, all pages in use */
    default: return offset % (2 * PAGE) == SIZE; /* partial, every second page gone */
    }
}

static void fill(void)
{
    static char *blocks[MANY];
    size_t slab = 0;
    for (size_t i = 0; i < MANY; i++) REQUIRE(blocks[i] = hak_heap_alloc(heap, SIZE));
    for (size_t i = 1; i < MANY; i++) {
        slab += (uintptr_t)blocks[i] / UNIT != (uintptr_t)blocks[i - 1] / UNIT;
        if (!stays(slab, (uintptr_t)blocks[i] % UNIT)) hak_heap_free(heap, blocks[i]);
    }
    hak_heap_trim(heap);
}

/* A page of a slab that is found, and not given back. */
static void find_a_hole(void)
{
    char *slab = unit_that_is(HAK_SLAB_PARTIAL, true, false)->start;
    for (size_t at = SIZE; at < PAGE; at += 2 * SIZE) hak_heap_free(heap, slab + at);
    hak__holes_find(heap, false);
    REQUIRE(heap->vacant_pages == 1);
}

static int setup(void **state)
{
    (void)state;
    heap = hak_heap_new(NULL);
    fill();
    span = hak_heap_alloc(heap, 200000);
    void *rest = hak_heap_alloc(heap, 150000);
    void *kept = hak_heap_alloc(heap, 5 * MIB);
    huge = hak_heap_alloc(heap, 9 * MIB);
    medium = hak_heap_alloc(heap, 5000);
    hak_heap_free(heap, hak_heap_alloc(heap, 5000));
    small_span = hak_heap_alloc(heap, 30000);
    REQUIRE(rest && kept && small_span && hak_heap_alloc(heap, 9 * MIB));
    REQUIRE(hak_heap_realloc(heap, span, 150000) == span);
    hak_heap_free(heap, rest);
    hak_heap_free(heap, kept);
    find_a_hole();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hak_heap_destroy(heap);
    return 0;
}

static hak_superslab *superslab_of(const void *block)
{
    return hak__superslab_of(hak__region_of(block), block);
}

static char *start_of(const hak_slab *unit)
{
    const hak_region *region = hak__region_shared();
    return hak__unit_start(region, (size_t)(unit - region->slabs));
}

static hak_slab *full(void)
{
    return unit_that_is(HAK_SLAB_FULL, true, false);
}

static hak_slab *partial(void)
{
    return unit_that_is(HAK_SLAB_PARTIAL, true, false);
}

static hak_slab *current(void)
{
    return hak__heap_current(heap, hak__class_of_slab(full()));
}

/* A free unit with pages, or one without. */
static hak_slab *unused(bool touched)
{
    return unit_that_is(HAK_UNIT_FREE, touched, false);
}

static uint64_t bit_of(const hak_slab *unit)
{
    return (uint64_t)1 << hak__unit_index(hak__region_shared(), start_of(unit)) % 64;
}

/* ------------------------------------------------------------------ what can be broken */

static void free_block_lies_askew(void)
{
    hak_slab *slab = partial();
    char *free = slab->free;
    *(void **)(free + 8) = *(void **)free;
    slab->free = free + 8;
}

static void free_block_was_never_carved(void)
{
    hak_slab *slab = record_of(medium);
    char *free = slab->free, *beyond = slab->start + slab->carved * slab->block_size;
    *(void **)beyond = *(void **)free;
    slab->free = beyond;
}

static void free_block_lies_in_absent_page(void)
{
    hak_slab *slab = unit_that_is(HAK_SLAB_PARTIAL, true, true);
    char *block = slab->start + (size_t)__builtin_ctz(slab->purged) * PAGE;
    *(void **)block = *(void **)slab->free;
    slab->free = block;
}

static void slab_is_of_another_class(void)
{
    full()->size_class++;
}
static void slab_is_of_no_kind(void)
{
    full()->block_kind = 1;
}
static void full_slab_sleeps_too_long(void)
{
    hak__slab_set_left(full(), full()->asleep + 1);
}
static void full_slab_says_searched(void)
{
    full()->searched = true;
}
static void loose_is_wrong(void)
{
    heap->loose += PAGE;
}
static void unsearched_is_wrong(void)
{
    heap->unsearched++;
}
static void vacant_pages_are_wrong(void)
{
    heap->vacant_pages++;
}
static void footprint_is_wrong(void)
{
    heap->pages.footprint -= PAGE;
}
static void peak_is_below(void)
{
    heap->pages.footprint_peak = heap->pages.footprint - 1;
}
static void retained_is_wrong(void)
{
    heap->pages.retained += PAGE;
}
static void superslabs_are_miscounted(void)
{
    heap->pages.super_count++;
}

static void full_slab_has_a_block_uncounted(void)
{
    hak_slab *slab = full();
    *(void **)slab->start = slab->free;
    slab->free = slab->start;
}

static void page_with_blocks_says_vacant(void)
{
    partial()->vacant |= 2;
    heap->vacant_pages++;
}

static void absent_page_says_vacant(void)
{
    hak_slab *slab = unit_that_is(HAK_SLAB_PARTIAL, true, true);
    slab->vacant |= (uint16_t)(slab->purged & -slab->purged);
    heap->vacant_pages++;
}

static void partial_slab_counts_too_many(void)
{
    hak__slab_set_left(partial(), hak__slab_left(partial()) + 1);
}

static void current_slab_is_in_no_bin(void)
{
    hak_slab *slab = current();
    heap->bin[slab->block_size / 8] = (hak_slab *)&hak__no_slab;
}

static void partial_slab_is_in_no_list(void)
{
    hak_slab **first = &heap->bins.lists->partial[partial()->size_class], *last = (*first)->prev;
    *first = (*first)->next;
    (*first)->prev = last;
}

static void partial_slabs_are_linked_one_way(void)
{
    hak_slab *first = heap->bins.lists->partial[partial()->size_class];
    first->next->prev = first->next;
}

static void first_does_not_know_the_last(void)
{
    hak_slab *first = heap->bins.lists->partial[partial()->size_class];
    first->prev = first;
}

static void dry_slabs_are_in_no_list(void)
{
    current()->next = NULL;
}
static void dry_slab_counts_too_many(void)
{
    hak__slab_set_left(current()->next, 2);
}
static void current_slab_counts_too_many(void)
{
    hak__slab_set_left(current(), HAK_LEFT_FAR + 1);
}
static void current_slab_is_too_full(void)
{
    current()->capacity = current()->carved - 1;
}
static void list_has_a_slab_of_another_kind(void)
{
    current()->next->prev = NULL;
}

/* The accounts agree with it. */
static void unit_has_half_a_page(void)
{
    unused(true)->touched -= 8;
    heap->pages.footprint -= 8;
    heap->pages.retained -= 8;
}

static void unit_has_more_than_it_can(void)
{
    hak_slab *unit = unused(true);
    size_t more = UNIT + PAGE - unit->touched;
    unit->touched += (uint32_t)more;
    heap->pages.footprint += more;
    heap->pages.footprint_peak += more;
    heap->pages.retained += more;
}

static void clean_unit_says_dirty(void)
{
    superslab_of(start_of(unused(false)))->dirty |= bit_of(unused(false));
}

static void dirty_unit_says_clean(void)
{
    hak_slab *unit = unused(true);
    superslab_of(start_of(unit))->dirty &= ~bit_of(unit);
}

static void unit_in_use_says_free(void)
{
    superslab_of(full()->start)->free |= bit_of(full());
}

static void free_unit_says_in_use(void)
{
    superslab_of(start_of(unused(false)))->free &= ~bit_of(unused(false));
}

static void free_unit_counts_frees(void)
{
    hak__slab_set_left(unused(false), 2);
}
static void span_counts_frees(void)
{
    hak__slab_set_left(record_of(span), 2);
}
static void span_has_a_free_block(void)
{
    record_of(span)->free = span;
}
static void span_ends_too_soon(void)
{
    record_of(span)->units--;
}
static void span_begins_elsewhere(void)
{
    record_of(span)->start += PAGE;
}
static void span_has_more_than_was_touched(void)
{
    record_of(small_span)->span_size += PAGE;
}
static void superslab_is_nobodys(void)
{
    superslab_of(span)->owner = NULL;
}
static void superslab_is_of_no_kind(void)
{
    superslab_of(span)->type = HAK_SUPERSLAB_NESTS;
}
static void superslab_is_not_committed(void)
{
    superslab_of(span)->mapped = false;
}
static void superslab_is_in_another_list(void)
{
    superslab_of(span)->list ^= 1;
}

static void superslab_is_in_the_wrong_list(void)
{
    hak_superslab *super = superslab_of(span);
    int list = super->list, other = list ? 0 : 1;
    REQUIRE(heap->pages.supers->with_room[list] == super && !super->next);
    heap->pages.supers->with_room[list] = NULL;
    heap->pages.supers->with_room[other] = super;
    super->list = (int8_t)other;
}

static void superslab_is_in_no_list(void)
{
    heap->pages.supers->with_room[superslab_of(span)->list] = NULL;
}

static void tails_are_in_no_list(void)
{
    heap->pages.supers->tailed = NULL;
}

static void free_unit_says_tailed(void)
{
    hak_superslab *super = superslab_of(start_of(unused(true)));
    hak__superslabs_set_tails(&heap->pages, super, bit_of(unused(true)));
}

static void tail_is_not_said(void)
{
    hak_superslab *super = superslab_of(span);
    hak__superslabs_clear_tails(&heap->pages, super, super->tails);
}

static void huge_block_is_nobodys(void)
{
    superslab_of(huge)->owner = NULL;
}
static void huge_block_is_of_no_kind(void)
{
    superslab_of(huge)->type = HAK_SUPERSLAB_SLABS;
}
static void huge_block_says_retained(void)
{
    superslab_of(huge)->huge_retained = true;
}

static void huge_block_has_half_a_page(void)
{
    superslab_of(huge)->huge_size -= 8;
    heap->pages.footprint -= 8;
}

static void kept_block_says_live(void)
{
    for (unsigned list = 0; list < HAK_KEPT; list++) {
        if (heap->pages.supers->kept[list]) heap->pages.supers->kept[list]->huge_retained = false;
    }
}

static void nest_is_none(void)
{
    heap->nest.run->state = HAK_SPAN;
}
static void nest_has_a_free_block(void)
{
    heap->nest.run->free = heap;
}
static void nest_has_more_than_was_touched(void)
{
    heap->nest.run->touched = 0;
}

static void page_is_resident_that_was_not_touched(void)
{
    *start_of(unused(false)) = 1;
}

static void absent_page_is_resident(void)
{
    hak_slab *slab = unit_that_is(HAK_SLAB_PARTIAL, true, true);
    slab->start[(size_t)__builtin_ctz(slab->purged) * PAGE + SIZE] = 1;
}

static void page_behind_the_touched_is_resident(void)
{
    hak_slab *slab = record_of(medium);
    slab->start[slab->touched] = 1;
}

/* ------------------------------------------------------------------ what is found */

static void whole_heap_passes(void **state)
{
    (void)state;
    hak__heap_check(heap);
    /* Of pages that the OS may take when it wants to nobody can tell. */
    hak_heap *lazy =
        hak_heap_new(&(hak_heap_options){.settings = "decommit=FREE retain_least=0 retain_part=0"});
    void *block = hak_heap_alloc(lazy, 500000), *other = hak_heap_alloc(lazy, 500000);
    memset(block, 1, 500000);
    REQUIRE(block && other); /* which keeps the superslab */
    hak_heap_free(lazy, block);
    REQUIRE(lazy->pages.may_be_dirty && support_stats(lazy).retained == 0);
    hak__heap_check(lazy);
    hak_heap_destroy(lazy);
}

static void break_and_check(void *breaks)
{
    void (*const *body)(void) = breaks;
    (*body)();
    hak__heap_check(heap);
}

static void whatever_is_broken_is_found(void **state)
{
    (void)state;
#define BREAK(name) \
    {               \
        name, #name \
    }
    static const struct {
        void (*breaks)(void);
        const char *name;
    } all[] = {
        BREAK(free_block_lies_askew),
        BREAK(free_block_was_never_carved),
        BREAK(free_block_lies_in_absent_page),
        BREAK(slab_is_of_another_class),
        BREAK(slab_is_of_no_kind),
        BREAK(full_slab_sleeps_too_long),
        BREAK(full_slab_says_searched),
        BREAK(full_slab_has_a_block_uncounted),
        BREAK(loose_is_wrong),
        BREAK(unsearched_is_wrong),
        BREAK(vacant_pages_are_wrong),
        BREAK(footprint_is_wrong),
        BREAK(peak_is_below),
        BREAK(retained_is_wrong),
        BREAK(superslabs_are_miscounted),
        BREAK(page_with_blocks_says_vacant),
        BREAK(absent_page_says_vacant),
        BREAK(partial_slab_counts_too_many),
        BREAK(current_slab_is_in_no_bin),
        BREAK(partial_slab_is_in_no_list),
        BREAK(partial_slabs_are_linked_one_way),
        BREAK(first_does_not_know_the_last),
        BREAK(dry_slabs_are_in_no_list),
        BREAK(dry_slab_counts_too_many),
        BREAK(current_slab_counts_too_many),
        BREAK(current_slab_is_too_full),
        BREAK(list_has_a_slab_of_another_kind),
        BREAK(unit_has_half_a_page),
        BREAK(unit_has_more_than_it_can),
        BREAK(clean_unit_says_dirty),
        BREAK(dirty_unit_says_clean),
        BREAK(unit_in_use_says_free),
        BREAK(free_unit_says_in_use),
        BREAK(free_unit_counts_frees),
        BREAK(span_counts_frees),
        BREAK(span_has_a_free_block),
        BREAK(span_ends_too_soon),
        BREAK(span_begins_elsewhere),
        BREAK(span_has_more_than_was_touched),
        BREAK(superslab_is_nobodys),
        BREAK(superslab_is_of_no_kind),
        BREAK(superslab_is_not_committed),
        BREAK(superslab_is_in_another_list),
        BREAK(superslab_is_in_the_wrong_list),
        BREAK(superslab_is_in_no_list),
        BREAK(tails_are_in_no_list),
        BREAK(free_unit_says_tailed),
        BREAK(tail_is_not_said),
        BREAK(huge_block_is_nobodys),
        BREAK(huge_block_is_of_no_kind),
        BREAK(huge_block_says_retained),
        BREAK(huge_block_has_half_a_page),
        BREAK(kept_block_says_live),
        BREAK(nest_is_none),
        BREAK(nest_has_a_free_block),
        BREAK(nest_has_more_than_was_touched),
        BREAK(page_is_resident_that_was_not_touched),
        BREAK(absent_page_is_resident),
        BREAK(page_behind_the_touched_is_resident),
    };
    if (!support_debug) skip();
    for (size_t i = 0; i < COUNT(all); i++) {
        bool of_residence = strstr(all[i].name, "resident") != NULL;
        if (of_residence && hak__os_huge_pages()) continue;
        support_child child = support_fork(break_and_check, (void *)&all[i].breaks, 20);
        REQUIRE_THAT(child.signal == SIGABRT && strstr(child.text, "broken invariant"),
                     "%s: signal %d, code %d: %s", all[i].name, child.signal, child.code,
                     child.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_heap_passes),
        cmocka_unit_test(whatever_is_broken_is_found),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
