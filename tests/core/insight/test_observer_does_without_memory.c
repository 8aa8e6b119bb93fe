/* Where the OS refuses memory to an observer, the heap works on, and what could not be noted is
 * counted as that. The linker puts the functions below in place of the core's calls (--wrap). */
#include "support.h"
#include "wrapped_calls.h"

#include <errno.h>
#include <sys/mman.h>

static size_t refuse_from; /* mappings of so many bytes and more are refused; 0: none */
static size_t refused;

void *__wrap_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset)
{
    if (!refuse_from || size < refuse_from || at) {
        return __real_mmap(at, size, access, flags, fd, offset);
    }
    refused++;
    errno = ENOMEM;
    return MAP_FAILED;
}

enum { BLOCKS = 40000 };
static void *blocks[BLOCKS];

/* The heap has taken what it needs before, so that only the observer asks. */
static hak_heap *warm_heap(void)
{
    hak_heap *heap = hak_heap_new(NULL);
    REQUIRE(heap);
    for (size_t i = 0; i < BLOCKS; i++) REQUIRE((blocks[i] = hak_heap_alloc(heap, 64)));
    for (size_t i = 0; i < BLOCKS; i++) hak_heap_free(heap, blocks[i]);
    REQUIRE(hak_heap_observe(heap, false));
    return heap;
}

/* Whether the table can grow or not, every block is counted once. */
static void check_all_counted(hak_heap *heap)
{
    errno = 0;
    for (size_t i = 0; i < BLOCKS; i++) REQUIRE((blocks[i] = hak_heap_alloc(heap, 64)));
    REQUIRE(errno == 0);
    const hak_observations *told = hak_heap_observations(heap);
    REQUIRE(told->allocations == BLOCKS && told->live_blocks + told->unnoted == BLOCKS);
    size_t unnoted = told->unnoted;
    for (size_t i = 0; i < BLOCKS; i++) hak_heap_free(heap, blocks[i]);
    told = hak_heap_observations(heap);
    REQUIRE(told->frees == BLOCKS && told->freed_unknown == unnoted && told->live_blocks == 0);
}

static void without_any(void *unused)
{
    (void)unused;
    hak_heap *heap = warm_heap();
    REQUIRE(hak_heap_observe(heap, true));
    refuse_from = 1;
    check_all_counted(heap);
    REQUIRE_THAT(refused > 10 && refused <= BLOCKS / 1000, "asked %zu times", refused);
    const hak_observations *told = hak_heap_observations(heap);
    REQUIRE(told->unnoted == BLOCKS && told->traced == 65536);
    refuse_from = 0;
    REQUIRE(hak_heap_observe(heap, false) && hak_heap_observe(heap, true));
    check_all_counted(heap);
    REQUIRE(hak_heap_observations(heap)->unnoted == 0);
    hak_heap_destroy(heap);
}

static void with_little(void *unused)
{
    (void)unused;
    hak_heap *heap = warm_heap();
    REQUIRE(hak_heap_observe(heap, true));
    refuse_from = 300 * KIB; /* room for 8,192 births, not for 16,384 */
    check_all_counted(heap);
    REQUIRE_THAT(refused > 10 && refused <= BLOCKS / 1000, "asked %zu times", refused);
    size_t unnoted = hak_heap_observations(heap)->unnoted;
    REQUIRE(unnoted > BLOCKS / 2 && unnoted < BLOCKS - 7000);
    refuse_from = 0; /* the OS relents: nothing more is lost but the first that wait */
    for (size_t i = 0; i < BLOCKS; i++) REQUIRE((blocks[i] = hak_heap_alloc(heap, 64)));
    REQUIRE(hak_heap_observations(heap)->unnoted < unnoted + 2048);
    hak_heap_destroy(heap);
}

static void without_a_ring(void *unused)
{
    (void)unused;
    hak_heap *heap = warm_heap();
    refuse_from = MIB;
    REQUIRE(hak_heap_observe(heap, true) && refused == 1);
    refuse_from = 0;
    check_all_counted(heap);
    REQUIRE(hak_heap_observations(heap)->traced == 0);
    REQUIRE(hak_heap_trace(heap, "/dev/null"));
    hak_heap_destroy(heap);
}

/* A new heap is observed if it can be, and is a heap all the same if not. */
static void without_an_observer(void *unused)
{
    (void)unused;
    hak_heap *first = hak_heap_new(NULL); /* the region is there */
    REQUIRE(hak_heap_alloc(first, 100));
    refuse_from = 1;
    hak_heap *heap = hak_heap_new(NULL);
    REQUIRE(heap && refused > 0);
    REQUIRE(!hak_heap_observing(heap) && !hak_heap_observations(heap));
    REQUIRE(hak_heap_observations_json(heap, NULL, 0) == 0);
    errno = 0;
    REQUIRE(!hak_heap_trace(heap, "/dev/null") && errno == ENODATA);
    errno = 0;
    REQUIRE(!hak_heap_observe(heap, true) && errno == ENOMEM);
    refuse_from = 0;
    void *block = hak_heap_alloc(heap, 100);
    REQUIRE(block);
    REQUIRE(hak_heap_observe(heap, true));
    hak_heap_free(heap, block);
    REQUIRE(hak_heap_observations(heap)->freed_unknown == 1);
    hak_heap_destroy(heap);
    hak_heap_destroy(first);
}

static void births_that_cannot_be_noted_are_counted(void **unused)
{
    (void)unused;
    support_in_child(without_any, NULL, 60);
    support_in_child(with_little, NULL, 60);
}

static void a_trace_that_cannot_be_kept_is_empty(void **unused)
{
    (void)unused;
    support_in_child(without_a_ring, NULL, 60);
}

static void a_heap_works_without_its_observer(void **unused)
{
    (void)unused;
    support_in_child(without_an_observer, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(births_that_cannot_be_noted_are_counted),
        cmocka_unit_test(a_trace_that_cannot_be_kept_is_empty),
        cmocka_unit_test(a_heap_works_without_its_observer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
