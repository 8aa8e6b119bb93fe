/* Under a limit of address space (RLIMIT_AS) a heap gets as many bytes of blocks above 16 KiB as
 * malloc does, whatever their sizes; again when they have been freed; and what was freed is there
 * for others. */
#include "address_limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define LEAST   (16 * KIB + 1)
#define PART    20 /* of malloc's bytes: so much less is allowed */
#define STRANGE 12345

/* What children tell the parent: bytes obtained at first, and again after all was freed. */
typedef struct gain {
    size_t first, again;
} gain;
static gain *told;

static int make_room(void **state)
{
    (void)state;
    told = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return told == MAP_FAILED;
}

/* ------------------------------------------------------------------ filling */

static hak_heap *heap; /* NULL: malloc is meant */

static void *take(size_t size)
{
    return heap ? hak_heap_alloc(heap, size) : malloc(size);
}

static void drop(void *block)
{
    if (heap) hak_heap_free(heap, block);
    else free(block);
}

/* Sizes from 16 KiB to 2 MiB at random, as many in each doubling. */
static size_t draw(support_random *random)
{
    size_t size = LEAST << support_below(random, 7);
    return size + support_below(random, size);
}

/* Takes blocks until there is no more; returns their bytes. Size 0: a mix. */
static size_t fill(void **blocks, size_t *count, size_t room, size_t size)
{
    support_random random = {STRANGE};
    size_t bytes = 0;
    for (; *count < room; ++*count) {
        size_t next = size ? size : draw(&random);
        char *block = take(next);
        if (!block) break;
        block[next - 1] = 1;
        blocks[*count] = block;
        bytes += next;
    }
    return bytes;
}

static size_t room_for(const job *of)
{
    return of->limit / (of->size ? of->size : LEAST) + 1;
}

static void fill_twice(const job *of, void **blocks, gain *gained)
{
    size_t count = 0, room = room_for(of);
    gained->first = fill(blocks, &count, room, of->size);
    for (size_t i = 0; i < count; i++) drop(blocks[i]);
    count = 0;
    gained->again = fill(blocks, &count, room, of->size);
    if (!heap) return;
    support_check_stats(heap);
    REQUIRE(support_stats(heap).live_blocks == count);
}

static void fill_with_malloc(void *context)
{
    const job *of = context;
    void **blocks = limit_to(of, room_for(of) * sizeof *blocks);
    fill_twice(of, blocks, told);
}

static void fill_heap(void *context)
{
    const job *of = context;
    void **blocks = limit_to(of, room_for(of) * sizeof *blocks);
    REQUIRE(heap = hak_heap_new(NULL));
    fill_twice(of, blocks, told);
}

/* The heap is there before the limit, with blocks of all kinds, and loses most of them. */
static void fill_old_heap(void *context)
{
    const job *of = context;
    void *before[200];
    REQUIRE(heap = hak_heap_new(NULL));
    for (size_t i = 0; i < COUNT(before); i++) REQUIRE(before[i] = take(i * i * 20 + 1));
    for (size_t i = 1; i < COUNT(before); i++) drop(before[i]);
    void **blocks = limit_to(of, room_for(of) * sizeof *blocks);
    size_t count = 0, room = room_for(of);
    told->first = fill(blocks, &count, room, of->size);
    for (size_t i = 0; i < count; i++) drop(blocks[i]);
    hak_heap_trim(heap);
    count = 0;
    told->again = fill(blocks, &count, room, of->size);
    drop(before[0]);
    support_check_stats(heap);
}

static void compare(size_t limit, size_t size)
{
    job of = {limit, size};
    support_in_child(fill_with_malloc, &of, 60);
    gain malloced = *told;
    void (*const ways[])(void *) = {fill_heap, fill_old_heap};
    for (size_t way = 0; way < COUNT(ways); way++) {
        support_in_child(ways[way], &of, 60);
        print_message("%zu MiB, blocks of %zu: %.3f, again %.3f of malloc's bytes\n", limit / MIB,
                      size, (double)told->first / (double)malloced.first,
                      (double)told->again / (double)malloced.again);
        REQUIRE(told->first >= malloced.first - malloced.first / PART);
        REQUIRE(told->again >= malloced.again - malloced.again / PART);
    }
}

static void blocks_of_any_size_get_as_many_bytes_as_from_malloc(void **state)
{
    (void)state;
    static const size_t sizes[] = {LEAST,  17000,  20000,   33000,   50000,   65000,
                                   65536,  70000,  100000,  200000,  300000,  466040,
                                   520000, 700000, 1000000, 1397000, 1400000, 2 * MIB};
    for (size_t i = 0; i<COUNT(sizes); i += support_scale()> 1 ? 5 : 1) {
        /* Of a size that divides the limit badly, malloc has luck or not. */
        if (sizes[i] < MIB) compare(100 * MIB, sizes[i]);
        if (sizes[i] > 60000 || !support_debug) compare(GIB, sizes[i]);
    }
}

static void mixed_blocks_get_as_many_bytes_as_from_malloc(void **state)
{
    (void)state;
    compare(100 * MIB, 0);
    compare(GIB, 0);
    if (support_scale() == 1) compare(4 * GIB, 0);
}

/* ------------------------------------------------------------------ what was freed */

static void *map(size_t size)
{
    void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void free_for_others(void *context)
{
    const job *of = context;
    void **blocks = limit_to(of, room_for(of) * sizeof *blocks);
    REQUIRE(heap = hak_heap_new(NULL));
    size_t count = 0, bytes = fill(blocks, &count, room_for(of), of->size);
    for (size_t i = 0; i < count; i++) drop(blocks[i]);
    hak_heap_trim(heap);
    support_check_live(heap, 0, 0);
    void *others = map(bytes - bytes / PART);
    REQUIRE_THAT(others, "of %zu bytes freed", bytes);
    munmap(others, bytes - bytes / PART);

    /* Of pages between blocks, too: to other blocks of the heap, to small ones, and to others. */
    count = 0;
    bytes = fill(blocks, &count, room_for(of), of->size);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % 2) drop(blocks[i]);
        else blocks[kept++] = blocks[i];
    }
    size_t now = kept, got = fill(blocks, &now, room_for(of), of->size);
    REQUIRE_THAT(got >= bytes / 2 - bytes / PART, "%zu of %zu", got, bytes / 2);
    while (now > kept) drop(blocks[--now]);
    got = 0;
    while (hak_heap_alloc(heap, 1000)) got += 1000;
    REQUIRE_THAT(got >= bytes / 4, "%zu of %zu", got, bytes / 2);
    support_check_stats(heap);
    hak_heap_destroy(heap);
    REQUIRE(map(of->limit - of->limit / PART));
}

static void what_was_freed_is_there_for_others(void **state)
{
    (void)state;
    support_in_child(free_for_others, &(job){100 * MIB, 20000}, 60);
    support_in_child(free_for_others, &(job){100 * MIB, 100000}, 60);
    support_in_child(free_for_others, &(job){300 * MIB, 1000000}, 60);
}

/* ------------------------------------------------------------------ without a limit */

static void stay_in_units(void *context)
{
    (void)context;
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
    if (limit.rlim_cur != RLIM_INFINITY) return;
    REQUIRE(heap = hak_heap_new(NULL));
    for (size_t i = 0; i < 200; i++) {
        char *block = take(20000);
        REQUIRE(block && (uintptr_t)block % (16 * KIB) == 0);
        REQUIRE(hak_heap_usable_size(heap, block) == 5 * PAGE);
    }
    REQUIRE(support_stats(heap).footprint == 1000 * PAGE);
}

static void nothing_is_packed_without_a_limit(void **state)
{
    (void)state;
    support_in_child(stay_in_units, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_any_size_get_as_many_bytes_as_from_malloc),
        cmocka_unit_test(mixed_blocks_get_as_many_bytes_as_from_malloc),
        cmocka_unit_test(what_was_freed_is_there_for_others),
        cmocka_unit_test(nothing_is_packed_without_a_limit),
    };
    return cmocka_run_group_tests(tests, make_room, NULL);
}
