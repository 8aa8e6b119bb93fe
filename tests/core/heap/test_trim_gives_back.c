/* hak_heap_trim returns how many bytes it gave back, and gives them back: the footprint falls by as
 * much and so does the resident memory. Nothing live is touched. Profiles bound what is retained
 * without it. */
#include "support.h"

#include <string.h>
#include <sys/mman.h>

#include "heap/adapter.h"
#include "heap/bins.h"
#include "heap/blocks.h"
#include "heap/excess.h"
#include "heap/holes.h"
#include "heap/look.h"

#define NOISE (2 * MIB) /* of the rest of the process, in resident memory */

typedef struct held {
    void **blocks;
    size_t count;
} held;

/* The list of blocks is not on malloc's heap, which would keep it resident. */
static held hold(hak_heap *heap, size_t count, size_t size)
{
    held made = {mmap(NULL, count * sizeof(void *), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                 count};
    assert_true(made.blocks != MAP_FAILED);
    for (size_t i = 0; i < count; i++) {
        made.blocks[i] = hak_heap_alloc(heap, size);
        assert_non_null(made.blocks[i]);
        support_fill(made.blocks[i], size, i);
    }
    return made;
}

static void let_go(hak_heap *heap, held *of)
{
    for (size_t i = 0; i < of->count; i++) hak_heap_free(heap, of->blocks[i]);
    munmap(of->blocks, of->count * sizeof(void *));
}

/* Trims, and checks the account of it; returns what was given back. */
static size_t trim(hak_heap *heap)
{
    hak_stats before = support_stats(heap);
    size_t resident = support_resident();
    size_t given = hak_heap_trim(heap);
    hak_stats after = support_stats(heap);
    size_t now = support_resident();
    assert_int_equal(before.footprint - after.footprint, given);
    assert_int_equal(after.retained, 0);
    assert_true(given >= before.retained);
    assert_true(resident + NOISE >= now + given);
    assert_true(after.purges >= before.purges);
    if (given) assert_true(after.purges > before.purges);
    support_check_stats(heap);
    return given;
}

/* Sizes of blocks: of slabs, spans and huge ones. */
static const size_t loads[] = {40, 1000, 10000, 100000, 2 * MIB, 6 * MIB};

/* Blocks of `size` for `bytes` in all, fewer in the debug build where freeing walks lists, but
 * enough for some slabs. */
static held hold_bytes(hak_heap *heap, size_t bytes, size_t size)
{
    size_t fewer = support_scaled(bytes), least = bytes / 16;
    if (size < 1000) bytes = fewer < least ? least : fewer;
    return hold(heap, bytes / size + 1, size);
}

/* The pool of destroyed heaps is given back with a trim too: empty it. */
static hak_heap *fresh_heap(const char *profile)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = profile});
    assert_non_null(heap);
    hak_heap_trim(heap);
    assert_int_equal(support_stats(heap).footprint, 0);
    return heap;
}

static void all_that_is_free_is_given_back(void **state)
{
    (void)state;
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    for (size_t p = 0; p < COUNT(profiles); p++) {
        for (size_t i = 0; i < COUNT(loads); i++) {
            hak_heap *heap = fresh_heap(profiles[p]);
            size_t begin = support_resident();
            held all = hold_bytes(heap, 20 * MIB, loads[i]);
            size_t full = support_stats(heap).footprint;
            assert_true(full >= all.count * loads[i]);
            assert_true(support_resident() + NOISE >= begin + full);
            let_go(heap, &all);
            trim(heap);
            assert_int_equal(support_stats(heap).footprint, 0);
            assert_true(support_resident() < begin + NOISE);
            assert_int_equal(hak_heap_trim(heap), 0);
            hak_heap_destroy(heap);
        }
    }
}

static void a_trim_leaves_live_blocks_alone(void **state)
{
    (void)state;
    hak_heap *heap = fresh_heap("speed");
    held some[COUNT(loads)], rest[COUNT(loads)];
    for (size_t i = 0; i < COUNT(loads); i++) {
        some[i] = hold_bytes(heap, 2 * MIB, loads[i]);
        rest[i] = hold_bytes(heap, 6 * MIB, loads[i]);
    }
    for (size_t i = 0; i < COUNT(loads); i++) let_go(heap, &rest[i]);
    hak_stats before = support_stats(heap);
    assert_true(trim(heap) > 0);
    support_check_live(heap, before.live_blocks, before.live_bytes);
    for (size_t i = 0; i < COUNT(loads); i++) {
        for (size_t j = 0; j < some[i].count; j++) {
            size_t intact = support_intact(some[i].blocks[j], loads[i], j);
            REQUIRE_THAT(intact == loads[i], "byte %zu of %zu", intact, loads[i]);
        }
        let_go(heap, &some[i]);
    }
    trim(heap);
    assert_int_equal(support_stats(heap).footprint, 0);
    hak_heap_destroy(heap);
}

static void a_trimmed_heap_goes_on(void **state)
{
    (void)state;
    hak_heap *heap = fresh_heap("speed");
    size_t first = 0;
    for (size_t round = 0; round < 10; round++) {
        held all = hold(heap, 20000, 100);
        held spans = hold(heap, 50, 70000);
        size_t footprint = support_stats(heap).footprint;
        if (round == 0) first = footprint;
        assert_true(footprint <= first + 4 * PAGE && footprint + 4 * PAGE >= first);
        let_go(heap, &all);
        let_go(heap, &spans);
        trim(heap);
    }
    hak_heap_destroy(heap);
}

/* What a destroyed heap has left for the next one goes with any heap's trim. */
static void a_trim_empties_what_destroyed_heaps_left(void **state)
{
    (void)state;
    hak_heap *heap = fresh_heap("speed");
    size_t begin = support_resident();
    hak_heap *other = hak_heap_new(NULL);
    for (size_t i = 0; i < 100000; i++) memset(hak_heap_alloc(other, 100), 1, 100);
    hak_heap_destroy(other);
    size_t with_pool = support_resident();
    size_t given = hak_heap_trim(heap);
    size_t end = support_resident();
    assert_true(with_pool + NOISE >= end + given);
    assert_true(end + given + NOISE >= with_pool);
    assert_true(end < begin + NOISE);
    hak_heap_destroy(heap);
}

/* A share of the recent peak and a few MiB: what the profile says, with room for change. */
static void profiles_bound_what_is_retained(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t retained; /* at most, in MiB, after 128 MiB were in use */
    } bounds[] = {{"speed", 100}, {"balanced", 20}, {"lean", 3}};
    for (size_t p = 0; p < COUNT(bounds); p++) {
        for (size_t i = 0; i<COUNT(loads); i += support_scale()> 1 ? 3 : 1) {
            hak_heap *heap = fresh_heap(bounds[p].name);
            held all = hold_bytes(heap, 128 * MIB, loads[i]);
            let_go(heap, &all);
            hak_stats stats = support_stats(heap);
            assert_true(stats.retained <= bounds[p].retained * MIB);
            assert_true(stats.footprint - stats.retained <= MIB);
            hak_heap_destroy(heap);
        }
    }
}

static void a_leaner_profile_takes_effect_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(loads); i++) {
        hak_heap *heap = fresh_heap("speed");
        size_t begin = support_resident();
        held all = hold_bytes(heap, 64 * MIB, loads[i]);
        let_go(heap, &all);
        hak_stats before = support_stats(heap);
        assert_true(hak_heap_set_profile(heap, "lean"));
        hak_stats after = support_stats(heap);
        assert_true(after.retained <= 4 * MIB);
        assert_true(after.retained <= before.retained);
        assert_true(support_resident() <= begin + 4 * MIB + NOISE);
        hak_heap_destroy(heap);
    }
}

/* What was in use before counts no more: the new profile retains its share of what is in use. */
static void another_profile_begins_with_what_is_in_use(void **state)
{
    (void)state;
    hak_heap *heap = fresh_heap("speed");
    held all = hold(heap, 1000, 64 * KIB), live = hold(heap, 100, 64 * KIB);
    let_go(heap, &all);
    assert_true(support_stats(heap).retained > 8 * MIB);
    assert_true(hak_heap_configure(heap, "retain_least=1m retain_part=10", NULL, 0));
    hak_stats after = support_stats(heap);
    size_t in_use = after.footprint - after.retained, bound = hak__heap_bound(heap);
    assert_int_equal(in_use, 100 * 64 * KIB);
    assert_int_equal(bound, MIB + in_use / 100 * 10);
    assert_true(after.retained <= bound && after.retained + HAK_SUPERSLAB_SIZE > bound);
    let_go(heap, &live);
    hak_heap_destroy(heap);
}

/* What a search for pages without a block finds is what is given back then, to the byte, and
 * nothing once it has been. */
static void holes_are_counted_exactly(void **state)
{
    (void)state;
    static const size_t sizes[] = {40, 500, 1000, 3000, 5000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        hak_heap *heap =
            hak_heap_new(&(hak_heap_options){.settings = "retain_least=1g retain_part=1000"});
        held all = hold(heap, 2 * MIB / sizes[i], sizes[i]);
        assert_int_equal(hak__holes_punch(heap, true), 0);
        size_t per = 12 * KIB / sizes[i] + 1; /* freed side by side, but for one */
        for (size_t j = 0; j < all.count; j++) {
            if (j % per) hak_heap_free(heap, all.blocks[j]);
        }
        for (size_t round = 0; round < 2; round++) {
            size_t footprint = support_stats(heap).footprint;
            size_t found = hak__holes_find(heap, true), given = hak__holes_punch(heap, true);
            assert_int_equal(given, found);
            assert_int_equal(given, footprint - support_stats(heap).footprint);
            REQUIRE_THAT(round ? given == 0 : given > MIB / 8, "%zu: %zu", sizes[i], given);
        }
        for (size_t j = 0; j < all.count; j += per) {
            REQUIRE(support_intact(all.blocks[j], sizes[i], j) == sizes[i]);
        }
        hak_heap_destroy(heap);
    }
}

/* A block takes over pages that a larger one has touched: those behind it are retained, whether its
 * slab or span shrinks, goes or stays. */
static void pages_behind_a_block_are_given_back(void **state)
{
    (void)state;
    hak_heap *heap = fresh_heap("speed");
    held large = hold(heap, 10, 60 * KIB);
    let_go(heap, &large);
    size_t touched = support_stats(heap).footprint;
    assert_int_equal(support_stats(heap).retained, touched);

    held small = hold(heap, 10, 20 * KIB);
    hak_stats stats = support_stats(heap);
    assert_int_equal(stats.footprint, touched);
    assert_int_equal(stats.retained, touched - stats.large_bytes);
    assert_int_equal(trim(heap), touched - stats.large_bytes);
    for (size_t i = 0; i < small.count; i++)
        assert_int_equal(support_intact(small.blocks[i], 20 * KIB, i), 20 * KIB);

    void *block = hak_heap_alloc(heap, 60 * KIB);
    assert_non_null(block);
    support_fill(block, 60 * KIB, 99);
    block = hak_heap_realloc(heap, block, 28 * KIB);
    assert_int_equal(support_stats(heap).retained, 60 * KIB - hak_heap_usable_size(heap, block));
    trim(heap);
    assert_int_equal(support_intact(block, 28 * KIB, 99), 28 * KIB);
    hak_heap_free(heap, block);
    let_go(heap, &small);
    trim(heap);
    assert_int_equal(support_stats(heap).footprint, 0);
    hak_heap_destroy(heap);
}

/* Frees all of `all` but one in `part`. */
static void thin_out(hak_heap *heap, held *all, size_t part)
{
    for (size_t i = 0; i < all->count; i++) {
        if (i % part == 0) continue;
        hak_heap_free(heap, all->blocks[i]);
        all->blocks[i] = NULL;
    }
}

static void check_and_free(hak_heap *heap, held *all, size_t size)
{
    for (size_t i = 0; i < all->count; i++) {
        if (!all->blocks[i]) continue;
        REQUIRE(support_intact(all->blocks[i], size, i) == size);
        hak_heap_free(heap, all->blocks[i]);
    }
    munmap(all->blocks, all->count * sizeof(void *));
}

/* A few blocks that outlive the others keep their own pages only, not those of the whole slab; and
 * the pages come back when there is use for them. */
static void pages_inside_a_slab_are_given_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {40, 500, 1000, 3000, 5000, 10000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t size = sizes[i], part = 32 * KIB / size;
        hak_heap *heap = fresh_heap("speed");
        held all = hold_bytes(heap, 8 * MIB, size);
        size_t full = support_stats(heap).footprint;
        thin_out(heap, &all, part);
        trim(heap);
        hak_stats thin = support_stats(heap);
        /* Of 32 KiB, the pages of one block and, where blocks cross pages, of its neighbours. */
        assert_true(thin.footprint <= full / 8 + (full / (32 * KIB)) * (size + 2 * PAGE));
        assert_int_equal(hak_heap_trim(heap), 0);

        held again = hold_bytes(heap, 4 * MIB, size);
        assert_true(support_stats(heap).footprint <= full);
        support_check_stats(heap);
        check_and_free(heap, &again, size);
        check_and_free(heap, &all, size);
        trim(heap);
        assert_int_equal(support_stats(heap).footprint, 0);
        hak_heap_destroy(heap);
    }
}

/* One size after the other, of each a few blocks live on: what they leave is given back before the
 * footprint grows to half of the sum, since a byte given back is paid for by growing by one. */
static void a_peak_is_not_the_sum_of_what_was(void **state)
{
    (void)state;
    static const size_t sizes[] = {500, 700, 600, 1000, 800, 900};
    hak_heap *heap = fresh_heap("speed");
    held all[COUNT(sizes)];
    size_t bytes = 4 * MIB;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        all[i] = hold(heap, bytes / sizes[i], sizes[i]);
        thin_out(heap, &all[i], 48 * KIB / sizes[i]);
    }
    hak_stats stats = support_stats(heap);
    REQUIRE_THAT(stats.footprint_peak < COUNT(sizes) * bytes / 2, "%zu", stats.footprint_peak);
    support_check_stats(heap);
    for (size_t i = 0; i < COUNT(sizes); i++) check_and_free(heap, &all[i], sizes[i]);
    hak_heap_destroy(heap);
}

/* A large block pays for a look at what is free inside slabs: it takes the place of that. */
static void a_large_block_takes_the_place_of_holes(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.settings = "retain_least=100m retain_busy=100m retain_part=0"});
    hak_heap_trim(heap);
    held all = hold(heap, 20000, 500);
    thin_out(heap, &all, 12 * KIB / 500);
    hak_stats full = support_stats(heap);
    assert_int_equal(full.footprint, full.footprint_peak);
    assert_true(full.retained < MIB);
    for (size_t i = 0; i < 8; i++) assert_non_null(hak_heap_alloc(heap, 300 * KIB));
    hak_stats after = support_stats(heap);
    REQUIRE_THAT(after.footprint_peak <= full.footprint_peak + 64 * KIB, "%zu, then %zu",
                 full.footprint_peak, after.footprint_peak);
    assert_true(after.purges > full.purges);
    check_and_free(heap, &all, 500);
    hak_heap_destroy(heap);
}

/* It pays for no more than that: where there is nothing to be found, it looks at a free block for
 * each 128 bytes. */
static void a_large_block_looks_at_so_much(void **state)
{
    (void)state;
    enum { SIZE = 64, READS = 64 * 1024 / 128 };
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.settings = "retain_least=100m retain_busy=100m retain_part=0"});
    hak_heap_trim(heap); /* what destroyed heaps have left */
    held all = hold(heap, 60000, SIZE);
    for (size_t i = 0; i < all.count; i += 2) hak_heap_free(heap, all.blocks[i]);
    size_t unsearched = heap->unsearched;
    size_t free_in_slab = ((size_t)1 << HAK_UNIT_SHIFT) / SIZE / 2;
    size_t most = READS / free_in_slab + 2;
    assert_true(unsearched > 4 * most);
    assert_non_null(hak_heap_alloc(heap, 64 * KIB));
    size_t searched = unsearched - heap->unsearched;
    REQUIRE_THAT(searched > 0 && searched <= most, "%zu slabs", searched);
    munmap(all.blocks, all.count * sizeof(void *));
    hak_heap_destroy(heap);
}

/* After a collection that left a few blocks everywhere, settling gives back what the profile would
 * not retain; a second time what it does not keep at rest, and then nothing. */
static void settling_gives_back_what_a_profile_does_not_retain(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        size_t given; /* at least, in MiB, of 32 of which nearly all are free */
    } cases[] = {{"speed", 0}, {"balanced", 24}, {"lean", 28}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = fresh_heap(cases[i].profile);
        held all = hold(heap, 32 * MIB / 1000, 1000);
        size_t full = support_stats(heap).footprint;
        thin_out(heap, &all, 64);
        size_t before = support_stats(heap).footprint;
        size_t given = hak_heap_settle(heap);
        size_t after = support_stats(heap).footprint;
        assert_int_equal(before - after, given);
        assert_true(full - after >= cases[i].given * MIB);
        if (cases[i].given == 0) assert_int_equal(given, 0);
        hak_heap_settle(heap);
        assert_int_equal(hak_heap_settle(heap), 0);
        support_check_stats(heap);
        check_and_free(heap, &all, 1000);
        hak_heap_destroy(heap);
    }
}

/* What a cycle has freed counts, though nearly all of it went back with the frees. */
static void settling_gives_back_what_frees_have_left(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(
        &(hak_heap_options){.profile = "speed", .settings = "retain_least=0 retain_part=0"});
    held all[100];
    for (size_t i = 0; i < COUNT(all); i++) all[i] = hold(heap, 200, 20 * (i + 1));
    hak_heap_settle(heap);
    for (size_t i = 0; i < COUNT(all); i++) let_go(heap, &all[i]);
    hak_stats stats = support_stats(heap);
    REQUIRE_THAT(stats.retained < stats.footprint / 8, "%zu", stats.retained);
    size_t left = stats.footprint;                        /* slabs in use */
    heap->pages.demand.settled_at = hak__look_paid(heap); /* a cycle has ended just before */
    heap->rests_until = 0;
    hak_heap_settle(heap);
    stats = support_stats(heap);
    REQUIRE_THAT(stats.footprint < left / 2, "%zu of %zu", stats.footprint, left);
    hak_heap_destroy(heap);
}

/* What a program has come not to use for some time goes with the next collections, though the
 * profile would retain it. */
static void settling_gives_back_what_is_no_longer_needed(void **state)
{
    (void)state;
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.profile = "balanced", .settings = "retain_part=1000"});
    hak_heap_trim(heap);
    held all = hold(heap, 40 * MIB / 20000, 20000);
    let_go(heap, &all);
    size_t retained = support_stats(heap).retained;
    assert_true(retained > 2 * MIB);
    size_t least = MIB / 4;
    for (size_t settled = 0; settled < 6; settled++) {
        for (size_t round = 0; round < 200; round++) {
            held some = hold(heap, 1000, 1000);
            let_go(heap, &some);
        }
        /* What was in use until the last time is needed yet, and half as much each time. */
        size_t before = support_stats(heap).footprint, given = hak_heap_settle(heap);
        size_t most = (retained >> settled) + least + MIB / 8;
        hak_stats after = support_stats(heap);
        if (settled == 0) assert_int_equal(given, 0);
        else assert_int_equal(given, before - after.footprint);
        REQUIRE_THAT(after.retained <= most, "%zu: %zu retained", settled, after.retained);
    }
    assert_true(support_stats(heap).retained < 2 * MIB);
    hak_heap_destroy(heap);
}

/* A cycle of the collector is worth settling after when as much was paid as the footprint; where an
 * eighth of it is free, an eighth. */
static void a_cycle_that_was_paid_for_settles(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = "speed"});
    hak_heap_trim(heap);
    held all = hold(heap, 8 * MIB / 20000, 20000);
    for (size_t is_free = 0; is_free < 2; is_free++) {
        for (size_t i = 0; is_free && i < all.count / 4; i++) hak_heap_free(heap, all.blocks[i]);
        size_t footprint = heap->pages.footprint, free = heap->pages.retained + heap->loose;
        assert_true(is_free ? free > footprint / 8 : free < footprint / 8);
        size_t price = is_free ? footprint / 8 : footprint;
        size_t last = hak__look_paid(heap) - price + 1;
        heap->pages.demand.settled_at = last;
        heap->rests_until = 0;
        hak_heap_settle(heap);
        assert_int_equal(heap->pages.demand.settled_at, last);
        heap->pages.demand.settled_at--;
        heap->rests_until = 0;
        hak_heap_settle(heap);
        assert_int_equal(heap->pages.demand.settled_at, hak__look_paid(heap));
    }
    hak_heap_destroy(heap);
}

/* A collection that follows another with hardly any work in between finds the program at rest: half
 * of the least that its profile retains stays, whatever it was thought to need. */
static void a_program_at_rest_keeps_little(void **state)
{
    (void)state;
    static const struct {
        const char *settings;
        size_t work; /* bytes allocated between the collections */
        bool rests;
    } cases[] = {{"retain_least=1m retain_part=50", 0, true},
                 {"retain_least=1m retain_part=50", 30 * KIB, true},
                 {"retain_least=1m retain_part=50", 33 * KIB, false},
                 {"retain_least=1m retain_part=50 decommit=OFF", 0, false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = cases[i].settings});
        held all = hold(heap, 32 * MIB / 1000, 1000);
        let_go(heap, &all);
        hak_heap_settle(heap);
        size_t retained = support_stats(heap).retained;
        assert_true(retained > 2 * MIB);
        heap->pace.clock += cases[i].work;
        size_t before = support_stats(heap).footprint, given = hak_heap_settle(heap);
        hak_stats after = support_stats(heap);
        assert_int_equal(given, before - after.footprint);
        bool has_gone = after.retained <= MIB / 2, all_there = after.retained == retained;
        REQUIRE_THAT(cases[i].rests ? has_gone : all_there, "%zu: %zu of %zu", i, after.retained,
                     retained);
        support_check_stats(heap);
        hak_heap_destroy(heap);
    }
    /* Twice at once, though the first time there is not enough for it to be worth much; and what is
     * kept on purpose stays. */
    hak_heap *young = hak_heap_new(&(hak_heap_options){.settings = "retain_least=2m"});
    held few = hold(young, 30, 64 * KIB); /* of one superslab */
    for (size_t i = 1; i < few.count; i++) hak_heap_free(young, few.blocks[i]);
    assert_true(support_stats(young).retained > MIB);
    assert_int_equal(hak_heap_prewarm(young, MIB), MIB);
    assert_int_equal(hak_heap_settle(young), 0);
    hak_heap_settle(young);
    size_t kept = support_stats(young).retained;
    REQUIRE_THAT(kept <= 2 * MIB && kept > 2 * MIB - 64 * KIB, "%zu", kept);
    hak_heap_destroy(young);
}

/* Then half of the least that the profile retains stays, beside what is needed. */
static void half_of_the_least_stays_beside_what_is_needed(void **state)
{
    (void)state;
    enum { UNITS = 40 };
    void *blocks[UNITS];
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.settings = "retain_least=1m retain_part=1000"});
    hak_heap_trim(heap);
    for (size_t i = 0; i < UNITS; i++) assert_non_null(blocks[i] = hak_heap_alloc(heap, 64 * KIB));
    assert_non_null(hak_heap_alloc(heap, 64 * KIB)); /* which keeps the superslab */
    for (size_t i = 0; i < UNITS; i++) hak_heap_free(heap, blocks[i]);
    assert_int_equal(support_stats(heap).retained, UNITS * 64 * KIB);
    for (size_t round = 0; round < 2; round++) {
        heap->pace.clock += 4 * UNITS * 64 * KIB;
        hak_heap copy = *heap;
        size_t needed = hak__heap_needed(&copy), before = support_stats(heap).footprint;
        assert_int_equal(needed, round ? UNITS * 32 * KIB : UNITS * 64 * KIB);
        size_t given = hak_heap_settle(heap);
        assert_int_equal(given, before - support_stats(heap).footprint);
        size_t retained = support_stats(heap).retained, most = needed + MIB / 2;
        if (!round) assert_int_equal(retained, UNITS * 64 * KIB);
        else if (HAK_SUPERSLAB_SIZE > MIB) assert_int_equal(retained, most);
        else assert_true(retained <= most && retained > most - MIB); /* whole superslabs go first */
    }
    hak_heap_destroy(heap);
}

/* When more is retained than the bound it falls to half of that, so that a program which swings
 * around it does not call the OS each time. */
static void purging_goes_to_half_of_the_bound(void **state)
{
    (void)state;
    static const size_t of[] = {1000, 60 * KIB, 300 * KIB};
    for (size_t i = 0; i < COUNT(of); i++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){
            .profile = "balanced", .settings = "retain_least=8m retain_part=0"});
        hak_heap_trim(heap);
        held all = hold(heap, 32 * MIB / of[i], of[i]);
        size_t purges = support_stats(heap).purges, times = 0;
        for (size_t j = 0; j < all.count; j++) {
            hak_heap_free(heap, all.blocks[j]);
            hak_stats stats = support_stats(heap);
            assert_true(stats.retained <= 8 * MIB);
            if (stats.purges == purges) continue;
            REQUIRE_THAT(stats.retained <= 4 * MIB, "%zu", stats.retained);
            purges = stats.purges;
            times++;
        }
        REQUIRE_THAT(times > 2, "%zu times", times);
        munmap(all.blocks, all.count * sizeof(void *));
        hak_heap_destroy(heap);
    }
}

/* What the process has pooled is known, and goes where a heap's new profile would not keep it. */
static void a_leaner_profile_empties_the_pool(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        size_t pooled; /* at most */
    } cases[] = {{"balanced", 4 * MIB}, {"lean", 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = fresh_heap("speed");
        hak_heap *first = hak_heap_new(&(hak_heap_options){.profile = "speed"});
        size_t begin = support_resident();
        held all = hold(first, 12 * MIB / 1000, 1000);
        munmap(all.blocks, all.count * sizeof(void *));
        hak_heap_destroy(first);
        hak_process_stats process;
        hak_process_stats_read(&process);
        assert_true(process.pooled >= 12 * MIB && process.pooled <= 16 * MIB);
        assert_true(support_resident() >= begin + 11 * MIB);
        assert_true(hak_heap_set_profile(heap, cases[i].profile));
        hak_process_stats_read(&process);
        REQUIRE_THAT(process.pooled <= cases[i].pooled, "%s: %zu", cases[i].profile,
                     process.pooled);
        assert_true(support_resident() <= begin + cases[i].pooled + NOISE);
        hak_heap_destroy(heap);
    }
}

/* A slab all of whose pages were given back as holes, while it was current, has no block whose free
 * could retire it. */
static void a_punched_slab_without_a_block_is_given_back(void **state)
{
    (void)state;
    static void *blocks[SUPPORT_PUNCHED_MOST + 1];
    for (size_t take_one = 0; take_one < 2; take_one++) {
        hak_heap *heap = hak_heap_new(
            &(hak_heap_options){.profile = "lean", .settings = "retain_least=0 retain_part=0"});
        size_t n = support_punched_slab(heap, blocks);
        if (take_one) blocks[n++] = hak_heap_alloc(heap, 64);
        while (n > 0) hak_heap_free(heap, blocks[--n]);
        hak_heap_trim(heap);
        hak_stats after = support_stats(heap);
        REQUIRE_THAT(after.footprint == 0 && after.superslabs == 0,
                     "footprint %zu, %zu superslabs, committed %zu", after.footprint,
                     after.superslabs, after.committed);
        hak_heap_destroy(heap);
    }
}

/* What no new blocks come from any more, as after a CPython's uninstall: some slabs have only
 * absent pages left. */
static void slabs_that_are_left_alone_are_given_back(void **state)
{
    (void)state;
    hak_heap *heap = hak_heap_new(NULL);
    held of = hold(heap, 8 * MIB / PAGE, PAGE);
    for (size_t i = 0; i < of.count; i++) {
        if (i % 16 == 0) continue;
        hak_heap_free(heap, of.blocks[i]);
        of.blocks[i] = NULL;
    }
    trim(heap);
    hak__heap_detach(heap);
    support_check_stats(heap);
    let_go(heap, &of);
    trim(heap);
    assert_int_equal(support_stats(heap).footprint, 0);
    hak_heap_destroy(heap);
}

/* A burst of which a few blocks live on is given back by the frees themselves, up to what the
 * profile retains. */
static void a_burst_with_survivors_is_given_back(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        size_t left; /* at most, in MiB of 32, with 2 of survivors' pages */
    } cases[] = {{"balanced", 6}, {"lean", 4}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        hak_heap *heap = fresh_heap(cases[i].profile);
        held all = hold(heap, 32 * MIB / 1000, 1000);
        thin_out(heap, &all, 64);
        hak_stats stats = support_stats(heap);
        REQUIRE_THAT(stats.footprint <= cases[i].left * MIB, "%s: %zu", cases[i].profile,
                     stats.footprint);
        REQUIRE_THAT(stats.purges < 4000, "%zu", stats.purges);
        support_check_stats(heap);
        check_and_free(heap, &all, 1000);
        hak_heap_destroy(heap);
    }
}

/* A heap that has slabs for whatever it needs has no use for the pages that it began with, once no
 * block is left there; they go back once, and blocks of the same sizes do not take them again. */
static void an_outgrown_beginning_is_given_back(void **state)
{
    (void)state;
    hak_heap *heap = fresh_heap("speed");
    held first = hold(heap, 500, 64), rest = hold(heap, 4000, 256);
    size_t before = support_stats(heap).footprint;
    let_go(heap, &first);
    for (size_t i = 0; i < 500; i++) {
        hak_heap_free(heap, rest.blocks[i]);
        rest.blocks[i] = NULL;
    }
    hak_stats after = support_stats(heap);
    assert_true(after.footprint + 8 * KIB <= before);
    for (size_t i = 0; i < 1000; i++) {
        held again = hold(heap, 100, 64);
        let_go(heap, &again);
    }
    assert_int_equal(support_stats(heap).os.total, after.os.total);
    for (size_t i = 500; i < rest.count; i++) hak_heap_free(heap, rest.blocks[i]);
    munmap(rest.blocks, rest.count * sizeof(void *));
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

/* A heap that has swung keeps what it needs for the next swing; at the end of a larger burst it
 * learns that there is none. */
static void a_burst_ends_a_busy_time(void **state)
{
    (void)state;
    static const char *const profiles[] = {"balanced", "lean"};
    for (size_t p = 0; p < COUNT(profiles); p++) {
        hak_heap *heap = fresh_heap(profiles[p]);
        for (size_t round = 0; round < 20; round++) {
            held all = hold(heap, 3 * MIB / 200, 200);
            let_go(heap, &all);
        }
        assert_true(support_stats(heap).retained > 2 * MIB);
        held all = hold(heap, 64 * MIB / 1000, 1000);
        let_go(heap, &all);
        hak_stats stats = support_stats(heap);
        REQUIRE_THAT(stats.footprint <= 3 * MIB / 2, "%s: %zu", profiles[p], stats.footprint);
        hak_heap_destroy(heap);
    }
}

/* Pages that come back count against the limit like new ones. */
static void pages_come_back_within_the_limit(void **state)
{
    (void)state;
    hak_heap *heap = fresh_heap("speed");
    held all = hold_bytes(heap, 4 * MIB, 1000);
    thin_out(heap, &all, 32);
    trim(heap);
    size_t limit = support_stats(heap).footprint + 256 * KIB;
    assert_true(hak_heap_set_limit(heap, limit));
    size_t count = 0;
    void **last = NULL, **block;
    for (; (block = hak_heap_alloc(heap, 1000)); last = block, count++) *block = last;
    assert_true(count >= 200 * KIB / 1000);
    assert_true(support_stats(heap).footprint <= limit);
    support_check_stats(heap);
    for (; last; last = block) {
        block = *last;
        hak_heap_free(heap, last);
    }
    check_and_free(heap, &all, 1000);
    hak_heap_destroy(heap);
}

/* Blocks of whole units, so many freed that with `idle` slabs of one page each the heap has this
 * much without a block. */
static hak_heap *heap_with_free(size_t bytes, size_t idle)
{
    static void *blocks[40];
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.settings = "retain_least=1m retain_part=0"});
    hak_heap_trim(heap); /* what destroyed heaps have left */
    size_t unit = 64 * KIB, count = (bytes - idle * PAGE) / unit;
    size_t rest = bytes - idle * PAGE - count * unit;
    for (size_t i = 0; i < count; i++) assert_non_null(blocks[i] = hak_heap_alloc(heap, unit));
    assert_non_null(hak_heap_alloc(heap, 4 * unit));
    void *last = hak_heap_alloc(heap, rest);
    for (size_t i = 0; i < idle; i++) {
        size_t size = (size_t)64 << i; /* aligned, it comes from a slab */
        hak_heap_free(heap, hak_heap_aligned_alloc(heap, size, size));
    }
    for (size_t i = 0; i < count; i++) hak_heap_free(heap, blocks[i]);
    hak_heap_free(heap, last);
    return heap;
}

/* The bound itself may be retained, and not a page more. */
static void the_bound_itself_stays(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        hak_heap *heap = heap_with_free(MIB + over * 64 * KIB, 0);
        hak_stats stats = support_stats(heap);
        if (!over) assert_int_equal(stats.retained, MIB);
        else if (HAK_SUPERSLAB_SIZE > MIB) assert_int_equal(stats.retained, MIB / 2);
        else assert_true(stats.retained <= MIB / 2); /* whole superslabs go first */
        hak_heap_destroy(heap);

        /* A cycle of the collector counts what it would find in slabs too. */
        heap = heap_with_free(MIB + over * PAGE, 2);
        stats = support_stats(heap);
        assert_int_equal(stats.retained, MIB + over * PAGE - 2 * PAGE);
        size_t given = hak_heap_settle(heap);
        REQUIRE_THAT((given > 0) == over, "%zu given", given);
        assert_int_equal(support_stats(heap).retires - stats.retires, 2 * over);
        hak_heap_destroy(heap);
    }
}

/* Of a caller's memory nothing goes back to the OS, but it counts no more. */
static void pages_of_the_callers_memory_count_no_more(void **state)
{
    (void)state;
    static char memory[4 * MIB];
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = sizeof memory});
    held all = hold(heap, 2000, 1000), spans = hold(heap, 10, 40000);
    size_t full = support_stats(heap).footprint;
    for (size_t i = 1; i < all.count; i++) hak_heap_free(heap, all.blocks[i]);
    let_go(heap, &spans);
    size_t before = support_stats(heap).footprint, given = hak_heap_trim(heap);
    size_t after = support_stats(heap).footprint;
    assert_true(full > 2 * MIB && after < 100 * KIB);
    assert_int_equal(given, before - after);
    assert_int_equal(hak_heap_trim(heap), 0);
    assert_int_equal(support_intact(all.blocks[0], 1000, 0), 1000);
    munmap(all.blocks, all.count * sizeof(void *));
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_free_is_given_back),
        cmocka_unit_test(a_trim_leaves_live_blocks_alone),
        cmocka_unit_test(pages_behind_a_block_are_given_back),
        cmocka_unit_test(pages_inside_a_slab_are_given_back),
        cmocka_unit_test(a_peak_is_not_the_sum_of_what_was),
        cmocka_unit_test(a_large_block_takes_the_place_of_holes),
        cmocka_unit_test(a_large_block_looks_at_so_much),
        cmocka_unit_test(settling_gives_back_what_a_profile_does_not_retain),
        cmocka_unit_test(settling_gives_back_what_frees_have_left),
        cmocka_unit_test(settling_gives_back_what_is_no_longer_needed),
        cmocka_unit_test(a_cycle_that_was_paid_for_settles),
        cmocka_unit_test(a_program_at_rest_keeps_little),
        cmocka_unit_test(half_of_the_least_stays_beside_what_is_needed),
        cmocka_unit_test(purging_goes_to_half_of_the_bound),
        cmocka_unit_test(a_leaner_profile_empties_the_pool),
        cmocka_unit_test(a_punched_slab_without_a_block_is_given_back),
        cmocka_unit_test(slabs_that_are_left_alone_are_given_back),
        cmocka_unit_test(a_burst_with_survivors_is_given_back),
        cmocka_unit_test(an_outgrown_beginning_is_given_back),
        cmocka_unit_test(a_burst_ends_a_busy_time),
        cmocka_unit_test(pages_come_back_within_the_limit),
        cmocka_unit_test(a_trimmed_heap_goes_on),
        cmocka_unit_test(a_trim_empties_what_destroyed_heaps_left),
        cmocka_unit_test(profiles_bound_what_is_retained),
        cmocka_unit_test(a_leaner_profile_takes_effect_at_once),
        cmocka_unit_test(another_profile_begins_with_what_is_in_use),
        cmocka_unit_test(holes_are_counted_exactly),
        cmocka_unit_test(the_bound_itself_stays),
        cmocka_unit_test(pages_of_the_callers_memory_count_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
