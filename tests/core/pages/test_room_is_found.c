/* A row of places finds the first run of free ones that is long enough, at or after any place, as a
 * search place by place does; whatever was marked before, in rows of any length, with leaves of one
 * word or many, in no more memory than it has asked for. Random marks against a plain array; the
 * seed is taken from HAK_TEST_SEED. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "pages/room.h"

#define MOST   ((size_t)5000)
#define BEHIND ((size_t)64) /* bytes that nobody may write to */

typedef struct model {
    hak_room room;
    unsigned char *memory;
    size_t size;
    bool taken[MOST];
} model;

static void open_row(model *row, size_t places, size_t leaf_words)
{
    row->size = hak__room_size(places, leaf_words);
    row->memory = calloc(1, row->size + BEHIND);
    REQUIRE(row->memory);
    memset(row->memory + row->size, 0x5a, BEHIND);
    memset(row->taken, 0, sizeof row->taken);
    hak__room_open(&row->room, places, leaf_words, row->memory);
}

static void close_row(model *row)
{
    for (size_t i = 0; i < BEHIND; i++) REQUIRE(row->memory[row->size + i] == 0x5a);
    free(row->memory);
}

static size_t find_plainly(const model *row, size_t from, size_t count)
{
    size_t run = 0;
    for (size_t at = from; at < row->room.places; at++) {
        run = row->taken[at] ? 0 : run + 1;
        if (run >= count) return at + 1 - count;
    }
    return HAK_ROOM_NOWHERE;
}

static bool free_plainly(const model *row, size_t first, size_t count)
{
    if (first + count > row->room.places) return false;
    for (size_t at = first; at < first + count; at++) {
        if (row->taken[at]) return false;
    }
    return true;
}

static void check(const model *row, size_t from, size_t count)
{
    size_t found = hak__room_find(&row->room, from, count),
           plainly = find_plainly(row, from, count);
    REQUIRE_THAT(found == plainly, "%zu of %zu from %zu: %td, not %td", count, row->room.places,
                 from, (ptrdiff_t)found, (ptrdiff_t)plainly);
    REQUIRE_THAT(hak__room_is_free(&row->room, from, count) == free_plainly(row, from, count),
                 "%zu of %zu from %zu", count, row->room.places, from);
}

/* Lengths of all orders, most of them short. */
static size_t some_length(support_random *random, size_t most)
{
    size_t bound = (size_t)1 << (1 + support_below(random, 12));
    return 1 + support_below(random, bound < most ? bound : most);
}

static void mark(model *row, size_t first, size_t count, bool taken)
{
    hak__room_mark(&row->room, first, count, taken);
    memset(row->taken + first, taken, count);
}

static void random_marks(model *row, support_random *random, size_t rounds)
{
    size_t places = row->room.places;
    for (size_t round = 0; round < rounds; round++) {
        size_t count = some_length(random, places), first = support_below(random, places);
        if (count > places - first) count = places - first;
        /* By turns it fills up and empties. */
        mark(row, first, count, support_below(random, 10) < (round / 64 % 2 ? 7 : 3));
        for (size_t i = 0; i < 4; i++) {
            check(row, support_below(random, places + 2), some_length(random, places + 1));
        }
        check(row, 0, some_length(random, places));
    }
}

/* One run that lies anywhere, and all others shorter. */
static void lone_runs(model *row, support_random *random, size_t rounds)
{
    size_t places = row->room.places;
    for (size_t round = 0; round < rounds; round++) {
        size_t count = some_length(random, places), first = support_below(random, places);
        if (count > places - first) count = places - first;
        mark(row, 0, places, true);
        mark(row, first, count, false);
        for (size_t other = support_below(random, 9); count > 1 && other < places;
             other += count + 9) {
            size_t length = count - 1 < places - other ? count - 1 : places - other;
            if (other > first + count || other + length < first) mark(row, other, length, false);
        }
        check(row, 0, count);
        check(row, first, count);
        check(row, first + 1, count);
        check(row, 0, count + 1);
        check(row, support_below(random, first + 1), count);
    }
    mark(row, 0, places, false);
    check(row, 0, places);
    check(row, 0, places + 1);
}

static void as_place_by_place(void **state)
{
    (void)state;
    static const size_t places[] = {1, 2, 63, 64, 65, 127, 128, 129, 500, 1000, 1024, 4097, MOST};
    static const size_t leaf_words[] = {1, 2, 3, 64};
    static model row;
    support_random random = {support_seed()};
    size_t rounds = support_scaled(100000) / 20;
    for (size_t p = 0; p < COUNT(places); p++) {
        for (size_t w = 0; w < COUNT(leaf_words); w++) {
            open_row(&row, places[p], leaf_words[w]);
            check(&row, 0, places[p]);
            check(&row, 0, places[p] + 1);
            random_marks(&row, &random, rounds);
            lone_runs(&row, &random, rounds / 4);
            close_row(&row);
        }
    }
}

/* Zeroed memory is a row that is free; the further leaves, and the nodes above, are not written. */
static void few_pages_are_touched(void **state)
{
    (void)state;
    size_t places = 262144, size = hak__room_size(places, 64), written = 0;
    unsigned char *memory = calloc(1, size);
    hak_room room;
    REQUIRE(memory);
    hak__room_open(&room, places, 64, memory);
    for (size_t i = 0; i < size; i++) REQUIRE(memory[i] == 0);
    hak__room_mark(&room, 5, 1, true);
    for (size_t at = 0; at < size; at += PAGE) {
        size_t page = size - at < PAGE ? size - at : PAGE;
        written += support_zeros(memory + at, page) < page;
    }
    REQUIRE_THAT(written <= 2, "%zu pages", written);
    REQUIRE(hak__room_find(&room, 0, places - 6) == 6);
    REQUIRE(hak__room_find(&room, 0, places - 5) == HAK_ROOM_NOWHERE);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_place_by_place),
        cmocka_unit_test(few_pages_are_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
