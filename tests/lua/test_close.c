/* Closing a state: every program below ends the same way under hak_lua_close, lua_close on a hakmem
 * state, lua_close after hak_lua_install, and the stock lua_close. "The same way" is a transcript
 * of what its finalizers say, and of what Lua writes to stderr. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "support.h"

/* ------------------------------------------------------------------ transcripts */

static char transcript[1 << 16];
static size_t transcript_length;

static int say(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    if (transcript_length + length + 2 > sizeof transcript) return luaL_error(L, "too much said");
    memcpy(transcript + transcript_length, text, length);
    transcript_length += length;
    transcript[transcript_length++] = '\n';
    transcript[transcript_length] = 0;
    return 0;
}

/* on_gc(f) returns an object with the finalizer f, in every version of Lua. */
static int on_gc(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_newuserdata(L, 16);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return 1;
}

typedef struct program {
    const char *name;
    int from, to; /* LUA_VERSION_NUM; 0: any */
    const char *code;
} program;

/* Where finalizers collect, a program ends with a collection: in the middle of a cycle, lua_close
 * of Lua 5.3 would not return from theirs. */
static const program programs[] = {
    {"close_finalizes_in_reverse_order_of_marking", 0, 0,
     "for i = 1, 100 do keep[i] = on_gc(function() say('object ' .. i) end) end"},
    {"close_finalizes_unreachable_and_reachable_objects_once", 0, 0,
     "collectgarbage() collectgarbage('stop')\n"
     "for i = 1, 50 do local o = on_gc(function() say('o' .. i) end)\n"
     "  if i % 2 == 0 then keep[#keep + 1] = o end end\n"
     "collectgarbage() collectgarbage() say('collected')"},
    {"close_finalizes_tables", 502, 0,
     "for i = 1, 20 do keep[i] = setmetatable({i}, {__gc = function(t) say('table ' .. t[1]) end}) "
     "end"},
    {"close_passes_the_object_to_its_finalizer", 0, 0,
     "local o o = on_gc(function(p) say(tostring(rawequal(o, p))) end)"},
    {"close_survives_errors_in_finalizers", 0, 0,
     "for i = 1, 9 do keep[i] = on_gc(function() say('o' .. i) if i % 3 == 0 then error('e' .. i) "
     "end end) end if warn then warn('@on') end"},
    {"close_survives_errors_that_are_no_strings", 0, 0,
     "for i = 1, 4 do keep[i] = on_gc(function() say('o' .. i) error({}) end) end\n"
     "if warn then warn('@on') end"},
    {"close_runs_finalizers_that_call_the_collector_to_their_end", 0, 0,
     "for i = 1, 6 do keep[i] = on_gc(function() say('begin ' .. i) collectgarbage()\n"
     "  say('end ' .. i) end) end collectgarbage()"},
    {"close_runs_finalizers_that_step_the_collector_to_their_end", 0, 0,
     "for i = 1, 6 do keep[i] = on_gc(function() say('begin ' .. i)\n"
     "  for j = 1, 50 do local t = {j} collectgarbage('step', 100) end say('end ' .. i) end) end"},
    {"close_survives_a_collector_called_from_a_coroutine_in_a_finalizer", 0, 0,
     "for i = 1, 6 do keep[i] = on_gc(function() say('begin ' .. i)\n"
     "  local co = coroutine.create(function() collectgarbage() say('in ' .. i)\n"
     "    coroutine.yield() end)\n"
     "  coroutine.resume(co) co = nil collectgarbage() collectgarbage() say('end ' .. i) end) end\n"
     "collectgarbage()"},
    {"close_treats_finalizers_made_by_finalizers_as_lua_does", 0, 0,
     "local function make(depth) return on_gc(function() say('depth ' .. depth)\n"
     "  if depth < 5 then keep[#keep + 1] = make(depth + 1) end end) end\n"
     "for i = 1, 3 do keep[#keep + 1] = make(1) end"},
    {"close_treats_garbage_with_finalizers_made_by_finalizers_as_lua_does", 0, 0,
     "for i = 1, 3 do keep[i] = on_gc(function() say('outer ' .. i)\n"
     "  on_gc(function() say('inner ' .. i) end) collectgarbage() say('outer end ' .. i) end) end\n"
     "collectgarbage()"},
    {"close_treats_finalizers_found_by_steps_at_the_end_as_lua_does", 0, 0,
     "keep[1] = on_gc(function() say('outer')\n"
     "  for i = 1, 3 do on_gc(function() say('inner ' .. i) end) end\n"
     "  collectgarbage('stop') for i = 1, 400 do collectgarbage('step', 1) end say('outer end')\n"
     "  end)\n"
     "for i = 2, 200 do keep[i] = on_gc(function() end) end"},
    {"close_treats_finalizers_found_by_half_a_cycle_as_lua_does", 0, 0,
     "for i = 2, 5000 do keep[i] = {} end\n"
     "keep[1] = on_gc(function() say('outer')\n"
     "  on_gc(function() say('inner') end)\n"
     "  local found = setmetatable({{}}, {__mode = 'v'})\n"
     "  for i = 1, 1e5 do if found[1] then collectgarbage('step', 0) end end\n"
     "  end)\n"
     "collectgarbage() collectgarbage()"},
    {"close_lets_finalizers_allocate_much", 0, 0,
     "for i = 1, 4 do keep[i] = on_gc(function() local t = {} for j = 1, 20000 do\n"
     "  t[j] = {j, 's' .. j} end local sum = 0 for j = 1, #t do sum = sum + t[j][1] end\n"
     "  say(string.format('%d', sum)) end) end"},
    {"close_lets_finalizers_churn_through_garbage", 0, 0,
     "keep[1] = on_gc(function() for j = 1, 200000 do local t = {j, {}} end say('churned') end)\n"
     "keep[2] = on_gc(function() say('before') end)"},
    {"close_finalizes_resurrected_objects_as_lua_does", 0, 0,
     "do local o o = on_gc(function(p) say('first') _G.saved = p end) o = nil end\n"
     "collectgarbage() collectgarbage() say(type(saved))\n"
     "keep[1] = on_gc(function() say(type(saved)) end)"},
    {"close_finalizes_objects_marked_again", 0, 0,
     "local f function f(o) say('again') setmetatable(o, getmetatable(o)) end\n"
     "if newproxy then say('as lua') else\n"
     "local mt = {} mt.__gc = function(o) say('final') setmetatable(o, mt) end\n"
     "setmetatable({}, mt) collectgarbage() collectgarbage() say('twice') end"},
    {"close_flushes_and_closes_open_files", 0, 0,
     "keep[1] = assert(io.open(os.getenv('HAK_TEST_FILE'), 'w'))\n"
     "keep[1]:setvbuf('full', 65536) keep[1]:write(string.rep('line\\n', 1000))"},
    {"close_lets_finalizers_write_to_open_files", 0, 0,
     "local f = assert(io.open(os.getenv('HAK_TEST_FILE'), 'w'))\n"
     "keep[1] = on_gc(function() f:write('last words') f:flush() say(io.type(f)) end)"},
    {"close_leaves_suspended_coroutines_suspended", 0, 0,
     "for i = 1, 10 do keep[i] = coroutine.wrap(function() local o = on_gc(function()\n"
     "  say('co ' .. i) end) coroutine.yield() say('resumed') end) keep[i]() end"},
    {"close_works_after_an_error", 0, 0,
     "keep[1] = on_gc(function() say('finalized') end)\n"
     "local ok = pcall(function() local t = nil; t.x = 1 end) say(tostring(ok))"},
    {"close_works_with_the_collector_stopped", 0, 0,
     "collectgarbage('stop') for i = 1, 1000 do on_gc(function() end) end\n"
     "keep[1] = on_gc(function() say('finalized') end)"},
    {"close_works_in_the_middle_of_a_cycle", 0, 0,
     "for i = 1, 2000 do keep[i] = {i} end\n"
     "for i = 1, 30 do keep[#keep + 1] = on_gc(function() say('o' .. i) end)\n"
     "  collectgarbage('step', 0) end"},
    {"close_works_in_generational_mode", 504, 0,
     "collectgarbage('generational')\n"
     "for i = 1, 30 do keep[i] = setmetatable({i}, {__gc = function(t) say('g' .. t[1]) end})\n"
     "  for j = 1, 2000 do local t = {j} end end"},
    {"close_works_in_generational_mode_of_5_2", 502, 502,
     "collectgarbage('generational')\n"
     "for i = 1, 30 do keep[i] = setmetatable({i}, {__gc = function(t) say('g' .. t[1]) end})\n"
     "  for j = 1, 2000 do local t = {j} end end collectgarbage('incremental')\n"
     "for i = 1, 30 do keep[#keep+1] = setmetatable({i}, {__gc = function(t) say('i' .. t[1]) "
     "end}) end"},
    {"close_ignores_to_be_closed_variables_of_suspended_coroutines_as_lua_does", 504, 0,
     "for i = 1, 5 do keep[i] = coroutine.wrap(load([[local on_gc, say, i = ...\n"
     "  local v <close> = setmetatable({}, {__close = function() say('closed ' .. i) end,\n"
     "    __gc = function() say('gc ' .. i) end}) coroutine.yield() ]]))\n"
     "  keep[i](on_gc, say, i) end"},
    {"close_warns_as_lua_does", 504, 0,
     "warn('@on') keep[1] = on_gc(function() warn('piece ', 'by ', 'piece') end)\n"
     "keep[2] = on_gc(function() warn('@off') end)\n"
     "keep[3] = on_gc(function() error('wrong') end)"},
    {"close_works_after_weak_tables_and_ephemerons", 0, 0,
     "collectgarbage() collectgarbage('stop')\n"
     "local weak = setmetatable({}, {__mode = 'k'}) keep[1] = weak\n"
     "for i = 1, 500 do local k = {} weak[k] = {k, on_gc(function() say('w' .. i) end)}\n"
     "  if i % 50 == 0 then keep[#keep + 1] = k end end"},
    {"close_empties_the_jit", 0, 0,
     "local s = 0 for i = 1, 1e6 do s = s + i % 7 end say(s > 0 and "
     "'warm' or '')"},
};

static char file_name[256];

static char *file_contents(void)
{
    FILE *file = fopen(file_name, "r");
    if (!file) return calloc(1, 1);
    char *text = calloc(1, 1 << 16);
    size_t length = fread(text, 1, (1 << 16) - 1, file);
    text[length] = 0;
    fclose(file);
    unlink(file_name);
    return text;
}

/* Runs the program in a state of this life, ends it, and returns all that came of it. */
static char *result_of(const life *way, const program *p)
{
    transcript_length = 0;
    transcript[0] = 0;
    unlink(file_name);
    capture errors = capture_begin();
    lua_State *L = way->make();
    if (!L) {
        free(capture_end(errors));
        fail_msg("%s: no state", way->name);
    }
    luaL_openlibs(L);
    lua_register(L, "say", say);
    lua_register(L, "on_gc", on_gc);
    run(L, "keep = {}");
    int status = try_run(L, p->code);
    if (status) say(L);
    way->end(L);
    char *shown = capture_end(errors);
    char *written = file_contents();
    size_t size = strlen(shown) + strlen(written) + transcript_length + 64;
    char *text = malloc(size);
    assert_non_null(text);
    snprintf(text, size, "status %d\n%s-- stderr:\n%s-- file:\n%s", status, transcript, shown,
             written);
    free(shown);
    free(written);
    return text;
}

static lua_State *make_installed_with_kinds(void)
{
    return make_installed_by(&(hak_heap_options){.settings = "kinds=1"});
}

static const life stock = {"lua_close on a stock state", make_stock, lua_close};
static const life ours[] = {
    {"hak_lua_close", make_hakmem, hak_lua_close},
    {"lua_close on a state from hak_lua_newstate", make_hakmem, lua_close},
    {"lua_close after hak_lua_install", make_installed, lua_close},
    {"hak_lua_close after hak_lua_install", make_installed, hak_lua_close},
    {"hak_lua_close on a stock state", make_stock, hak_lua_close},
    {"hak_lua_close with kinds", make_with_kinds, hak_lua_close},
    {"lua_close with kinds", make_with_kinds, lua_close},
    {"lua_close after hak_lua_install with kinds", make_installed_with_kinds, lua_close},
};

static void same_transcript(void **state)
{
    const program *p = *state;
    if ((p->from && LUA_VERSION_NUM < p->from) || (p->to && LUA_VERSION_NUM > p->to)) skip();
    char *expected = result_of(&stock, p);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        char *got = result_of(&ours[i], p);
        if (strcmp(got, expected) != 0) {
            fail_msg("%s:\n%s\nbut lua_close on a stock state:\n%s", ours[i].name, got, expected);
        }
        free(got);
    }
    free(expected);
}

/* ------------------------------------------------------------------ called from within Lua */

static int end_here(lua_State *L)
{
    lua_State **victim = lua_touserdata(L, lua_upvalueindex(1));
    hak_lua_close(*victim);
    return 0;
}

static void a_state_may_close_another_from_within_a_call(void **unused)
{
    (void)unused;
    lua_State *outer = make_hakmem(), *inner = make_hakmem();
    transcript_length = 0;
    luaL_openlibs(inner);
    lua_register(inner, "say", say);
    lua_register(inner, "on_gc", on_gc);
    run(inner, "keep = on_gc(function() say('inner ended') end)");
    lua_pushlightuserdata(outer, &inner);
    lua_pushcclosure(outer, end_here, 1);
    assert_int_equal(lua_pcall(outer, 0, 0, 0), 0);
    assert_string_equal(transcript, "inner ended\n");
    hak_lua_close(outer);
}

#if SINCE_54
static int closed(lua_State *L)
{
    lua_pushstring(L, "closed");
    lua_replace(L, 1);
    return say(L);
}

/* Of to-be-closed variables only those of the main thread's own stack are pending at the end. */
static void close_runs_pending_to_be_closed_variables(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        lua_State *L = make_hakmem();
        luaL_openlibs(L);
        lua_register(L, "say", say);
        lua_register(L, "on_gc", on_gc);
        run(L, "keep = {} for i = 1, 3 do keep[i] = on_gc(function() say('o' .. i) end) end");
        for (int v = 0; v < 2; v++) {
            lua_newtable(L);
            lua_createtable(L, 0, 1);
            lua_pushcfunction(L, closed);
            lua_setfield(L, -2, "__close");
            lua_setmetatable(L, -2);
            lua_toclose(L, -1);
        }
        transcript_length = 0;
        if (i == 0) hak_lua_close(L);
        else lua_close(L);
        assert_string_equal(transcript, "closed\nclosed\no3\no2\no1\n");
    }
}
#endif

/* Finalizers that run while the state is taken apart may free and allocate as much as they like
 * within the limit. What they run after is from before the heap. */
static void finalizers_may_churn_at_the_end(void **unused)
{
    (void)unused;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lua_register(L, "say", say);
    lua_register(L, "on_gc", on_gc);
    run(L, "keep = on_gc(function()\n"
           "    local t = {}\n"
           "    for round = 1, 60 do\n"
           "        local step = 1.37 + round / 7\n"
           "        for i = 1, 9000 do t[i * step] = true end\n"
           "        for i = 1, 9000 do t[i * step] = nil end\n"
           "    end\n"
           "    say('done')\n"
           "end)");
    hak_heap *heap = hak_lua_install(L, &(hak_heap_options){.limit = 6 * MIB});
    if (!heap) skip(); /* LuaJIT without GC64 */
    transcript_length = 0;
    lua_close(L);
    assert_string_equal(transcript, "done\n");
}

#if !IS_LUAJIT
/* hak_lua_close does not read the plain objects that are left: a page of one need not be readable.
 */
static void hak_lua_close_reads_no_plain_object(void **unused)
{
    (void)unused;
    pid_t pid = fork();
    if (pid == 0) {
        static const char text[MIB];
        lua_State *L = hak_lua_newstate(NULL);
        luaL_openlibs(L);
        lua_gc(L, LUA_GCSTOP, 0);
        lua_pushlstring(L, text, sizeof text);
        char *in_page = (char *)lua_tostring(L, -1);
        lua_setglobal(L, "text");
        if (mprotect(in_page - (uintptr_t)in_page % 4096, 4096, PROT_NONE) != 0) _exit(2);
        hak_lua_close(L);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) fail_msg("status %d", status);
}
#endif

int main(void)
{
    const char *folder = getenv("TMPDIR");
    snprintf(file_name, sizeof file_name, "%s/hak_test_close.%ld", folder ? folder : "/tmp",
             (long)getpid());
    setenv("HAK_TEST_FILE", file_name, 1);
    enum { PROGRAMS = sizeof programs / sizeof *programs };
    struct CMUnitTest alike[PROGRAMS];
    for (size_t i = 0; i < PROGRAMS; i++) {
        alike[i] = (struct CMUnitTest){
            .name = programs[i].name,
            .test_func = same_transcript,
            .initial_state = (void *)&programs[i],
        };
    }
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_state_may_close_another_from_within_a_call),
#if SINCE_54
        cmocka_unit_test(close_runs_pending_to_be_closed_variables),
#endif
        cmocka_unit_test(finalizers_may_churn_at_the_end),
#if !IS_LUAJIT
        cmocka_unit_test(hak_lua_close_reads_no_plain_object),
#endif
    };
    int failed = cmocka_run_group_tests_name("closing like lua_close", alike, NULL, NULL);
    failed += cmocka_run_group_tests_name("closing", others, NULL, NULL);
    return failed != 0;
}
