/* What waits before it goes back to the OS: superslabs of slabs are taken again latest first, huge
 * blocks latest first of those that fit, and both go in the order in which they came, none before
 * its time; the bytes of all are known. Random operations against a plain list; the seed is taken
 * from HAK_TEST_SEED. */
#include "support.h"

#include "pages/waiting.h"

#define MOST    40
#define LOOK_AT 16 /* huge blocks that are looked at for one that fits */

static hak_superslab supers[MOST];
static hak_region region = {
    .base = 4 * HAK_SUPERSLAB_SIZE,
    .superslabs = MOST,
    .unit_shift = HAK_UNIT_SHIFT,
    .supers = supers,
};

/* Those that wait, in the order in which they came. */
static struct {
    hak_superslab *super;
    size_t bytes, over;
} line[MOST];
static size_t waiting, now;

static size_t place_of(const hak_superslab *super)
{
    for (size_t i = 0; i < waiting; i++) {
        if (line[i].super == super) return i;
    }
    return MOST;
}

static void forget(size_t place)
{
    waiting--;
    for (size_t i = place; i < waiting; i++) line[i] = line[i + 1];
}

static bool is_huge(size_t place)
{
    return line[place].super->type == HAK_SUPERSLAB_HUGE;
}

/* The first or the last that is huge or not; MOST: there is none. */
static size_t find(bool huge, bool last)
{
    size_t found = MOST;
    for (size_t i = 0; i < waiting; i++) {
        if (is_huge(i) == huge && (last || found == MOST)) found = i;
    }
    return found;
}

static void put(support_random *random)
{
    hak_superslab *super = &supers[support_below(random, MOST)];
    if (place_of(super) < MOST) return;
    size_t bytes = (1 + support_below(random, 6)) * MIB, ticks = support_below(random, 9);
    super->region = &region;
    super->type = support_below(random, 2) ? HAK_SUPERSLAB_HUGE : HAK_SUPERSLAB_SLABS;
    hak__waiting_put(super, bytes, (unsigned)ticks);
    line[waiting].super = super;
    line[waiting].bytes = bytes;
    line[waiting++].over = now + ticks;
}

static void take(void)
{
    size_t place = find(false, true);
    assert_int_equal(hak__waiting_has_slabs(), place < MOST);
    assert_ptr_equal(hak__waiting_take(), place < MOST ? line[place].super : NULL);
    if (place < MOST) forget(place);
}

static void take_huge(support_random *random)
{
    size_t size = support_below(random, 7) * MIB, most = size + support_below(random, 3) * MIB;
    size_t align = HAK_SUPERSLAB_SIZE << support_below(random, 3);
    size_t place = MOST, looked_at = 0;
    for (size_t i = waiting; i-- > 0 && place == MOST;) {
        if (!is_huge(i) || looked_at++ >= LOOK_AT) continue;
        size_t start = (size_t)(4 + line[i].super - supers) * HAK_SUPERSLAB_SIZE;
        if (line[i].bytes >= size && line[i].bytes <= most && start % align == 0) place = i;
    }
    assert_ptr_equal(hak__waiting_take_huge(size, align, most),
                     place < MOST ? line[place].super : NULL);
    if (place < MOST) forget(place);
}

/* Of the first of either kind, the one whose time is over sooner. */
static void take_first(bool only_over)
{
    size_t slabs = find(false, false), huge = find(true, false);
    hak_superslab *taken = hak__waiting_take_first(only_over);
    size_t soonest = slabs < MOST ? line[slabs].over : SIZE_MAX;
    if (huge < MOST && line[huge].over < soonest) soonest = line[huge].over;
    if (soonest == SIZE_MAX || (only_over && soonest > now)) {
        assert_null(taken);
        return;
    }
    size_t place = place_of(taken);
    assert_true(place < MOST && (place == slabs || place == huge));
    assert_int_equal(line[place].over, soonest);
    forget(place);
}

static void what_waits_is_taken_in_order(void **state)
{
    (void)state;
    support_random random = {support_seed()};
    for (size_t i = 0; i < 40000; i++) {
        bool grows = i / 200 % 2; /* by turns there is more and less */
        switch (support_below(&random, grows ? 12 : 7)) {
        case 0: take(); break;
        case 1: take_huge(&random); break;
        case 2: take_first(false); break;
        case 3: take_first(true); break;
        case 4:
            hak__waiting_tick();
            now++;
            break;
        default: put(&random);
        }
        size_t bytes = 0;
        for (size_t j = 0; j < waiting; j++) bytes += line[j].bytes;
        assert_int_equal(hak__waiting_bytes(), bytes);
    }
    while (waiting > 0) take_first(false);
    assert_true(!hak__waiting_has_slabs() && hak__waiting_bytes() == 0);
}

/* Among the last sixteen huge blocks one is found, and no further. */
static void few_are_looked_at(void **state)
{
    (void)state;
    enum { WAITING = 20 };
    for (size_t i = 0; i < WAITING; i++) {
        supers[i].region = &region;
        supers[i].type = HAK_SUPERSLAB_HUGE;
        hak__waiting_put(&supers[i], (i + 1) * PAGE, 1);
    }
    size_t last = WAITING - LOOK_AT;
    assert_null(hak__waiting_take_huge(last * PAGE, PAGE, last * PAGE));
    assert_ptr_equal(hak__waiting_take_huge((last + 1) * PAGE, PAGE, (last + 1) * PAGE),
                     &supers[last]);
    while (hak__waiting_take_first(false)) continue;
    assert_int_equal(hak__waiting_bytes(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_taken_in_order),
        cmocka_unit_test(few_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
