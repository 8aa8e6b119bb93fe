/* Runs of adjacent bits in a word are found where they are, whatever the word. */
#include "support.h"

#include "os/bits.h"

static bool is_set(uint64_t bits, size_t at)
{
    return at < 64 && bits >> at & 1;
}

/* A word with runs of all lengths. */
static uint64_t some_word(support_random *random)
{
    uint64_t word = support_next(random);
    switch (support_below(random, 4)) {
    case 0: return word & support_next(random);
    case 1: return word | support_next(random) | support_next(random);
    case 2: return word | word << 1 | word << 2 | word << 3 | word << 4;
    default: return word;
    }
}

static void so_many_bits_are_from_there_on(void **state)
{
    (void)state;
    for (size_t first = 0; first <= 64; first++) {
        for (size_t count = first < 64 ? 0 : 65; first + count <= 64; count++) {
            uint64_t bits = hak__bits(first, count);
            for (size_t at = 0; at < 64; at++) {
                assert_int_equal(is_set(bits, at), at >= first && at < first + count);
            }
        }
    }
}

static void runs_begin_where_so_many_are_side_by_side(void **state)
{
    (void)state;
    support_random random = {support_seed()};
    for (size_t i = 0; i < 300; i++) {
        uint64_t word = i == 0 ? ~(uint64_t)0 : i == 1 ? 0 : some_word(&random);
        for (size_t count = 1; count <= 64; count++) {
            uint64_t starts = hak__bits_run_starts(word, count);
            for (size_t at = 0, behind = 0; at < 64; at++) {
                if (behind < at) behind = at;
                while (is_set(word, behind)) behind++;
                REQUIRE_THAT(is_set(starts, at) == (behind - at >= count), "%zx, %zu", (size_t)word,
                             count);
            }
        }
    }
}

static void the_lowest_run_is_whole(void **state)
{
    (void)state;
    support_random random = {support_seed()};
    for (size_t i = 0; i < 1000; i++) {
        uint64_t word = i == 0 ? ~(uint64_t)0 : i == 1 ? 0 : some_word(&random);
        size_t first = 0, behind;
        while (first < 64 && !is_set(word, first)) first++;
        for (behind = first; is_set(word, behind);) behind++;
        uint64_t expected = first < 64 ? hak__bits(first, behind - first) : 0;
        assert_int_equal(hak__bits_lowest_run(word), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_bits_are_from_there_on),
        cmocka_unit_test(runs_begin_where_so_many_are_side_by_side),
        cmocka_unit_test(the_lowest_run_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
