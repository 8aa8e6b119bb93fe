/* Addresses that a block has left, or that a refused move has lost, are nobody's: whatever others
 * map there is not taken for ours, and stays. Those that cannot be unmapped have no pages. */
#include "scenario.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#include "heap/heap.h"
#include "pages/hugespace.h"
#include "pages/mapping.h"
#include "pages/pack_purge.h"

static hak_heap *heap;

/* A heap whose calls are refused as `refuse` says, from now on. */
static void begin(void)
{
    if (refuse.no_place) support_take_places();
    heap = new_heap("speed");
    REQUIRE(heap);
}

/* A block of 30 MiB which cannot grow where it is: another is behind it in the heap, and others
 * have mapped what lies between. */
static char *block_in_a_corner(size_t stamp)
{
    char *block = hak_heap_alloc(heap, 30 * MIB);
    REQUIRE(block && hak_heap_alloc(heap, 3 * MIB));
    support_fill_pages(block, 30 * MIB, stamp);
    map_behind(block + 32 * MIB);
    return block;
}

/* Whatever others map where a block was that has been moved is not taken for the block, and stays.
 */
static void lose_addresses(void *context)
{
    refuse = *(plan *)context;
    begin();
    for (size_t round = 0; round < 4; round++) {
        char *block = block_in_a_corner(round);
        char *moved = hak_heap_realloc(heap, block, 130 * MIB);
        REQUIRE(moved && moved != block);
        REQUIRE(support_intact_pages(moved, 30 * MIB, round) == 30 * MIB);
        REQUIRE(!hak_heap_owns(heap, block + 5 * MIB) && !hak_owns(block + 5 * MIB));

        char *other = __real_mmap(block + 4 * MIB, 3 * MIB, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        REQUIRE(other == block + 4 * MIB && !hak_owns(other + MIB) && !hak_heap_owns(heap, other));
        support_fill_pages(other, 3 * MIB, round + 77);
        char *blocks[40];
        for (size_t i = 0; i < COUNT(blocks); i++) {
            REQUIRE(blocks[i] = hak_heap_alloc(heap, (3 + 2 * i) * MIB));
            support_fill_pages(blocks[i], 3 * MIB, i);
        }
        for (size_t i = 0; i < COUNT(blocks); i++) {
            REQUIRE(hak_owns(blocks[i]) && hak_heap_owns(heap, blocks[i] + 2 * MIB));
            REQUIRE(support_intact_pages(blocks[i], 3 * MIB, i) == 3 * MIB);
            hak_heap_free(heap, blocks[i]);
        }
        hak_heap_free(heap, moved);
        hak_heap_trim(heap);
        support_check_live(heap, round + 1, (round + 1) * 3 * MIB);
        REQUIRE(support_intact_pages(other, 3 * MIB, round + 77) == 3 * MIB);
    }
    hak_heap_destroy(heap);
}

/* Nor is the target of a refused move, which the kernel has unmapped. Of it nothing stays mapped,
 * or accounted for. */
static void lose_the_target(void *context)
{
    refuse = *(plan *)context;
    refuse.kinds = 1u << MREMAP;
    refuse.from = 1;
    refuse.until = SIZE_MAX;
    refuse.late_refusal = refuse.no_claims = true;
    begin();
    size_t others = support_others_space();
    for (size_t round = 0; round < 4; round++) {
        char *block = block_in_a_corner(round);
        last_target = NULL;
        char *copied = hak_heap_realloc(heap, block, 130 * MIB);
        REQUIRE(copied && copied != block);
        REQUIRE(last_target);
        REQUIRE(support_intact_pages(copied, 30 * MIB, round) == 30 * MIB);
        REQUIRE(!hak_heap_owns(heap, last_target) && !hak_owns(last_target + 5 * MIB));
        hak_heap_free(heap, copied);
        hak_heap_trim(heap);
        REQUIRE(!hak_heap_owns(heap, last_target) && !hak_owns(last_target + 5 * MIB));
        support_check_live(heap, round + 1, (round + 1) * 3 * MIB);
        size_t now = support_others_space();
        REQUIRE_THAT(now < others + MIB && others < now + MIB, "%zu KiB, then %zu", others / KIB,
                     now / KIB);
    }
    hak_heap_destroy(heap);
}

static void addresses_once_lost_are_nobodys(void **state)
{
    (void)state;
    support_in_child(lose_the_target, &(plan){0}, 30);
    support_in_child(lose_the_target, &(plan){.no_place = true}, 30);
    support_in_child(lose_addresses, &(plan){0}, 30);
    support_in_child(lose_addresses, &(plan){.old_kernel = true}, 30);
    support_in_child(lose_addresses, &(plan){.no_place = true}, 30);
}

/* A region for one block that cannot be unmapped keeps its addresses, but none of its pages. */
static void free_where_nothing_is_unmapped(void *context)
{
    (void)context;
    support_take_places();
    refuse = (plan){.kinds = 1u << MUNMAP, .from = 1, .until = SIZE_MAX};
    heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    char *block = hak_heap_alloc(heap, 100 * MIB);
    REQUIRE(block);
    size_t before = support_resident();
    support_fill_pages(block, 40 * MIB, 1);
    hak_heap_free(heap, block);
    hak_heap_trim(heap);
    REQUIRE(refusals > 1);
    size_t after = support_resident();
    REQUIRE_THAT(after < before + MIB, "%zu bytes resident, then %zu", before, after);
    hak_heap_destroy(heap);
}

/* The same of a pack without a block. What is given back is told. */
static void purge_a_pack_where_nothing_is_unmapped(void *context)
{
    (void)context;
    struct rlimit limit = {support_status("VmSize:") + GIB, RLIM_INFINITY};
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    heap = hak_heap_new(&(hak_heap_options){.profile = "speed"});
    char *block = hak_heap_alloc(heap, MIB);
    REQUIRE(block);
    memset(block, 1, MIB);
    hak_heap_free(heap, block);
    size_t before = support_stats(heap).footprint, resident = support_resident();
    refuse = (plan){.kinds = 1u << MUNMAP, .from = 1, .until = SIZE_MAX};
    size_t given = hak__packs_purge_some(&heap->pages, SIZE_MAX);
    REQUIRE(refusals > 0);
    REQUIRE_THAT(given >= MIB && given == before - support_stats(heap).footprint, "%zu", given);
    REQUIRE(support_resident() + MIB / 2 < resident);
    hak_heap_destroy(heap);
}

static void what_is_not_unmapped_has_no_pages(void **state)
{
    (void)state;
    support_in_child(free_where_nothing_is_unmapped, NULL, 20);
    support_in_child(purge_a_pack_where_nothing_is_unmapped, NULL, 20);
}

/* Blocks that have been moved and are lost are no mappings to be spared: others may unmap them. */
static void lose_many_moved_blocks(void *context)
{
    enum { BLOCKS = 4200 };
    (void)context;
    begin();
    for (size_t i = 0; i < BLOCKS; i++) {
        hak_superslab *super = hak__hugespace_take(NULL, 3 * MIB, PAGE);
        REQUIRE(super);
        hak__mapping_set_moved(super, true);
        hak__hugespace_lose(super);
        REQUIRE(__real_munmap(hak__superslab_start(super), 3 * MIB) == 0);
    }
    REQUIRE(!hak__mapping_crowded());
    hak_heap_destroy(heap);
}

static void lost_blocks_are_no_moved_ones(void **state)
{
    (void)state;
    support_in_child(lose_many_moved_blocks, NULL, 30);
}

/* ------------------------------------------------------------------ asked meanwhile */

enum { REGIONS = 3000 };
static _Atomic(char *) asked;
static atomic_bool over;
static atomic_size_t questions;

static void *ask_whose_it_is(void *unused)
{
    (void)unused;
    for (; !atomic_load(&over); atomic_fetch_add(&questions, 1)) hak_owns(atomic_load(&asked));
    return NULL;
}

/* Returns once nobody asks for that address any more. */
static void let_nobody_ask(void)
{
    atomic_store(&asked, NULL);
    size_t before = atomic_load(&questions);
    while (atomic_load(&questions) < before + 2) sched_yield();
}

/* A region for one block ends while another thread asks for an address in it that was never mapped,
 * or is no longer. */
static void ask_as_regions_end(void *context)
{
    (void)context;
    support_take_places();
    heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    REQUIRE(heap);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, ask_whose_it_is, NULL) == 0);
    for (size_t i = 0; i < REGIONS / support_scale() + REGIONS / 10; i++) {
        char *block = hak_heap_alloc(heap, 20 * MIB);
        REQUIRE(block && hak_heap_realloc(heap, block, 3 * MIB) == block);
        REQUIRE(!hak_owns(block + 15 * MIB));
        atomic_store(&asked, block + 15 * MIB);
        hak_heap_free(heap, block);
        hak_heap_trim(heap);
        let_nobody_ask(); /* the next region may have it in a block, which is not to be freed then
                           */
    }
    atomic_store(&over, true);
    REQUIRE(pthread_join(thread, NULL) == 0);
    hak_heap_destroy(heap);
}

static void addresses_may_be_asked_for_as_a_region_ends(void **state)
{
    (void)state;
    support_in_child(ask_as_regions_end, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_once_lost_are_nobodys),
        cmocka_unit_test(lost_blocks_are_no_moved_ones),
        cmocka_unit_test(what_is_not_unmapped_has_no_pages),
        cmocka_unit_test(addresses_may_be_asked_for_as_a_region_ends),
    };
    return cmocka_run_group_tests(tests, refusing_setup, NULL);
}
