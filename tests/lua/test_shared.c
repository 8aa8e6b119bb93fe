/* States that are made with the allocator of another one: they share its heap, whichever thread
 * uses them, and it ends with the last of them. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "heap/heap.h"
#include "lives.h"
#include "lua_vm.h"

/* As a library makes a state that is to have the allocator of the one that it is called from. */
static lua_State *make_beside(lua_State *L)
{
    void *ud;
    lua_Alloc function = lua_getallocf(L, &ud);
    lua_State *other = new_state(function, ud);
    if (other) luaL_openlibs(other);
    return other;
}

static bool is_shared(lua_State *L)
{
    return hak__guard_of(hak_lua_heap(L)) != NULL;
}

static const char *const work =
    "kept = kept or {}\n"
    "local long = ('x'):rep(20000)\n"
    "for i = 1, 1000 do\n"
    "  local slot = i % 311 + 1\n"
    "  local old = kept[slot]\n"
    "  if old then assert(old.text == ('n' .. old.n):rep(old.n % 40 + 1) and old.f() == old.n * 2) "
    "end\n"
    "  kept[slot] = {n = i, text = ('n' .. i):rep(i % 40 + 1), f = function() return i * 2 end}\n"
    "  if i % 500 == 0 then kept[slot].long = long .. i collectgarbage() end\n"
    "end\n";

static lua_State *make_in_hosts_heap(void)
{
    return new_state(hak_lua_alloc, hak_heap_new(&(hak_heap_options){.granularity = 8}));
}

static lua_State *make_observed(void)
{
    lua_State *L = hak_lua_newstate(NULL);
    if (!L || !hak_lua_observe(L, true)) abort();
    return L;
}

static lua_State *(*const kinds_of_state[])(void) = {make_hakmem, make_installed, make_with_kinds,
                                                     make_observed, make_in_hosts_heap};

enum { KINDS = sizeof kinds_of_state / sizeof *kinds_of_state };

/* A host's heap is the host's to destroy. */
static void end_hosts(hak_heap *heap, size_t kind)
{
    if (kinds_of_state[kind] == make_in_hosts_heap) hak_heap_destroy(heap);
}

static void states_may_be_closed_in_any_order(void **unused)
{
    (void)unused;
    size_t before = heaps();
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (int order = 0; order < 6; order += scale() > 1 ? 4 : 1) {
            for (int end = 0; end < ENDERS; end++) {
                lua_State *states[3] = {kinds_of_state[kind]()};
                luaL_openlibs(states[0]);
                hak_heap *heap = hak_lua_heap(states[0]);
                run(states[0], work);
                assert_false(is_shared(states[0]));
                for (int i = 1; i < 3; i++) states[i] = make_beside(states[0]);
                assert_true(is_shared(states[0]));
                for (int i = 0; i < 3; i++) {
                    run(states[i], work);
                    assert_ptr_equal(hak_lua_heap(states[i]), heap);
                }
                int first = order % 3, second = (first + 1 + order / 3) % 3;
                enders[end](states[first]);
                run(states[second], work);
                enders[end](states[second]);
                run(states[3 - first - second], work);
                assert_int_equal(heaps(), before + 1);
                enders[end](states[3 - first - second]);
                if (kinds_of_state[kind] == make_in_hosts_heap) assert_null(hak__guard_of(heap));
                end_hosts(heap, kind);
                assert_int_equal(heaps(), before);
            }
        }
    }
}

/* ------------------------------------------------------------------ threads */

enum { LANES = 8, ROUNDS = 4 };

static void *work_in_lane(void *state)
{
    lua_State *L = state;
    for (int round = 0; round < ROUNDS; round++) {
        if (try_run(L, work) != 0) return strdup(lua_tostring(L, -1));
    }
    lua_close(L);
    return NULL;
}

/* A thread returns NULL, or what went wrong. */
static void join(const pthread_t *threads, int count)
{
    for (int i = 0; i < count; i++) {
        void *trouble;
        pthread_join(threads[i], &trouble);
        if (trouble) fail_msg("thread %d: %s", i, (char *)trouble);
    }
}

static void lanes_run_beside_their_parent(void **unused)
{
    (void)unused;
    size_t before = heaps();
    for (size_t kind = 0; kind < KINDS; kind++) {
        lua_State *L = kinds_of_state[kind]();
        luaL_openlibs(L);
        hak_heap *heap = hak_lua_heap(L);
        run(L, work);
        pthread_t lanes[LANES];
        for (int i = 0; i < LANES; i++) {
            assert_int_equal(pthread_create(&lanes[i], NULL, work_in_lane, make_beside(L)), 0);
            run(L, work);
        }
        bool first_ends = kind % 2;
        if (first_ends) lua_close(L);
        join(lanes, LANES);
        if (!first_ends) {
            run(L, work);
            lua_close(L);
        }
        end_hosts(heap, kind);
        assert_int_equal(heaps(), before);
    }
}

/* Each lane makes states itself, while the first one runs. */
static void *make_lanes(void *state)
{
    lua_State *L = state;
    for (int i = 0; i < 20; i++) {
        lua_State *lane = make_beside(L);
        if (!lane || try_run(lane, work) != 0) return strdup("a lane failed");
        hak_lua_close(lane);
    }
    return NULL;
}

static void any_thread_makes_states_on_a_heap_that_is_told_so(void **unused)
{
    (void)unused;
    size_t before = heaps();
    for (size_t kind = 0; kind < KINDS; kind++) {
        lua_State *L = kinds_of_state[kind]();
        luaL_openlibs(L);
        hak_heap *heap = hak_lua_heap(L);
        run(L, work);
        assert_true(hak_lua_share(L));
        assert_true(hak_lua_share(L));
        pthread_t makers_of_lanes[2];
        for (int i = 0; i < 2; i++) pthread_create(&makers_of_lanes[i], NULL, make_lanes, L);
        for (int i = 0; i < ROUNDS; i++) run(L, work);
        join(makers_of_lanes, 2);
        lua_close(L);
        end_hosts(heap, kind);
        assert_int_equal(heaps(), before);
    }
}

static void only_hakmems_states_are_shared(void **unused)
{
    (void)unused;
    lua_State *L = luaL_newstate();
    errno = 0;
    assert_false(hak_lua_share(L));
    assert_int_equal(errno, EINVAL);
    lua_close(L);
}

/* What a script asks of its heap while other threads use it. */
static void *control_in_lane(void *state)
{
    lua_State *L = state;
    lua_pushcfunction(L, luaopen_hakmem);
    lua_call(L, 0, 1);
    lua_setglobal(L, "hakmem");
    const char *asks =
        "for i = 1, 50 do\n"
        "  local t = {} for j = 1, 500 do t[j] = {j} end\n"
        "  local s = hakmem.stats() assert(s.live_bytes > 0 and s.footprint >= s.retained)\n"
        "  hakmem.trim() hakmem.profile(i % 2 == 0 and 'lean' or 'balanced')\n"
        "  assert(#hakmem.stats_json() > 100 and hakmem.limit() == 0)\n"
        "  hakmem.prewarm(100000) hakmem.configure{retain_least = i * 4096}\n"
        "  assert(not hakmem.install() and hakmem.installed() and #hakmem.options() > 3)\n"
        "  hakmem.observe(i % 2 == 1) if i > 1 then hakmem.observations() end\n"
        "end\n";
    if (try_run(L, asks) != 0) return strdup(lua_tostring(L, -1));
    lua_close(L);
    return NULL;
}

static void scripts_control_a_heap_that_others_use(void **unused)
{
    (void)unused;
    for (size_t kind = 0; kind < KINDS; kind++) {
        lua_State *L = kinds_of_state[kind]();
        luaL_openlibs(L);
        hak_heap *heap = hak_lua_heap(L);
        pthread_t lanes[4];
        for (int i = 0; i < 4; i++)
            pthread_create(&lanes[i], NULL, i % 2 ? control_in_lane : work_in_lane, make_beside(L));
        for (int i = 0; i < ROUNDS; i++) run(L, work);
        join(lanes, 4);
        lua_close(L);
        end_hosts(heap, kind);
    }
}

/* ------------------------------------------------------------------ limits */

static void one_limit_holds_for_all(void **unused)
{
    (void)unused;
    const size_t limit = 8 * MIB;
    lua_State *L = hak_lua_newstate(&(hak_heap_options){.limit = limit});
    luaL_openlibs(L);
    lua_State *other = make_beside(L);
    const char *fill = "t = t or {} for i = 1, 1e7 do t[#t + 1] = {i, 'text ' .. i} end";
    assert_int_equal(try_run(other, fill), LUA_ERRMEM);
    assert_true(footprint(L) <= limit && footprint(L) > limit / 2);
    lua_settop(other, 0);
    lua_settop(L, 0);
    lua_pushnil(other);
    lua_setglobal(other, "t");
    lua_gc(other, LUA_GCCOLLECT, 0);
    run(L, work);
    lua_close(L);
    run(other, work);
    lua_close(other);
}

/* Takes all that the limit leaves, and what is free in the heap. Returns a list of the blocks. */
static void *fill(hak_heap *heap)
{
    void *first = NULL;
    for (size_t size = 16 * KIB; size >= 8; size -= size > 1024 ? 256 : 8) {
        for (void **block; (block = hak_heap_alloc(heap, size)) != NULL; first = block)
            *block = first;
    }
    return first;
}

/* Wherever memory runs out in lua_newstate, the first state works on, and nothing is left. */
static void a_state_that_could_not_be_made_leaves_nothing(void **unused)
{
    (void)unused;
    size_t before = heaps();
    for (size_t kind = 0; kind < 3; kind++) {
        size_t refused = IS_LUAJIT;
        bool made = IS_LUAJIT; /* which crashes if its lua_newstate runs out of memory */
        for (size_t room = 0; !made; room += 512 * scale()) {
            lua_State *L = kinds_of_state[kind]();
            luaL_openlibs(L);
            hak_heap *heap = hak_lua_heap(L);
            run(L, "t = {} for i = 1, 1000 do t[i] = {i} end collectgarbage()");
            hak_stats stats;
            hak_heap_stats(heap, &stats);
            size_t limit = stats.footprint - stats.retained;
            assert_true(hak_heap_set_limit(heap, limit));
            void *ballast = fill(heap);
            assert_true(hak_heap_set_limit(heap, limit + room));
            size_t blocks = live_blocks(L);
            void *ud;
            lua_Alloc function = lua_getallocf(L, &ud);
            lua_State *other = new_state(function, ud);
            made = other != NULL;
            if (other) lua_close(other);
            else refused++;
            assert_int_equal(live_blocks(L), blocks + (is_shared(L) ? 2 : 0));
            while (ballast) {
                void *next = *(void **)ballast;
                hak_heap_free(heap, ballast);
                ballast = next;
            }
            assert_true(hak_heap_set_limit(heap, 0));
            run(L, work);
            lua_close(L);
            assert_int_equal(heaps(), before);
        }
        assert_true(refused > 0);
    }
}

/* ------------------------------------------------------------------ what is no state */

/* A block of the size of a state, whatever comes after. */
static void other_blocks_of_that_size_change_nothing(void **unused)
{
    (void)unused;
    for (size_t kind = 0; kind < KINDS; kind++) {
        lua_State *L = kinds_of_state[kind]();
        luaL_openlibs(L);
        hak_heap *heap = hak_lua_heap(L);
        void *ud;
        lua_Alloc function = lua_getallocf(L, &ud);
        assert_non_null(hak__lua_vm());
        size_t sizes[HAK_LUA_REQUESTS];
        for (size_t i = 0; i < HAK_LUA_REQUESTS; i++) sizes[i] = hak__lua_requests[i];
        size_t blocks = live_blocks(L);
        char *a = function(ud, NULL, 0, sizes[0]);
        memset(a, 'a', sizes[0]);
        char *b = function(ud, NULL, 0, 24); /* not the second request of a state */
        assert_false(is_shared(L));
        char *c = function(ud, NULL, 0, sizes[0]);
        c = function(ud, c, sizes[0], 3 * sizes[0]);
        assert_false(is_shared(L));
        char *d = function(ud, NULL, 0, sizes[0]);
        char *e = function(ud, NULL, 0, sizes[1]);
        char *f = function(ud, NULL, 0, sizes[2] + 1);
        assert_false(is_shared(L));
        function(ud, function(ud, NULL, 0, sizes[0]), sizes[0], 0);
        assert_false(is_shared(L));
        for (size_t i = 0; i < sizes[0]; i++) assert_int_equal(a[i], 'a');
        function(ud, a, sizes[0], 0);
        function(ud, b, 24, 0);
        function(ud, c, 3 * sizes[0], 0);
        function(ud, d, sizes[0], 0);
        function(ud, e, sizes[1], 0);
        function(ud, f, sizes[2] + 1, 0);
        assert_int_equal(live_blocks(L), blocks);
        run(L, work);
        lua_State *other = make_beside(L);
        assert_true(is_shared(L));
        lua_close(L);
        run(other, work);
        lua_close(other);
        end_hosts(heap, kind);
    }
}

/* A host that makes one state after the other on its heap has no use for a lock. */
static void states_one_after_the_other_are_not_shared(void **unused)
{
    (void)unused;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    for (int i = 0; i < 100; i++) {
        lua_State *L = new_state(hak_lua_alloc, heap);
        luaL_openlibs(L);
        if (i % 10 == 0) run(L, work);
        assert_false(is_shared(L));
        lua_close(L);
    }
    hak_stats stats;
    hak_heap_stats(heap, &stats);
    assert_int_equal(stats.live_blocks, 0);
    hak_heap_destroy(heap);
}

/* ------------------------------------------------------------------ many, and forks */

static void many_states_on_a_heap_leave_nothing(void **unused)
{
    (void)unused;
    for (size_t kind = 0; kind < KINDS; kind++) {
        lua_State *L = kinds_of_state[kind]();
        luaL_openlibs(L);
        hak_heap *heap = hak_lua_heap(L);
        size_t after_first = 0;
        lua_State *open[16] = {0};
        for (size_t i = 0; i < 1500 / scale(); i++) {
            lua_State **slot = &open[i * 7 % 16];
            if (*slot) enders[i % ENDERS](*slot);
            *slot = make_beside(L);
            if (i == 200 / scale()) after_first = footprint(L);
        }
        assert_true(footprint(L) <= after_first + 64 * KIB);
        for (size_t i = 0; i < 16; i++) {
            if (open[i]) lua_close(open[i]);
        }
        lua_close(L);
        end_hosts(heap, kind);
    }
}

static atomic_bool stop;

static void *work_until_stopped(void *state)
{
    lua_State *L = state;
    while (!stop) {
        if (try_run(L, work) != 0) abort();
    }
    lua_close(L);
    return NULL;
}

static void a_fork_meanwhile_finds_the_heap_whole(void **unused)
{
    (void)unused;
    lua_State *L = hak_lua_newstate(NULL);
    luaL_openlibs(L);
    pthread_t lanes[2];
    for (int i = 0; i < 2; i++) pthread_create(&lanes[i], NULL, work_until_stopped, make_beside(L));
    for (int i = 0; i < 50; i++) {
        run(L, "t = {} for i = 1, 100 do t[i] = {i} end");
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            lua_State *other = make_beside(L);
            _exit(other && try_run(L, work) == 0 && try_run(other, work) == 0 ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    stop = true;
    for (int i = 0; i < 2; i++) pthread_join(lanes[i], NULL);
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_may_be_closed_in_any_order),
        cmocka_unit_test(lanes_run_beside_their_parent),
        cmocka_unit_test(any_thread_makes_states_on_a_heap_that_is_told_so),
        cmocka_unit_test(only_hakmems_states_are_shared),
        cmocka_unit_test(scripts_control_a_heap_that_others_use),
        cmocka_unit_test(one_limit_holds_for_all),
        cmocka_unit_test(a_state_that_could_not_be_made_leaves_nothing),
        cmocka_unit_test(other_blocks_of_that_size_change_nothing),
        cmocka_unit_test(states_one_after_the_other_are_not_shared),
        cmocka_unit_test(many_states_on_a_heap_leave_nothing),
        cmocka_unit_test(a_fork_meanwhile_finds_the_heap_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
