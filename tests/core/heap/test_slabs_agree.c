/* What is done with a slab by its record alone agrees with a plain account of its blocks, for every
 * size there is: carving, the pages of a block, blocks lost with absent pages and restored with
 * them, sorting, counting, and which pages hold no block. The seed is taken from HAK_TEST_SEED. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "heap/holes.h"
#include "heap/layout.h"
#include "heap/sizeclass.h"

#define UNIT  ((size_t)1 << HAK_UNIT_SHIFT)
#define PAGES (UNIT / PAGE)

enum { LIVE, FREE, LOST };

typedef struct model {
    hak_slab slab;
    char *memory;
    size_t size, capacity, carved;
    unsigned char state[UNIT / 8]; /* of each carved block */
} model;

static uint32_t pages_of(const model *m, size_t block)
{
    uint32_t pages = 0;
    for (size_t page = 0; page < PAGES; page++) {
        size_t begin = page * PAGE, first = block * m->size, end = first + m->size;
        if (first < begin + PAGE && end > begin) pages |= (uint32_t)1 << page;
    }
    return pages;
}

static void open_slab(model *m, size_t size)
{
    m->size = size;
    m->capacity = UNIT / size;
    m->carved = 0;
    m->slab = (hak_slab){.start = m->memory,
                         .block_size = (uint32_t)size,
                         .capacity = (uint16_t)m->capacity,
                         .units = 1,
                         .state = HAK_SLAB_CURRENT};
}

/* The free list has what the model says; in order if it has to be. */
static void check(const model *m, bool in_order)
{
    size_t count[3] = {0}, listed = 0;
    char *last = NULL;
    for (size_t i = 0; i < m->carved; i++) count[m->state[i]]++;
    for (char *block = m->slab.free; block; block = *(char **)block, listed++) {
        size_t offset = (size_t)(block - m->memory);
        REQUIRE(offset % m->size == 0 && m->state[offset / m->size] == FREE);
        REQUIRE(listed < count[FREE] && (!in_order || block > last));
        last = block;
    }
    REQUIRE(listed == count[FREE] && hak__slab_free_count(&m->slab) == count[FREE]);
    REQUIRE(m->slab.carved == m->carved && hak__slab_live(&m->slab) == count[LIVE]);
    REQUIRE_THAT(hak__slab_lost(&m->slab) == count[LOST], "%zu lost of %zu bytes, not %zu",
                 hak__slab_lost(&m->slab), m->size, count[LOST]);
    size_t used = (m->carved * m->size + PAGE - 1) / PAGE * PAGE;
    REQUIRE(hak__slab_used(&m->slab) == used && hak__slab_carved_pages(&m->slab) == used);
}

/* As many blocks as end within the pages that so many bytes more reach into, but at least one. */
static void carve(model *m, size_t bytes)
{
    size_t begin = m->carved * m->size, end = (begin + bytes + PAGE - 1) / PAGE * PAGE, more = 0;
    while (m->carved + more < m->capacity && (more == 0 || begin + (more + 1) * m->size <= end))
        more++;
    size_t reach = (begin + more * m->size + PAGE - 1) / PAGE * PAGE;
    REQUIRE(hak__slab_carve_end(&m->slab, bytes) == reach);
    hak__slab_carve(&m->slab, bytes);
    memset(m->state + m->carved, FREE, more);
    m->carved += more;
    check(m, true);
}

static void take_all(model *m)
{
    while (m->slab.free) m->state[((char *)hak__slab_pop(&m->slab) - m->memory) / m->size] = LIVE;
}

static void free_block(model *m, size_t i)
{
    *(void **)(m->memory + i * m->size) = m->slab.free;
    m->slab.free = m->memory + i * m->size;
    m->state[i] = FREE;
}

/* Bytes of the pages, present and wholly carved, in which nothing lives. */
static size_t without_block(const model *m)
{
    uint32_t lived_in = m->slab.purged;
    for (size_t i = 0; i < m->carved; i++) {
        if (m->state[i] == LIVE) lived_in |= pages_of(m, i);
    }
    size_t bytes = 0, end = m->carved * m->size;
    for (size_t page = 0; page < PAGES; page++) {
        bool carved = (page + 1) * PAGE <= end || (m->carved == m->capacity && page * PAGE < end);
        if (carved && !(lived_in >> page & 1)) bytes += PAGE;
    }
    return bytes;
}

/* Pages go, with the blocks that lie in them, which are free. */
static void punch(model *m, uint32_t pages)
{
    take_all(m);
    m->slab.purged = (uint16_t)pages;
    for (size_t i = 0; i < m->carved; i++) {
        if (pages_of(m, i) & pages) m->state[i] = LOST;
    }
}

static void restore(model *m, uint32_t pages)
{
    take_all(m); /* it is done where the list has run dry */
    hak__slab_restore(&m->slab, pages);
    REQUIRE(!(m->slab.purged & pages));
    for (size_t i = 0; i < m->carved; i++) {
        if (m->state[i] == LOST && !(pages_of(m, i) & m->slab.purged)) m->state[i] = FREE;
    }
    check(m, true);
}

static void live_a_life(model *m, support_random *random)
{
    size_t step = PAGE << support_below(random, 3);
    size_t until = 1 + support_below(random, m->capacity);
    if (support_below(random, 2)) until = m->capacity;
    while (m->carved < until) {
        take_all(m);
        carve(m, step);
    }
    take_all(m);
    check(m, true);
    /* Freed here and there, or in a row, in any order. */
    size_t first = support_below(random, m->carved), part = support_below(random, 4);
    for (size_t i = 0; i < m->carved; i++) {
        size_t at = (first + i * 7919) % m->carved;
        bool inside = at >= first && at < first + m->carved * part / 4;
        if (m->state[at] == LIVE && (inside || support_below(random, 8) == 0)) free_block(m, at);
    }
    check(m, false);
    REQUIRE_THAT(hak__holes_of(&m->slab) == without_block(m), "%zu bytes of blocks of %zu",
                 hak__holes_of(&m->slab), m->size);
    hak__slab_sort(&m->slab);
    check(m, true);

    uint32_t used = (uint32_t)((m->carved * m->size + PAGE - 1) / PAGE);
    uint32_t all = (uint32_t)(((uint64_t)1 << used) - 1),
             gone = (uint32_t)support_next(random) & all;
    punch(m, gone);
    check(m, true);
    size_t count = 0;
    for (uint32_t rest = gone; rest; rest &= rest - 1) count++;
    REQUIRE(hak__bytes_of_pages(gone) == count * PAGE);
    restore(m, gone & (uint32_t)support_next(random));
    for (size_t i = 0; i < m->carved; i += 3) {
        if (m->state[i] == LIVE) free_block(m, i);
    }
    REQUIRE(hak__holes_of(&m->slab) == without_block(m));
    restore(m, m->slab.purged);
}

static void as_a_plain_account(void **state)
{
    (void)state;
    static model m;
    support_random random = {support_seed()};
    m.memory = aligned_alloc(UNIT, UNIT);
    REQUIRE(m.memory);
    for (unsigned index = 1; index < HAK_CLASSES; index++) {
        size_t size = hak__class_size(index, &hak__spacings[HAK_SPACING_8]);
        if (size > UNIT) break;
        for (size_t i = 0; i < UNIT / size; i++) {
            m.size = size;
            m.slab.block_size = (uint32_t)size;
            if (i % 7 == 0) REQUIRE(hak__slab_pages(&m.slab, i * size) == pages_of(&m, i));
        }
        for (size_t round = 0; round < (support_scale() > 1 ? 4 : 30); round++) {
            open_slab(&m, size);
            live_a_life(&m, &random);
        }
    }
    free(m.memory);
}

/* ------------------------------------------------------------------ records */

#define RECORD(kind_, left, units_, ...) \
    (&(hak_slab){.state = kind_, .countdown = (left)-1, .units = units_, __VA_ARGS__})
#define BLOCKS(carved_, ...) .block_size = 64, .capacity = 100, .carved = carved_, __VA_ARGS__

static void records_are_valid_or_not(void **state)
{
    (void)state;
    static void *last[8], *first[8] = {last}; /* free blocks */
    static const hak_slab_state whole[] = {HAK_SPAN, HAK_UNIT_NEST};
    for (size_t i = 0; i < COUNT(whole); i++) {
        REQUIRE(hak__slab_valid(RECORD(whole[i], 1, 1)));
        REQUIRE(!hak__slab_valid(RECORD(whole[i], 2, 1)));
        REQUIRE(!hak__slab_valid(RECORD(whole[i], 1, 1, .free = last)));
        REQUIRE(!hak__slab_valid(RECORD(whole[i], 1, 0)));
    }
    static const hak_slab_state unused_[] = {HAK_UNIT_FREE, HAK_UNIT_INTERIOR};
    for (size_t i = 0; i < COUNT(unused_); i++) {
        REQUIRE(hak__slab_valid(RECORD(unused_[i], 1, 0)));
        REQUIRE(!hak__slab_valid(RECORD(unused_[i], 2, 1)));
        REQUIRE(!hak__slab_valid(RECORD(unused_[i], 1, 1, .free = last)));
        REQUIRE(!hak__slab_valid(RECORD(unused_[i], 1, 1, .searched = true)));
    }
    REQUIRE(hak__slab_valid(RECORD(HAK_UNIT_REMNANT, 1, 1, .purged = 2)));
    REQUIRE(!hak__slab_valid(RECORD(HAK_UNIT_REMNANT, 2, 1, .purged = 2)));
    REQUIRE(!hak__slab_valid(RECORD(HAK_UNIT_REMNANT, 1, 1, .purged = 2, .free = last)));
    REQUIRE(!hak__slab_valid(RECORD(HAK_UNIT_REMNANT, 1, 1, .purged = 0)));
    REQUIRE(!hak__slab_valid(RECORD(HAK_UNIT_REMNANT, 1, 2, .purged = 2)));

    REQUIRE(hak__slab_valid(RECORD(HAK_SLAB_FULL, 2, 1, BLOCKS(100, .asleep = 2))));
    REQUIRE(hak__slab_valid(RECORD(HAK_SLAB_FULL, 1, 1, BLOCKS(100, .asleep = 2, .free = last))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_FULL, 0, 1, BLOCKS(100, .asleep = 2, .free = first))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_FULL, 1, 1, BLOCKS(100, .asleep = 2))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_FULL, 3, 1, BLOCKS(100, .asleep = 2))));

    REQUIRE(hak__slab_valid(RECORD(HAK_SLAB_DRY, 1, 1, BLOCKS(1))));
    REQUIRE(hak__slab_valid(RECORD(HAK_SLAB_DRY, 1, 1, BLOCKS(100, .purged = 2))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_DRY, 2, 1, BLOCKS(64))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_DRY, 1, 1, BLOCKS(64, .free = last))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_DRY, 1, 1, BLOCKS(0))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_DRY, 1, 1, BLOCKS(100))));

    REQUIRE(hak__slab_valid(RECORD(HAK_SLAB_PARTIAL, 63, 1, BLOCKS(64, .free = last))));
    REQUIRE(
        hak__slab_valid(RECORD(HAK_SLAB_PARTIAL, 3, 1, BLOCKS(64, .free = last, .parked = 60))));
    REQUIRE(
        !hak__slab_valid(RECORD(HAK_SLAB_PARTIAL, 0, 1, BLOCKS(64, .free = last, .parked = 63))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_PARTIAL, 64, 1, BLOCKS(64))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_PARTIAL, 62, 1, BLOCKS(64, .free = last))));

    REQUIRE(hak__slab_valid(RECORD(HAK_SLAB_CURRENT, HAK_LEFT_FAR, 1, BLOCKS(100))));
    REQUIRE(hak__slab_valid(RECORD(HAK_SLAB_CURRENT, 1, 1, BLOCKS(1, .free = last))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_CURRENT, HAK_LEFT_FAR + 1, 1, BLOCKS(100))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_CURRENT, 1, 1, BLOCKS(101))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_SLAB_CURRENT, 1, 1, BLOCKS(1, .free = first))));
    REQUIRE(
        !hak__slab_valid(RECORD(HAK_SLAB_CURRENT, 1, 1, BLOCKS(1, .purged = 1, .free = first))));
    REQUIRE(!hak__slab_valid(RECORD(HAK_UNIT_INTERIOR + 1, 1, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_plain_account),
        cmocka_unit_test(records_are_valid_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
