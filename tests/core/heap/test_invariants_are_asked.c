/* The debug build asks all invariants of a heap: each function of hakmem.h does, at the first of so
 * many calls that it takes little time. */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "heap/blocks.h"

#define SIZE  ((size_t)64)
#define MANY  ((size_t)40 * 1024)
#define CALLS 3000

static hak_heap *heap;
static void *small;

static int setup(void **state)
{
    (void)state;
    heap = hak_heap_new(NULL);
    for (size_t i = 0; i < MANY; i++) REQUIRE(hak_heap_alloc(heap, SIZE));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hak_heap_destroy(heap);
    return 0;
}

/* ------------------------------------------------------------------ the functions */

static void alloc(void)
{
    hak__heap_free(heap, hak_heap_alloc(heap, SIZE));
}
static void give(void)
{
    hak_heap_free(heap, hak__heap_alloc(heap, SIZE));
}
static void zalloc(void)
{
    hak__heap_free(heap, hak_heap_zalloc(heap, 1, SIZE));
}
static void aligned_alloc_(void)
{
    hak__heap_free(heap, hak_heap_aligned_alloc(heap, 16, SIZE));
}
static void realloc_(void)
{
    REQUIRE(hak_heap_realloc(heap, small, SIZE) == small);
}
static void usable_size(void)
{
    REQUIRE(hak_heap_usable_size(heap, small) == SIZE);
}
static void set_limit(void)
{
    REQUIRE(hak_heap_set_limit(heap, 0));
}
static void grace(void)
{
    hak_heap_grace(heap, 0);
}
static void trim(void)
{
    hak_heap_trim(heap);
}
static void prewarm(void)
{
    hak_heap_prewarm(heap, 0);
}
static void set_profile(void)
{
    REQUIRE(hak_heap_set_profile(heap, "lean"));
}
static void configure(void)
{
    REQUIRE(hak_heap_configure(heap, "wake=3", NULL, 0));
}
static void observe(void)
{
    REQUIRE(hak_heap_observe(heap, false));
}
static void slow_alloc(void)
{
    REQUIRE(hak__heap_alloc_slow(heap, 5000));
}

static void settle(void)
{
    heap->pace.clock += heap->pages.footprint; /* or it does nothing */
    hak_heap_settle(heap);
}

static void event(void)
{
    void *block = hak__heap_alloc(heap, SIZE);
    hak_region *region = hak__region_of(block);
    hak__slab_set_left(&region->slabs[hak__unit_index(region, block)], 1);
    hak__heap_free(heap, block);
}

static void destroy(void)
{
    hak_heap *other = hak_heap_new(NULL);
    other->unsearched++;
    hak_heap_destroy(other);
}

/* ------------------------------------------------------------------ whether they ask */

static void break_and_call(void *function)
{
    void (*const *body)(void) = function;
    small = hak_heap_alloc(heap, SIZE);
    hak_heap_free(heap, hak_heap_alloc(heap, SIZE));
    if (*body != destroy) heap->unsearched++;
    for (size_t i = 0; i < CALLS; i++) (*body)();
}

static void each_function_asks(void **state)
{
    (void)state;
#define FUNCTION(name) \
    {                  \
        name, #name    \
    }
    static const struct {
        void (*function)(void);
        const char *name;
    } all[] = {
        FUNCTION(alloc),       FUNCTION(give),    FUNCTION(zalloc), FUNCTION(aligned_alloc_),
        FUNCTION(realloc_),    FUNCTION(trim),    FUNCTION(grace),  FUNCTION(set_limit),
        FUNCTION(usable_size), FUNCTION(prewarm), FUNCTION(settle), FUNCTION(set_profile),
        FUNCTION(configure),   FUNCTION(observe), FUNCTION(event),  FUNCTION(slow_alloc),
        FUNCTION(destroy),
    };
    if (!support_debug) skip();
    for (size_t i = 0; i < COUNT(all); i++) {
        support_child child = support_fork(break_and_call, (void *)&all[i].function, 20);
        REQUIRE_THAT(child.signal == SIGABRT && strstr(child.text, "broken invariant"),
                     "%s: signal %d, code %d: %s", all[i].name, child.signal, child.code,
                     child.text);
    }
}

/* How many calls are made before the next check, seen by a thread, whose first call asks. */
static void *count_calls(void *context)
{
    size_t *calls = context;
    usable_size();
    heap->unsearched++;
    for (; *calls < MANY; ++*calls) usable_size();
    return NULL;
}

static void break_in_a_thread(void *context)
{
    pthread_t thread;
    small = hak_heap_alloc(heap, SIZE);
    REQUIRE(pthread_create(&thread, NULL, count_calls, context) == 0);
    pthread_join(thread, NULL);
}

static void asking_takes_little_time(void **state)
{
    (void)state;
    if (!support_debug) skip();
    size_t *calls = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(calls != MAP_FAILED);
    hak_heap *usual = heap;
    /* The fewer, the smaller the heap. */
    for (int with_slabs = 1; with_slabs >= 0; with_slabs--) {
        *calls = 0;
        if (!with_slabs) heap = hak_heap_new(NULL);
        support_child child = support_fork(break_in_a_thread, calls, 20);
        REQUIRE_THAT(child.signal == SIGABRT, "%s", child.text);
        size_t most = with_slabs ? 2048 * heap->pages.super_count : 1024;
        REQUIRE_THAT(*calls == most, "%zu calls", *calls);
    }
    hak_heap_destroy(heap);
    heap = usual;
    munmap(calls, PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_function_asks),
        cmocka_unit_test(asking_takes_little_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
