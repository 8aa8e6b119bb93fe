/* Of a heap's superslabs that one is found, and that place in it, where a run of free units has the
 * most pages already; one without pages only where no other has room. Lists and marks are in step
 * with what is free. Random superslabs against a search of all; the seed is taken from
 * HAK_TEST_SEED. */
#include "support.h"

#include <string.h>

#include "heap/blocks.h"
#include "pages/superslabs.h"

#define MOST 12 /* fewer than a search passes over */

static hak_superslab supers[MOST];
static hak_region region = {.supers = supers, .superslabs = MOST};
static hak_superslab_lists lists;
static hak_pages heap = {.supers = &lists};
static bool there[MOST];

static uint64_t ones(size_t count)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < count; i++) bits |= (uint64_t)1 << i;
    return bits;
}

static size_t count_of(uint64_t bits)
{
    size_t count = 0;
    for (; bits; bits &= bits - 1) count++;
    return count;
}

static bool is_free(const hak_superslab *super, size_t bit, size_t count)
{
    return bit + count <= 64 && (super->free & ones(count) << bit) == ones(count) << bit;
}

/* Runs of bits rather than single ones. */
static uint64_t some_bits(support_random *random)
{
    uint64_t bits = 0;
    for (size_t n = support_below(random, 6); n > 0; n--) {
        bits ^= ones(1 + support_below(random, 40)) << support_below(random, 64);
    }
    return bits;
}

static void check_find(size_t count, size_t align)
{
    hak_place found = hak__superslabs_find(&heap, count, align);
    size_t most = 0;
    bool any = false, any_with_pages = false;
    for (size_t i = 0; i < MOST; i++) {
        for (size_t bit = 0; there[i] && bit < 64; bit += align) {
            if (!is_free(&supers[i], bit, count)) continue;
            any = true;
            if (!(supers[i].free & supers[i].dirty)) continue;
            any_with_pages = true;
            size_t dirty = count_of(supers[i].dirty & ones(count) << bit);
            if (dirty > most) most = dirty;
        }
    }
    REQUIRE_THAT(!found.super == !any, "%zu units at %zu", count, align);
    if (!any) return;
    REQUIRE(there[found.super - supers] && found.bit % align == 0);
    REQUIRE(is_free(found.super, found.bit, count));
    size_t dirty = count_of(found.super->dirty & ones(count) << found.bit);
    REQUIRE_THAT(dirty == most, "%zu units at %zu: %zu have pages, not %zu", count, align, dirty,
                 most);
    REQUIRE(!any_with_pages == !(found.super->free & found.super->dirty));
}

static void check(void)
{
    size_t count = 0, dirty = 0, tailed = 0, clean = 0, unused[2] = {0};
    for (size_t i = 0; i < MOST; i++) {
        if (!there[i]) continue;
        count++;
        REQUIRE(hak__superslabs_in_place(&supers[i]));
        dirty += (supers[i].free & supers[i].dirty) != 0;
        clean += (supers[i].free & ~supers[i].dirty) != 0;
        tailed += supers[i].tails != 0;
        if (supers[i].free == ones(supers[i].units)) unused[supers[i].dirty != 0]++;
    }
    REQUIRE(heap.super_count == count);
    for (hak_superslab *super = lists.owned; super; super = super->next_owned, count--) {
        REQUIRE(super->owner == &heap && there[super - supers]);
        REQUIRE(!super->next_owned || super->next_owned->previous_owned == super);
    }
    for (hak_superslab *super = lists.tailed; super; super = super->next_tailed, tailed--) {
        REQUIRE(super->tails);
    }
    hak_superslab *next = hak__superslabs_next_dirty(&heap, NULL);
    for (; next; next = hak__superslabs_next_dirty(&heap, next), dirty--) {
        REQUIRE(next->free & next->dirty);
    }
    REQUIRE(count == 0 && tailed == 0 && dirty == 0);
    for (int pages = 0; pages < 2; pages++) {
        hak_superslab *first = hak__superslabs_unused(&heap, pages);
        REQUIRE(!first == !unused[pages]);
        if (first) REQUIRE(first->free == ones(first->units) && !first->dirty == !pages);
    }
    hak_superslab *with_clean = hak__superslabs_find_clean(&heap);
    REQUIRE(!with_clean == !clean);
    if (with_clean) REQUIRE(with_clean->free & ~with_clean->dirty);
}

static void as_a_search_of_all_finds(void **state)
{
    (void)state;
    support_random random = {support_seed()};
    size_t rounds = support_scaled(2000000) / 10;
    for (size_t round = 0; round < rounds; round++) {
        size_t i = support_below(&random, MOST);
        hak_superslab *super = &supers[i];
        bool all = support_below(&random, 6) == 0;
        if (!there[i]) {
            size_t units = support_below(&random, 4) ? 64 : 1 + support_below(&random, 64);
            *super = (hak_superslab){.region = &region, .free = ones(units)};
            super->units = (uint8_t)units;
            super->dirty = all ? 0 : some_bits(&random) & ones(units);
            super->tails = some_bits(&random); /* what a huge block has left there */
            hak__superslabs_add(&heap, super);
            REQUIRE(super->tails == 0);
            there[i] = true;
        } else if (support_below(&random, 10) == 0) {
            lists.cursor.super = super;
            hak__superslabs_remove(&heap, super);
            REQUIRE(!lists.cursor.super);
            there[i] = false;
        } else {
            uint64_t mapped = ones(super->units);
            super->free = all ? mapped : some_bits(&random) & mapped;
            super->dirty = some_bits(&random) & (all ? some_bits(&random) : mapped) & mapped;
            hak__superslabs_changed(&heap, super);
            uint64_t units = some_bits(&random) & mapped;
            if (support_below(&random, 2)) hak__superslabs_set_tails(&heap, super, units);
            else hak__superslabs_clear_tails(&heap, super, units);
        }
        if (round % 4 == 0) check();
        check_find(1 + support_below(&random, round % 3 ? 8 : 64), 1);
        check_find(1 + support_below(&random, 20), (size_t)1 << support_below(&random, 7));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_a_search_of_all_finds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
