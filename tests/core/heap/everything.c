#include "everything.h"

#include <signal.h>
#include <string.h>

#include "os/calls.h"

#define MANY ((size_t)40 * 1024)

hak_heap *victim;
char *span, *small_span, *huge, *medium;

hak_slab *record_of(const void *block)
{
    hak_region *region = hak__region_of(block);
    return &region->slabs[hak__unit_index(region, block)];
}

hak_slab *unit_that_is(hak_slab_state state, bool touched, bool punched)
{
    for (hak_superslab *super = victim->pages.supers->owned; super; super = super->next_owned) {
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
    for (size_t i = 0; i < MANY; i++) REQUIRE(blocks[i] = hak_heap_alloc(victim, SIZE));
    for (size_t i = 1; i < MANY; i++) {
        slab += (uintptr_t)blocks[i] / UNIT != (uintptr_t)blocks[i - 1] / UNIT;
        if (!stays(slab, (uintptr_t)blocks[i] % UNIT)) hak_heap_free(victim, blocks[i]);
    }
    hak_heap_trim(victim);
}

/* A page of a slab that is found, and not given back. */
static void find_a_hole(void)
{
    char *slab = unit_that_is(HAK_SLAB_PARTIAL, true, false)->start;
    for (size_t at = SIZE; at < PAGE; at += 2 * SIZE) hak_heap_free(victim, slab + at);
    hak__holes_find(victim, false);
    REQUIRE(victim->vacant_pages == 1);
}

int everything_setup(void **state)
{
    (void)state;
    victim = hak_heap_new(NULL);
    fill();
    span = hak_heap_alloc(victim, 200000);
    void *rest = hak_heap_alloc(victim, 150000);
    void *kept = hak_heap_alloc(victim, 5 * MIB);
    huge = hak_heap_alloc(victim, 9 * MIB);
    medium = hak_heap_alloc(victim, 5000);
    hak_heap_free(victim, hak_heap_alloc(victim, 5000));
    small_span = hak_heap_alloc(victim, 30000);
    REQUIRE(rest && kept && small_span && hak_heap_alloc(victim, 9 * MIB));
    REQUIRE(hak_heap_realloc(victim, span, 150000) == span);
    hak_heap_free(victim, rest);
    hak_heap_free(victim, kept);
    find_a_hole();
    return 0;
}

int everything_teardown(void **state)
{
    (void)state;
    hak_heap_destroy(victim);
    return 0;
}

hak_superslab *superslab_of(const void *block)
{
    return hak__superslab_of(hak__region_of(block), block);
}

char *start_of(const hak_slab *unit)
{
    const hak_region *region = hak__region_shared();
    return hak__unit_start(region, (size_t)(unit - region->slabs));
}

hak_slab *full(void)
{
    return unit_that_is(HAK_SLAB_FULL, true, false);
}

hak_slab *partial(void)
{
    return unit_that_is(HAK_SLAB_PARTIAL, true, false);
}

hak_slab *current(void)
{
    return hak__heap_current(victim, hak__class_of_slab(full()));
}

hak_slab *unused(bool touched)
{
    return unit_that_is(HAK_UNIT_FREE, touched, false);
}

uint64_t bit_of(const hak_slab *unit)
{
    return (uint64_t)1 << hak__unit_index(hak__region_shared(), start_of(unit)) % 64;
}

static void break_and_check(void *breaks)
{
    void (*const *body)(void) = breaks;
    (*body)();
    hak__heap_check(victim);
}

void check_found(const breakage *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool of_residence = strstr(all[i].name, "resident") != NULL;
        if (of_residence && hak__os_huge_pages()) continue;
        support_child child = support_fork(break_and_check, (void *)&all[i].breaks, 20);
        REQUIRE_THAT(child.signal == SIGABRT && strstr(child.text, "broken invariant"),
                     "%s: signal %d, code %d: %s", all[i].name, child.signal, child.code,
                     child.text);
    }
}
