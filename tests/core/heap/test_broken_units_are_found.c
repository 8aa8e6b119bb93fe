/* Whatever is broken in the units, superslabs, huge blocks and nest of a heap, or in what the
 * kernel has of its pages, is found by hak__heap_check, in the debug build. */
#include "everything.h"

/* The accounts agree with it. */
static void unit_has_half_a_page(void)
{
    unused(true)->touched -= 8;
    victim->pages.footprint -= 8;
    victim->pages.retained -= 8;
}

static void unit_has_more_than_it_can(void)
{
    hak_slab *unit = unused(true);
    size_t more = UNIT + PAGE - unit->touched;
    unit->touched += (uint32_t)more;
    victim->pages.footprint += more;
    victim->pages.footprint_peak += more;
    victim->pages.retained += more;
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
    REQUIRE(victim->pages.supers->with_room[list] == super && !super->next);
    victim->pages.supers->with_room[list] = NULL;
    victim->pages.supers->with_room[other] = super;
    super->list = (int8_t)other;
}

static void superslab_is_in_no_list(void)
{
    victim->pages.supers->with_room[superslab_of(span)->list] = NULL;
}

static void tails_are_in_no_list(void)
{
    victim->pages.supers->tailed = NULL;
}

static void free_unit_says_tailed(void)
{
    hak_superslab *super = superslab_of(start_of(unused(true)));
    hak__superslabs_set_tails(&victim->pages, super, bit_of(unused(true)));
}

static void tail_is_not_said(void)
{
    hak_superslab *super = superslab_of(span);
    hak__superslabs_clear_tails(&victim->pages, super, super->tails);
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
    victim->pages.footprint -= 8;
}

static void kept_block_says_live(void)
{
    for (unsigned list = 0; list < HAK_KEPT; list++) {
        if (victim->pages.supers->kept[list])
            victim->pages.supers->kept[list]->huge_retained = false;
    }
}

static void nest_is_none(void)
{
    victim->nest.run->state = HAK_SPAN;
}
static void nest_has_a_free_block(void)
{
    victim->nest.run->free = victim;
}
static void nest_has_more_than_was_touched(void)
{
    victim->nest.run->touched = 0;
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

static void whatever_is_broken_is_found(void **state)
{
    (void)state;
    static const breakage all[] = {
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
    check_found(all, COUNT(all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_broken_is_found),
    };
    return cmocka_run_group_tests(tests, everything_setup, everything_teardown);
}
