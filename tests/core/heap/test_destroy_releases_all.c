/* hak_heap_destroy takes everything back, blocks of all kinds alive in it: resident memory falls,
 * the next heap starts from nothing, and after a thousand heaps there are no more mappings or
 * addresses in use than after one. It does so in work proportional to superslabs, not blocks. */
#include "steps.h"
#include "support.h"

#include <string.h>

#include "sizes.h"

static const char *const profiles[] = {"speed", "balanced", "lean"};

/* Blocks of all kinds, every page of them written. */
static void populate(hak_heap *heap, size_t small)
{
    for (size_t i = 0; i < small; i++) {
        void *block = hak_heap_alloc(heap, 16 + i % 1000);
        REQUIRE(block);
        memset(block, 0x44, 16);
    }
    for (size_t i = 0; i < SIZES; i++) {
        void *block = hak_heap_alloc(heap, sizes[i]);
        REQUIRE(block);
        support_fill_pages(block, sizes[i], i);
    }
    /* A few in states that only time brings: moved, shrunk, retained, aligned. */
    void *moved = hak_heap_alloc(heap, 3 * MIB);
    moved = hak_heap_realloc(heap, moved, 30 * MIB);
    REQUIRE(moved);
    support_fill_pages(moved, 30 * MIB, 5);
    REQUIRE(hak_heap_realloc(heap, moved, 5 * MIB));
    hak_heap_free(heap, hak_heap_alloc(heap, 2 * MIB + 5));
    hak_heap_free(heap, hak_heap_alloc(heap, 500000));
    REQUIRE(hak_heap_aligned_alloc(heap, 4 * MIB, 100));
}

static void destroy_and_measure(void *context)
{
    const char *profile = context;
    hak_heap *next = hak_heap_new(NULL);
    size_t begin = support_resident();
    for (size_t round = 0; round < 3; round++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = profile, .granularity = 8});
        populate(heap, 20000);
        size_t full = support_resident();
        REQUIRE(full > begin + 30 * MIB);
        hak_heap_destroy(heap);
        /* What is kept for the next heap is bounded; nothing is, by a lean one. */
        size_t kept = support_resident() - begin;
        size_t most = strcmp(profile, "speed") == 0 ? 24 : strcmp(profile, "lean") == 0 ? 2 : 10;
        REQUIRE_THAT(kept <= most * MIB, "%s: %zu MiB kept", profile, kept / MIB);
        hak_heap_trim(next);
        size_t end = support_resident();
        REQUIRE_THAT(end <= begin + MIB, "%s: %zu KiB left", profile, (end - begin) / KIB);
    }
}

static void memory_falls_back(void **state)
{
    (void)state;
    for (size_t p = 0; p < COUNT(profiles); p++) {
        support_in_child(destroy_and_measure, (void *)(uintptr_t)profiles[p], 60);
    }
}

static void thousand_cycles(void *context)
{
    const char *profile = context;
    size_t mappings = 0, size = 0, resident = 0;
    uintptr_t first = 0; /* address of a block in the first heap */
    size_t cycles = support_scale() > 1 ? 160 : 1000;
    for (size_t cycle = 0; cycle < cycles; cycle++) {
        hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = profile});
        REQUIRE(heap);
        support_check_live(heap, 0, 0);
        if (cycle % 100 == 0) populate(heap, 1000);
        for (size_t i = 0; i < SIZES; i++) {
            if (sizes[i] > 300000) continue;
            char *block = hak_heap_alloc(heap, sizes[i]);
            REQUIRE(block);
            *block = 1;
        }
        char *huge = hak_heap_alloc(heap, 3 * MIB);
        REQUIRE(huge);
        huge[0] = huge[3 * MIB - 1] = 1;
        uintptr_t here = (uintptr_t)hak_heap_alloc(heap, 5000);
        if (!first) first = here;
        REQUIRE_THAT(here < first + 256 * MIB, "cycle %zu is %zu MiB further up", cycle,
                     (here - first) / MIB);
        hak_heap_destroy(heap);
        if (cycle % 100 != 51) continue;
        size_t mappings_now = support_mappings(), size_now = support_status("VmSize:");
        size_t resident_now = support_resident();
        if (cycle > 151) {
            REQUIRE_THAT(mappings_now <= mappings + 2, "%zu mappings, then %zu", mappings,
                         mappings_now);
            REQUIRE_THAT(size_now <= size, "%zu bytes of address space, then %zu", size, size_now);
            REQUIRE_THAT(resident_now <= resident + MIB, "%zu bytes resident, then %zu", resident,
                         resident_now);
        } else {
            mappings = mappings_now;
            size = size_now;
            resident = resident_now;
        }
    }
}

static void a_thousand_heaps_leave_no_trace(void **state)
{
    (void)state;
    for (size_t p = 0; p < COUNT(profiles); p++) {
        support_in_child(thousand_cycles, (void *)(uintptr_t)profiles[p], 60);
    }
}

/* Two heaps of 32 MiB in blocks of that size; each call drops one. */
static void *two_heaps(size_t size)
{
    static hak_heap *heaps[2];
    for (size_t i = 0; i < COUNT(heaps); i++) {
        heaps[i] = hak_heap_new(&(hak_heap_options){.granularity = 8});
        for (size_t bytes = 0; bytes < 32 * MIB; bytes += size) {
            char *block = hak_heap_alloc(heaps[i], size);
            REQUIRE(block);
            if (size > PAGE) support_fill_pages(block, size, 1);
        }
    }
    return heaps;
}

static void drop_one(void *prepared)
{
    hak_heap **heaps = prepared, **heap = heaps[0] ? &heaps[0] : &heaps[1];
    hak_heap_destroy(*heap);
    *heap = NULL;
}

/* 32 MiB in four million blocks or in fifty: the instructions to drop them are much the same. */
static void dropping_does_not_visit_blocks(void **state)
{
    (void)state;
    if (support_debug || support_sanitized) skip(); /* which look at blocks */
    counted dropping = {two_heaps, drop_one};
    size_t small = steps_of(&dropping, 8), spans = steps_of(&dropping, 600000);
    print_message("%zu instructions with small blocks, %zu with spans\n", small, spans);
    REQUIRE_THAT(small <= 2 * spans, "%zu, %zu", small, spans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_falls_back),
        cmocka_unit_test(a_thousand_heaps_leave_no_trace),
        cmocka_unit_test(dropping_does_not_visit_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
