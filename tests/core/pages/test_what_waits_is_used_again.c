/* What waits is nobody's, and can be had by whoever asks: by another heap, zeroed, by a block that
 * grows; a trim, rest, a profile or a limit takes it at once. */
#include "bursts.h"

#include <string.h>
#include <sys/resource.h>

static burst held;

static size_t page_faults(void)
{
    struct rusage usage;
    REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
    return (size_t)usage.ru_minflt;
}

static void others_want_them(void *context)
{
    (void)context;
    hak_heap *heap = heap_with(LONG);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        burst_begin(heap, &held, sizes[i]);
        burst_end(heap, &held);
        size_t before = pooled() + support_stats(heap).footprint;
        REQUIRE(pooled() > BURST / 2);
        size_t given = hak_heap_trim(heap), left = support_stats(heap).footprint;
        REQUIRE_THAT(given == before - left, "%zu given, not %zu", given, before - left);
        REQUIRE(pooled() == 0 && given > BURST / 2);

        burst_begin(heap, &held, sizes[i]);
        burst_end(heap, &held);
        hak_heap_settle(heap);
        REQUIRE(pooled() > BURST / 2);
        hak_heap_settle(heap); /* the program is at rest */
        REQUIRE(pooled() == 0);

        burst_begin(heap, &held, sizes[i]);
        burst_end(heap, &held);
        REQUIRE(hak_heap_set_profile(heap, support_profile("lean")));
        REQUIRE(pooled() == 0);
        REQUIRE(hak_heap_configure(heap, LONG, NULL, 0));
    }
    /* Another heap takes them over, within its limit. */
    burst_begin(heap, &held, 640);
    burst_end(heap, &held);
    size_t waiting = pooled();
    hak_heap *other = hak_heap_new(&(hak_heap_options){.limit = 8 * MIB});
    while (hak_heap_alloc(other, 1000)) continue;
    REQUIRE(support_stats(other).footprint <= 8 * MIB);
    REQUIRE(pooled() < waiting);
    hak_heap_destroy(other);
    hak_heap_destroy(heap);
}

static void trims_rests_profiles_and_limits_take_them(void **state)
{
    (void)state;
    support_in_child(others_want_them, NULL, 60);
}

/* A block that waits is nobody's, and is all zero when it is asked for so. */
static void used_again(void *context)
{
    (void)context;
    hak_heap *heap = heap_with(LONG);
    enum { SIZE = 10 * MIB };
    char *block = hak_heap_alloc(heap, SIZE);
    REQUIRE(block);
    memset(block, 1, SIZE);
    hak_heap_free(heap, block);
    REQUIRE(pooled() == SIZE);
    for (size_t at = 0; at < SIZE; at += MIB) {
        REQUIRE(!hak_owns(block + at) && !hak_heap_owns(heap, block + at));
    }
    hak_heap *other = heap_with(LONG);
    char *zeros = hak_heap_zalloc(other, 1, SIZE);
    REQUIRE(zeros == block && support_zeros(zeros, SIZE) == SIZE);
    REQUIRE(pooled() == 0 && hak_heap_owns(other, zeros + 5 * MIB));
    for (size_t at = 0; at < SIZE; at += MIB) REQUIRE(hak_owns(zeros + at));
    REQUIRE(support_stats(other).footprint >= SIZE);
    hak_heap_free(other, zeros);
    /* It may be a little larger than what is asked for; one that is too large goes. */
    block = hak_heap_alloc(other, SIZE - MIB);
    REQUIRE(block == zeros && pooled() == 0);
    REQUIRE(hak_heap_usable_size(other, block) == SIZE);
    hak_heap_free(other, block);
    char *small = hak_heap_alloc(other, 5 * MIB);
    REQUIRE(small && pooled() == 0);
    hak_heap_destroy(other);
    hak_heap_destroy(heap);
}

static void huge_blocks_are_used_again(void **state)
{
    (void)state;
    support_in_child(used_again, NULL, 60);
}

/* A block that grows to `size` bytes, little by little, with others freed meanwhile. */
static char *grown(hak_heap *heap, size_t size)
{
    char *block = hak_heap_alloc(heap, 10 * KIB);
    for (size_t now = 10 * KIB; block && now < size; now += 4 * KIB) {
        hak_heap_free(heap, hak_heap_alloc(heap, 100 * KIB));
        block = hak_heap_realloc(heap, block, now + 4 * KIB);
        if (block) block[now + 4 * KIB - 1] = 1;
    }
    return block;
}

static void grow_again(void *context)
{
    (void)context;
    enum { SIZE = 12 * MIB };
    hak_heap *heap = heap_with(LONG);
    for (size_t i = 0; i < 5; i++) {
        size_t faults = page_faults(), peak = support_stats(heap).footprint_peak;
        char *block = grown(heap, SIZE);
        REQUIRE_THAT(block && pooled() < SIZE / 2, "%zu bytes wait", pooled());
        hak_heap_free(heap, block);
        REQUIRE_THAT(pooled() >= SIZE, "%zu bytes wait", pooled());
        if (i == 0) continue;
        faults = page_faults() - faults;
        REQUIRE_THAT(support_sanitized || faults < SIZE / PAGE / 4, "%zu faults", faults);
        REQUIRE(support_stats(heap).footprint_peak <= peak + peak / 16);
    }
    /* What it has not grown into goes when its time is over. */
    REQUIRE(hak_heap_configure(heap, NOTHING "decay=500", NULL, 0));
    hak_heap_free(heap, grown(heap, SIZE));
    char *block = grown(heap, 3 * MIB);
    size_t with = support_stats(heap).footprint;
    REQUIRE_THAT(with > SIZE, "%zu", with);
    sleep_ms(600);
    hak_heap_free(heap, hak_heap_alloc(heap, 100 * KIB));
    REQUIRE_THAT(support_stats(heap).footprint < 5 * MIB, "%zu", support_stats(heap).footprint);
    hak_heap_free(heap, block);
    /* One that is much too large is not taken: a program that does nothing more would keep it. */
    block = grown(heap, MIB);
    hak_heap_free(heap, hak_heap_alloc(heap, 300 * MIB));
    REQUIRE(block = hak_heap_realloc(heap, block, 3 * MIB));
    REQUIRE_THAT(support_stats(heap).footprint < 6 * MIB, "%zu", support_stats(heap).footprint);
    hak_heap_free(heap, block);
    /* A limit is for what the heap holds: it takes only what it needs. */
    REQUIRE(hak_heap_configure(heap, LONG, NULL, 0));
    hak_heap_free(heap, grown(heap, SIZE));
    REQUIRE(hak_heap_set_limit(heap, SIZE));
    block = grown(heap, 3 * MIB);
    REQUIRE_THAT(support_stats(heap).footprint < 6 * MIB, "%zu", support_stats(heap).footprint);
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

static void growing_blocks_use_them_again(void **state)
{
    (void)state;
    support_in_child(grow_again, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trims_rests_profiles_and_limits_take_them),
        cmocka_unit_test(huge_blocks_are_used_again),
        cmocka_unit_test(growing_blocks_use_them_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
