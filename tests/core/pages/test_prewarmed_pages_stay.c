/* Pages that were touched ahead on request are there, as far as the limit and the OS allow, count
 * for the limit, and stay until a trim or another profile: a limit that is refused does not take
 * them, nor does a refused request. On old kernels too, which do not know how to touch by one call.
 */
#include "heap/reclaim.h"
#include "pages/region.h"
#include "support.h"
#include "wrapped_calls.h"

#include <errno.h>
#include <stdlib.h>

#include "os/mman.h"

static bool old_kernel, no_memory;
static size_t populates; /* calls */

int __wrap_madvise(void *at, size_t size, int advice)
{
    populates += advice == MADV_POPULATE_WRITE;
    bool is_refused = (old_kernel || no_memory) && advice == MADV_POPULATE_WRITE;
    if (!is_refused) return __real_madvise(at, size, advice);
    errno = old_kernel ? EINVAL : ENOMEM;
    return -1;
}

/* A heap, and nothing that others have left. */
static hak_heap *fresh_heap(const hak_heap_options *options)
{
    hak_heap *first = hak_heap_new(NULL);
    REQUIRE(first);
    hak_heap_trim(first);
    hak_heap_destroy(first);
    hak_heap *heap = hak_heap_new(options);
    REQUIRE(heap);
    return heap;
}

/* Leaves pages of slabs for other heaps. */
static void leave_pages(size_t bytes)
{
    hak_heap *heap = hak_heap_new(NULL);
    REQUIRE(heap);
    for (size_t i = 0; i < bytes / 512; i++) REQUIRE(hak_heap_alloc(heap, 16 + i * 37 % 900));
    hak_heap_destroy(heap);
}

static void pages_are_there(void *context)
{
    (void)context;
    hak_heap *heap = fresh_heap(NULL);
    for (size_t i = 1; i <= 64; i++) {
        size_t before = support_resident();
        REQUIRE(hak_heap_prewarm(heap, MIB) == MIB);
        REQUIRE(support_stats(heap).retained == i * MIB);
        REQUIRE(support_resident() >= before + MIB - 64 * KIB);
        /* They lie side by side. */
        REQUIRE(support_stats(heap).superslabs <= i * MIB / HAK_SUPERSLAB_SIZE + 1);
    }
    char *zero = hak_heap_zalloc(heap, 1, MIB);
    REQUIRE(zero && support_zeros(zero, MIB) == MIB);
    hak_heap_free(heap, zero);
    REQUIRE(hak_heap_trim(heap) >= 64 * MIB);
    hak_stats after = support_stats(heap);
    REQUIRE(after.footprint == 0 && after.superslabs == 0);
    hak_heap_destroy(heap);
}

static void so_many_pages_are_there(void **state)
{
    (void)state;
    support_in_child(pages_are_there, NULL, 60);
}

/* The kernel is asked once. */
static void so_they_are_on_old_kernels(void *context)
{
    old_kernel = true;
    populates = 0;
    pages_are_there(context);
    REQUIRE_THAT(populates == 1, "%zu calls", populates);
}

static void on_old_kernels_too(void **state)
{
    (void)state;
    support_in_child(so_they_are_on_old_kernels, NULL, 60);
}

/* What the OS refuses is not accounted for, in a heap without a superslab and in one that has free
 * units. */
static void are_refused(void *context)
{
    (void)context;
    hak_heap *heap = fresh_heap(NULL);
    for (size_t round = 0; round < 2; round++) {
        hak_stats before = support_stats(heap);
        no_memory = true;
        REQUIRE(hak_heap_prewarm(heap, 100 * KIB) == 0);
        hak_stats refused = support_stats(heap);
        REQUIRE_THAT(refused.retained == before.retained && refused.footprint == before.footprint,
                     "%zu retained", refused.retained);
        REQUIRE(refused.superslabs == before.superslabs);
        support_check_stats(heap);
        no_memory = false;
        REQUIRE(hak_heap_prewarm(heap, 100 * KIB) == 100 * KIB);
        REQUIRE(support_stats(heap).retained == before.retained + 100 * KIB);
    }
    hak_heap_destroy(heap);
}

static void those_refused_are_not_there(void **state)
{
    (void)state;
    support_in_child(are_refused, NULL, 20);
}

/* Whole pages; what is asked for beyond the limit is not touched, and the accounts are those of a
 * heap within it, whatever other heaps have left in the pool. */
static void as_far_as_the_limit_allows(void **state)
{
    (void)state;
    for (size_t limit = MIB; limit <= 6 * MIB; limit += 300 * KIB) {
        for (size_t bytes = 100; bytes <= 8 * MIB; bytes += 700 * KIB) {
            if (bytes / KIB % 3) leave_pages(limit / 2 + bytes / 4);
            hak_heap *heap = hak_heap_new(&(hak_heap_options){.limit = limit});
            REQUIRE(heap);
            size_t before = support_stats(heap).footprint;
            size_t touched = hak_heap_prewarm(heap, bytes);
            hak_stats after = support_stats(heap);
            size_t whole = bytes & ~(PAGE - 1), room = (limit - before) & ~(PAGE - 1);
            REQUIRE_THAT(touched == (whole < room ? whole : room),
                         "limit %zu, %zu in use: of %zu bytes %zu", limit, before, bytes, touched);
            REQUIRE_THAT(after.retained <= after.footprint && after.footprint <= limit,
                         "retained %zu, footprint %zu, limit %zu", after.retained, after.footprint,
                         limit);
            REQUIRE(after.retained >= touched);
            support_check_stats(heap);
            hak_heap_trim(heap);
            assert_int_equal(support_stats(heap).footprint, 0);
            assert_int_equal(support_stats(heap).limit_left, limit);
            hak_heap_destroy(heap);
        }
    }
}

/* A superslab from the pool that has more of them brings no further ones. */
static void a_pooled_superslab_is_enough(void **state)
{
    (void)state;
    leave_pages(2 * MIB);
    hak_heap *heap = hak_heap_new(NULL);
    assert_int_equal(hak_heap_prewarm(heap, MIB), MIB);
    size_t footprint = support_stats(heap).footprint;
    REQUIRE_THAT(footprint > MIB && footprint < 5 * MIB / 2, "%zu", footprint);
    support_check_stats(heap);
    hak_heap_destroy(heap);
}

static void a_refused_limit_leaves_them(void **state)
{
    (void)state;
    hak_heap *heap = fresh_heap(&(hak_heap_options){.profile = "lean"});
    assert_non_null(hak_heap_alloc(heap, 3 * MIB));
    assert_int_equal(hak_heap_prewarm(heap, 16 * MIB), 16 * MIB);
    hak_stats before = support_stats(heap);
    errno = 0;
    assert_false(hak_heap_set_limit(heap, 2 * MIB));
    assert_int_equal(errno, ERANGE);
    hak_stats after = support_stats(heap);
    assert_int_equal(after.limit, 0);
    assert_int_equal(after.retained, before.retained);
    assert_int_equal(after.footprint, before.footprint);
    assert_int_equal(after.os.total, before.os.total);
    /* One that can be kept to takes only as many as it must. */
    assert_true(hak_heap_set_limit(heap, before.footprint - 5 * MIB));
    assert_int_equal(support_stats(heap).footprint, before.footprint - 5 * MIB);
    hak_heap_destroy(heap);
}

static void a_refused_request_leaves_them(void **state)
{
    (void)state;
    static const char *const profiles[] = {"speed", "balanced", "lean"};
    for (size_t i = 0; i < COUNT(profiles); i++) {
        hak_heap *heap = fresh_heap(&(hak_heap_options){.profile = profiles[i], .limit = 24 * MIB});
        assert_int_equal(hak_heap_prewarm(heap, 16 * MIB), 16 * MIB);
        size_t retained = support_stats(heap).retained;
        errno = 0;
        assert_null(hak_heap_alloc(heap, 32 * MIB));
        assert_int_equal(errno, ENOMEM);
        assert_int_equal(support_stats(heap).retained, retained);
        /* What they have room for they make room for, and are used by blocks of slabs and spans. */
        void *large = hak_heap_alloc(heap, 12 * MIB);
        assert_non_null(large);
        assert_true(support_stats(heap).retained >= 11 * MIB);
        hak_heap_free(heap, large);
        for (size_t n = 0; n < 10 * MIB; n += 100 * KIB) {
            assert_non_null(hak_heap_alloc(heap, 100 * KIB));
        }
        support_check_stats(heap);
        hak_heap_destroy(heap);
    }
}

/* What a request is short of is given back of the pages beside them, and only if these suffice. */
static void what_is_short_comes_from_others(void **state)
{
    (void)state;
    enum { SIZE = 60000, BLOCKS = 80, AHEAD = 1024 * 1024 };
    static void *blocks[BLOCKS];
    hak_heap *heap = fresh_heap(&(hak_heap_options){.settings = "retain_least=100m"});
    assert_int_equal(hak_heap_prewarm(heap, AHEAD), AHEAD);
    for (size_t i = 0; i < BLOCKS; i++) assert_non_null(blocks[i] = hak_heap_alloc(heap, SIZE));
    for (size_t i = 1; i < BLOCKS; i++) hak_heap_free(heap, blocks[i]);
    size_t retained = support_stats(heap).retained, beside = retained - AHEAD;
    assert_true(beside > 2 * MIB);
    heap->pages.short_of = beside + PAGE;
    assert_false(hak__reclaim_short(heap));
    assert_int_equal(support_stats(heap).retained, retained);
    heap->pages.short_of = beside;
    assert_true(hak__reclaim_short(heap));
    size_t left = support_stats(heap).retained;
    REQUIRE_THAT(left <= AHEAD && left + 64 * KIB > AHEAD, "%zu", left);
    /* Some are in use. */
    while (support_stats(heap).retained >= AHEAD / 2) assert_non_null(hak_heap_alloc(heap, SIZE));
    left = support_stats(heap).retained;
    heap->pages.short_of = PAGE;
    assert_false(hak__reclaim_short(heap));
    assert_int_equal(support_stats(heap).retained, left);
    hak_heap_destroy(heap);
}

/* They do not keep the heap from giving back what it has beside them, once they are gone. */
static void giving_back_goes_on_after_them(void **state)
{
    (void)state;
    hak_heap *heap = fresh_heap(&(hak_heap_options){.profile = "lean", .limit = 40 * MIB});
    assert_int_equal(hak_heap_prewarm(heap, 16 * MIB), 16 * MIB);
    assert_non_null(hak_heap_alloc(heap, 38 * MIB)); /* takes nearly all of them */
    assert_true(support_stats(heap).retained <= 2 * MIB);
    static void *blocks[20000];
    hak_heap_set_limit(heap, 0);
    for (size_t i = 0; i < COUNT(blocks); i++) blocks[i] = hak_heap_alloc(heap, 1000);
    for (size_t i = 0; i < COUNT(blocks); i++) hak_heap_free(heap, blocks[i]);
    REQUIRE_THAT(support_stats(heap).retained <= 6 * MIB, "%zu", support_stats(heap).retained);
    hak_heap_destroy(heap);
}

static void another_profile_gives_them_back(void **state)
{
    (void)state;
    hak_heap *heap = fresh_heap(NULL);
    assert_int_equal(hak_heap_prewarm(heap, 64 * MIB), 64 * MIB);
    assert_true(hak_heap_set_profile(heap, "lean"));
    assert_true(support_stats(heap).retained <= 4 * MIB);
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_pages_are_there),
        cmocka_unit_test(on_old_kernels_too),
        cmocka_unit_test(those_refused_are_not_there),
        cmocka_unit_test(as_far_as_the_limit_allows),
        cmocka_unit_test(a_pooled_superslab_is_enough),
        cmocka_unit_test(a_refused_limit_leaves_them),
        cmocka_unit_test(a_refused_request_leaves_them),
        cmocka_unit_test(what_is_short_comes_from_others),
        cmocka_unit_test(giving_back_goes_on_after_them),
        cmocka_unit_test(another_profile_gives_them_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
