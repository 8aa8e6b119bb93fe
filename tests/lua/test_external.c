/* External strings, whose bytes are the host's (since Lua 5.5): however a state ends, each is freed
 * once, by its own function. */
#include "lives.h"

#if LUA_VERSION_NUM >= 505

enum { STRINGS = 1000, BYTES = 100 };

static size_t freed_strings, freed_bytes;

static void *free_string(void *ud, void *block, size_t old_size, size_t new_size)
{
    if (new_size != 0) abort();
    freed_strings++;
    freed_bytes += old_size;
    if (ud) *(size_t *)ud += 1;
    free(block);
    return NULL;
}

static void push_external(lua_State *L, size_t bytes, void *ud)
{
    char *text = malloc(bytes + 1);
    if (!text) abort();
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    lua_pushexternalstring(L, text, bytes, free_string, ud);
}

static void keep_externals(lua_State *L, size_t count, void *ud)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 1; i <= count; i++) {
        push_external(L, BYTES, ud);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    lua_setglobal(L, "externals");
}

static void each_ends_once_however_its_state_ends(void **unused)
{
    (void)unused;
    size_t before = heaps();
    for (size_t count = 1; count <= STRINGS; count *= 10) {
        for (int m = 0; m < MAKERS; m++) {
            for (int e = 0; e < ENDERS; e++) {
                lua_State *L = makers[m]();
                assert_non_null(L);
                luaL_openlibs(L);
                freed_strings = freed_bytes = 0;
                size_t told = 0;
                keep_externals(L, count, &told);
                enders[e](L);
                assert_int_equal(freed_strings, count);
                assert_int_equal(told, count);
                assert_int_equal(freed_bytes, count * (BYTES + 1));
                assert_int_equal(heaps(), before);
            }
        }
    }
}

static int make_more(lua_State *L)
{
    push_external(L, BYTES, NULL);
    lua_setglobal(L, "more");
    return 0;
}

/* A finalizer may make one while the state is closed. */
static void one_from_a_finalizer_ends_too(void **unused)
{
    (void)unused;
    for (int e = 0; e < ENDERS; e++) {
        lua_State *L = hak_lua_newstate(NULL);
        luaL_openlibs(L);
        lua_register(L, "make_more", make_more);
        run(L, "keep = setmetatable({}, {__gc = make_more})");
        freed_strings = 0;
        enders[e](L);
        assert_int_equal(freed_strings, 1);
    }
}

/* The string library makes such strings of long results. Their bytes are the heap's. */
static const char *const long_results = "long = {} for i = 1, 50 do long[i] = ('text'):rep(1000) "
                                        ".. i .. table.concat({i, long[i - 1]}) end";

static size_t live_after(lua_State *L)
{
    run(L, "long = nil collectgarbage() collectgarbage()");
    return live_blocks(L);
}

static void long_results_are_the_heaps(void **unused)
{
    (void)unused;
    size_t before = heaps();
    for (int e = 0; e < ENDERS; e++) {
        lua_State *L = hak_lua_newstate(NULL);
        luaL_openlibs(L);
        size_t live = live_after(L);
        for (int i = 0; i < 20; i++) {
            run(L, long_results);
            size_t after = live_after(L);
            assert_true(after >= live && after <= live + 20);
        }
        run(L, long_results);
        enders[e](L);
        assert_int_equal(heaps(), before);
    }
}

/* A string keeps the function that it was made with: after an exchange of the state's. */
static void strings_survive_an_exchange_of_the_function(void **unused)
{
    (void)unused;
    for (int e = 0; e < ENDERS; e++) {
        size_t before = heaps();
        lua_State *L = luaL_newstate();
        luaL_openlibs(L);
        run(L, long_results);
        run(L, "first = long long = nil");
        assert_non_null(hak_lua_install(L, NULL));
        run(L, long_results);
        run(L, "second = long long = nil");
        assert_true(hak_lua_observe(L, true));
        run(L, long_results);
        run(L, "third = long long = nil first[1] = nil second[1] = nil third[1] = nil "
               "collectgarbage()");
        const hak_observations *told = hak_heap_observations(hak_lua_heap(L));
        assert_non_null(told);
        assert_true(hak_lua_observe(L, false));
        run(L, "for _, t in pairs{first, second, third} do for i = 2, 50 do\n"
               "    assert(t[i]:find('^texttext') and #t[i] > 4000) end end\n"
               "third[2] = nil second[2] = nil collectgarbage()");
        enders[e](L);
        assert_int_equal(heaps(), before);
    }
}

#endif

int main(void)
{
#if LUA_VERSION_NUM >= 505
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_ends_once_however_its_state_ends),
        cmocka_unit_test(one_from_a_finalizer_ends_too),
        cmocka_unit_test(long_results_are_the_heaps),
        cmocka_unit_test(strings_survive_an_exchange_of_the_function),
    };
    return cmocka_run_group_tests_name("external strings", tests, NULL, NULL);
#else
    return 0; /* there are none */
#endif
}
