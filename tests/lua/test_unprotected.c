/* What happens outside protected calls: a state's panic and warning functions are those of
 * luaL_newstate, and grace keeps a call from ending the process. */
#include <sys/wait.h>

#include "support.h"

/* What happens to a call outside a protected one, in a child: its exit status and its stderr. */
typedef struct ending {
    int status;
    char *text;
} ending;

static ending ending_of(lua_State *(*make)(void), void (*act)(lua_State *))
{
    capture errors = capture_begin();
    pid_t pid = fork();
    if (pid == 0) {
        act(make());
        _exit(0);
    }
    ending result = {0};
    waitpid(pid, &result.status, 0);
    result.text = capture_end(errors);
    return result;
}

static lua_State *make_limited(void)
{
    lua_State *L = hak_lua_newstate(&(hak_heap_options){.limit = 1 * MIB});
    luaL_openlibs(L);
    /* Small blocks, so that no room is left. */
    if (try_run(L, "while true do hold = {hold} end") != LUA_ERRMEM) _exit(9);
    drop_garbage(L);
    return L;
}

static void take_much(lua_State *L)
{
    for (int i = 0; i < 8; i++) lua_newuserdata(L, 20 * KIB);
}

static void take_much_with_grace(lua_State *L)
{
    hak_heap *heap = hak_lua_heap(L);
    if (hak_heap_grace_used(heap) != 0) _exit(2);
    hak_heap_grace(heap, 512 * KIB);
    take_much(L);
    size_t used = hak_heap_grace_used(heap);
    hak_heap_grace(heap, 0);
    if (used < 100 * KIB || used > 512 * KIB) _exit(3);
    if (hak_heap_grace_used(heap) != used) _exit(4);
    lua_settop(L, 0);
    /* The limit holds as before. */
    if (try_run(L, "while true do hold = {hold} end") != LUA_ERRMEM) _exit(5);
    lua_pushnil(L);
    lua_setglobal(L, "hold");
    lua_gc(L, LUA_GCCOLLECT, 0);
    hak_heap_trim(heap);
    if (footprint(L) > 256 * KIB) _exit(6);
    hak_lua_close(L);
}

static void grace_keeps_unprotected_calls_from_ending_the_process(void **unused)
{
    (void)unused;
    ending without = ending_of(make_limited, take_much);
    assert_true(without.status != 0);
    assert_non_null(strstr(without.text, "PANIC"));
    free(without.text);
    ending with = ending_of(make_limited, take_much_with_grace);
    assert_int_equal(with.status, 0);
    assert_string_equal(with.text, "");
    free(with.text);
}

/* ------------------------------------------------------------------ as luaL_newstate sets them */

static char buffer[4096];

/* Also where the program has made stderr a stream with a buffer. */
static void raise_string(lua_State *L)
{
    setvbuf(stderr, buffer, _IOFBF, sizeof buffer);
    lua_pushstring(L, "the message");
    lua_error(L);
}

static void raise_number(lua_State *L)
{
    lua_pushnumber(L, 42);
    lua_error(L);
}

static void raise_through_call(lua_State *L)
{
    luaL_openlibs(L);
    luaL_loadstring(L, "error('from a chunk')");
    lua_call(L, 0, 0);
}

#if SINCE_54
static void raise_table(lua_State *L)
{
    lua_newtable(L);
    lua_error(L);
}
#endif

static void an_unprotected_error_panics_as_in_a_stock_state(void **unused)
{
    (void)unused;
    void (*const acts[])(lua_State *) = {
        raise_string,
        raise_number,
        raise_through_call,
#if SINCE_54
        raise_table,
#endif
    };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        ending expected = ending_of(make_stock, acts[i]);
        ending got = ending_of(make_hakmem, acts[i]);
        assert_true(expected.status != 0);
        assert_int_equal(got.status, expected.status);
        assert_string_equal(got.text, expected.text);
        free(expected.text);
        free(got.text);
    }
}

#if SINCE_54
static char *warnings_of(lua_State *L)
{
    luaL_openlibs(L);
    capture errors = capture_begin();
    run(L, "warn('off by default')\n"
           "warn('@unknown') warn('@on') warn('one') warn('in ', 'three ', 'pieces')\n"
           "warn('@on') warn('@', 'on') warn('@off', ' is text here') warn('@no such control')\n"
           "warn('still on') warn('@off') warn('not shown') warn('nor ', 'this') warn('@on')\n"
           "warn('') warn('again')");
    lua_warning(L, "from ", 1);
    lua_warning(L, "C", 0);
    lua_warning(L, "@off", 0);
    lua_warning(L, "hidden", 0);
    return capture_end(errors);
}

static void warn_and_exit(lua_State *L)
{
    setvbuf(stderr, buffer, _IOFBF, sizeof buffer);
    luaL_openlibs(L);
    run(L, "warn('@on') warn('one') warn('in ', 'pieces')");
    _exit(0);
}

static void warnings_are_shown_at_once(void **unused)
{
    (void)unused;
    ending expected = ending_of(make_stock, warn_and_exit);
    ending got = ending_of(make_hakmem, warn_and_exit);
    assert_string_equal(expected.text, "Lua warning: one\nLua warning: in pieces\n");
    assert_string_equal(got.text, expected.text);
    free(expected.text);
    free(got.text);
}

static void warnings_are_shown_as_in_a_stock_state(void **unused)
{
    (void)unused;
    lua_State *stock = make_stock(), *ours = make_hakmem();
    char *expected = warnings_of(stock), *got = warnings_of(ours);
    assert_non_null(strstr(expected, "Lua warning: in three pieces\n"));
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    lua_close(stock);
    hak_lua_close(ours);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grace_keeps_unprotected_calls_from_ending_the_process),
        cmocka_unit_test(an_unprotected_error_panics_as_in_a_stock_state),
#if SINCE_54
        cmocka_unit_test(warnings_are_shown_as_in_a_stock_state),
        cmocka_unit_test(warnings_are_shown_at_once),
#endif
    };
    return cmocka_run_group_tests_name("unprotected calls", tests, NULL, NULL);
}
