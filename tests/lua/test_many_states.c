/* States are made and closed, thousands, one after the other, in each way there is. No heap is
 * left, and after the first tenth the process does not grow: docs/testing.md. HAK_TEST_STATES says
 * how many. */
#include "lives.h"

#define STATES_USUAL 1000
#define GROWTH_MOST  (64 * KIB)

static const char *const work =
    "local t = {} for i = 1, 100 do t[i] = {i, 's' .. i} end\n"
    "local co = coroutine.wrap(function() coroutine.yield(1) end) co()\n"
    "kept = {t, co, string.rep('x', 3000), function() return t end}";

/* Exactly, which the counters of statm are not: each processor adds its part from time to time. */
static size_t resident(void)
{
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    if (!file) return rss();
    while (fgets(line, sizeof line, file) && sscanf(line, "Rss: %zu", &kib) != 1) continue;
    fclose(file);
    return kib * KIB;
}

static void live(const life *way)
{
    lua_State *L = way->make();
    assert_non_null(L);
    luaL_openlibs(L);
    run(L, work);
    way->end(L);
}

static void many_states_leave_nothing(void **unused)
{
    (void)unused;
    const char *given = getenv("HAK_TEST_STATES");
    size_t states = given ? strtoull(given, NULL, 10) : STATES_USUAL / scale();
    assert_true(states >= 10);
    for (size_t i = 0; i < LIVES; i++) {
        size_t before = heaps(), then = 0;
        for (size_t done = 0; done < states; done++) {
            if (done == states / 10) {
                empty_pool();
                then = resident();
            }
            live(&lives[i]);
        }
        empty_pool();
        size_t now = resident(), grown = now > then ? now - then : 0;
        print_message("%s: %zu states, %zu heaps left, %zu KiB more\n", lives[i].name, states,
                      heaps() - before, grown / KIB);
        assert_int_equal(heaps(), before);
        assert_true(grown <= GROWTH_MOST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_states_leave_nothing)};
    return cmocka_run_group_tests_name("many states", tests, NULL, NULL);
}
