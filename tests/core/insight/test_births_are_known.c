/* The births that an observer notes are found again, each by its block, whatever has been added and
 * removed before and however blocks collide; and the table has no more memory than it needs. Random
 * operations against a plain array; the seed is taken from HAK_TEST_SEED. */
#include "support.h"

#include "insight/births.h"

#define BLOCKS ((size_t)9000)

static hak_births births;
static uint64_t born[BLOCKS]; /* 0: it is not */
static size_t count;

/* Neighbours, and some far apart. */
static void *block_of(size_t i)
{
    return (void *)(i % 3 ? 0x700000000000 + i * 16 : (i + 1) << 40);
}

static void check(size_t i)
{
    hak_birth *birth = hak__births_find(&births, block_of(i));
    REQUIRE_THAT(!birth == !born[i], "block %zu", i);
    if (!birth) return;
    REQUIRE(birth->block == (uintptr_t)block_of(i) && birth->when == born[i]);
    REQUIRE(birth->size == i * 3 && birth->slot == i % 60);
}

static void add(size_t i, uint64_t when)
{
    born[i] = when;
    count++;
    REQUIRE(hak__births_add(&births, (hak_birth){.block = (uintptr_t)block_of(i),
                                                 .when = when,
                                                 .size = i * 3,
                                                 .slot = (unsigned)(i % 60)}));
}

static void take_away(size_t i)
{
    born[i] = 0;
    count--;
    hak__births_remove(&births, hak__births_find(&births, block_of(i)));
}

static void births_are_found(void **state)
{
    (void)state;
    support_random random = {support_seed()};
    size_t most = 0, calls = support_scaled(4000000) / 2;
    REQUIRE(!hak__births_find(&births, block_of(0)));
    REQUIRE(hak__births_memory(&births) == 0);
    for (size_t n = 1; n <= calls; n++) {
        /* By turns there are more and fewer. */
        size_t i = support_below(&random, BLOCKS);
        bool wanted = support_below(&random, 8) < (n / 20000 % 2 ? 2 : 6);
        if (wanted && !born[i]) add(i, n);
        else if (!wanted && born[i]) take_away(i);
        check(i);
        check(support_below(&random, BLOCKS));
        if (count > most) most = count;
        REQUIRE(births.count == count);
    }
    for (size_t i = 0; i < BLOCKS; i++) check(i);
    /* A quarter is free, and it has not grown before it had to. */
    REQUIRE_THAT(births.capacity * 3 / 4 >= most && births.capacity <= most * 8 / 3,
                 "%zu places for %zu", births.capacity, most);
    REQUIRE(hak__births_memory(&births) == births.capacity * sizeof(hak_birth));
    for (size_t i = 0; i < BLOCKS; i++) {
        if (born[i]) take_away(i);
    }
    REQUIRE(births.count == 0);
    for (size_t i = 0; i < births.capacity; i++) REQUIRE(!births.table[i].block);
    hak__births_drop(&births);
    REQUIRE(!births.table && births.capacity == 0 && !hak__births_find(&births, block_of(1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(births_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
