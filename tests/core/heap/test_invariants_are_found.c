/* Whatever is broken in the slabs and the accounts of a heap is found by hak__heap_check, in the
 * debug build: the process ends with a line that says so. A heap with something of everything is
 * whole; then one thing after the other is broken in it. */
#include "everything.h"

#include <string.h>

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
static void partial_bytes_are_wrong(void)
{
    victim->partial_bytes += PAGE;
}
static void unsearched_is_wrong(void)
{
    victim->unsearched++;
}
static void vacant_pages_are_wrong(void)
{
    victim->vacant_pages++;
}
static void footprint_is_wrong(void)
{
    victim->pages.footprint -= PAGE;
}
static void peak_is_below(void)
{
    victim->pages.footprint_peak = victim->pages.footprint - 1;
}
static void retained_is_wrong(void)
{
    victim->pages.retained += PAGE;
}
static void superslabs_are_miscounted(void)
{
    victim->pages.super_count++;
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
    victim->vacant_pages++;
}

static void absent_page_says_vacant(void)
{
    hak_slab *slab = unit_that_is(HAK_SLAB_PARTIAL, true, true);
    slab->vacant |= (uint16_t)(slab->purged & -slab->purged);
    victim->vacant_pages++;
}

static void partial_slab_counts_too_many(void)
{
    hak__slab_set_left(partial(), hak__slab_left(partial()) + 1);
}

static void current_slab_is_in_no_bin(void)
{
    hak_slab *slab = current();
    victim->bin[slab->block_size / 8] = (hak_slab *)&hak__no_slab;
}

static void partial_slab_is_in_no_list(void)
{
    hak_slab **first = &victim->bins.lists->partial[partial()->size_class], *last = (*first)->prev;
    *first = (*first)->next;
    (*first)->prev = last;
}

static void partial_slabs_are_linked_one_way(void)
{
    hak_slab *first = victim->bins.lists->partial[partial()->size_class];
    first->next->prev = first->next;
}

static void first_does_not_know_the_last(void)
{
    hak_slab *first = victim->bins.lists->partial[partial()->size_class];
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

/* ------------------------------------------------------------------ what is found */

static void whole_heap_passes(void **state)
{
    (void)state;
    hak__heap_check(victim);
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

static void whatever_is_broken_is_found(void **state)
{
    (void)state;
    static const breakage all[] = {
        BREAK(free_block_lies_askew),
        BREAK(free_block_was_never_carved),
        BREAK(free_block_lies_in_absent_page),
        BREAK(slab_is_of_another_class),
        BREAK(slab_is_of_no_kind),
        BREAK(full_slab_sleeps_too_long),
        BREAK(full_slab_says_searched),
        BREAK(full_slab_has_a_block_uncounted),
        BREAK(partial_bytes_are_wrong),
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
    };
    if (!support_debug) skip();
    check_found(all, COUNT(all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_heap_passes),
        cmocka_unit_test(whatever_is_broken_is_found),
    };
    return cmocka_run_group_tests(tests, everything_setup, everything_teardown);
}
