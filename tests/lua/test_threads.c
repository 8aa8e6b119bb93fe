/* A state belongs to no thread: it may be handed from one to another, and different states may be
 * used at the same time. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "support.h"

enum { THREADS = 4, STATES = 8, HANDOVERS = 2000 };

/* Every hand-over makes garbage, keeps a little, frees what another thread has made, and checks
 * what all others have left. */
static const char *const program =
    "local kept, count, sum = {}, 0, 0\n"
    "local co = coroutine.wrap(function() while true do\n"
    "  for i = 1, 3 do coroutine.yield(i) end end end)\n"
    "function visit(n)\n"
    "  assert(n == count, 'a hand-over got lost')\n"
    "  for i = 1, 200 do local garbage = {i, {i}, 'g' .. i .. ',' .. n} end\n"
    "  assert(co() == n % 3 + 1)\n"
    "  local slot = n % 97 + 1\n"
    "  local old = kept[slot]\n"
    "  if old then\n"
    "    assert(old.text == ('n' .. old.n):rep(old.n % 50 + 1) and old.f() == old.n * 2)\n"
    "    sum = sum - old.n\n"
    "  end\n"
    "  kept[slot] = {n = n, text = ('n' .. n):rep(n % 50 + 1), f = function() return n * 2 end}\n"
    "  sum = sum + n count = count + 1\n"
    "  if n % 31 == 0 then collectgarbage() end\n"
    "  if n % 17 == 0 then big = ('x'):rep(n * 40) end\n"
    "  return sum\n"
    "end\n";

/* ------------------------------------------------------------------ handing over */

typedef struct baton {
    lua_State *L;
    int visits;
    pthread_t last;
} baton;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static baton *queue[STATES];
static int queued, handovers, moves;
static char trouble[256];

/* Which thread takes the next state: in turn, and another one for each state in each round, so that
 * every state moves whatever the scheduler does. */
static int turn(void)
{
    return (handovers + handovers / STATES) % THREADS;
}

static baton *take(int self)
{
    pthread_mutex_lock(&lock);
    while (handovers < HANDOVERS && (queued == 0 || turn() != self)) {
        pthread_cond_wait(&filled, &lock);
    }
    baton *b = NULL;
    if (handovers < HANDOVERS) {
        handovers++;
        b = queue[0];
        queued--;
        for (int i = 0; i < queued; i++) queue[i] = queue[i + 1];
        if (b->visits && !pthread_equal(b->last, pthread_self())) moves++;
        b->last = pthread_self();
    }
    pthread_cond_broadcast(&filled);
    pthread_mutex_unlock(&lock);
    return b;
}

static void give(baton *b)
{
    pthread_mutex_lock(&lock);
    queue[queued++] = b;
    pthread_cond_broadcast(&filled);
    pthread_mutex_unlock(&lock);
}

static void note_trouble(lua_State *L)
{
    pthread_mutex_lock(&lock);
    snprintf(trouble, sizeof trouble, "%s", lua_tostring(L, -1));
    pthread_mutex_unlock(&lock);
    lua_pop(L, 1);
}

static void *worker(void *self)
{
    for (baton *b; (b = take(*(int *)self)) != NULL; give(b)) {
        lua_getglobal(b->L, "visit");
        lua_pushnumber(b->L, b->visits++);
        if (lua_pcall(b->L, 1, 0, 0) != 0) note_trouble(b->L);
    }
    return NULL;
}

static void a_state_may_be_handed_from_thread_to_thread(void **unused)
{
    (void)unused;
    static baton batons[STATES];
    for (int i = 0; i < STATES; i++) {
        const char *profiles[] = {"speed", "balanced", "lean"};
        batons[i].L = hak_lua_newstate(&(hak_heap_options){.profile = profiles[i % 3]});
        luaL_openlibs(batons[i].L);
        run(batons[i].L, program);
        give(&batons[i]);
    }
    pthread_t threads[THREADS];
    int selves[THREADS];
    for (int i = 0; i < THREADS; i++) {
        selves[i] = i;
        pthread_create(&threads[i], NULL, worker, &selves[i]);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_string_equal(trouble, "");
    assert_int_equal(handovers, HANDOVERS);
    assert_true(moves > HANDOVERS / 2);
    int visits = 0;
    for (int i = 0; i < STATES; i++) {
        visits += batons[i].visits;
        hak_lua_close(batons[i].L);
    }
    assert_int_equal(visits, HANDOVERS);
}

/* ------------------------------------------------------------------ at the same time */

/* Makes, uses and closes states one after the other; also one that the thread before has left. */
static void *live_alone(void *left)
{
    lua_State *inherited = left;
    for (int round = 0; round < (scale() > 1 ? 4 : 12); round++) {
        lua_State *L = hak_lua_newstate(&(hak_heap_options){.limit = round % 2 ? 8 * MIB : 0});
        if (!L) return "no state";
        luaL_openlibs(L);
        if (luaL_loadstring(L, program) || lua_pcall(L, 0, 0, 0)) return "does not load";
        for (int n = 0; n < 40; n++) {
            lua_getglobal(L, "visit");
            lua_pushnumber(L, n);
            if (lua_pcall(L, 1, 0, 0)) return "a visit failed";
        }
        if (round % 2 && try_run(L, "local t = {} while true do t[#t + 1] = {} end") == 0) {
            return "the limit did not hold";
        }
        if (inherited) hak_lua_close(inherited);
        inherited = NULL;
        if (round % 3) hak_lua_close(L);
        else lua_close(L);
    }
    return NULL;
}

static void different_states_may_be_used_by_different_threads_at_once(void **unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        lua_State *L = hak_lua_newstate(NULL);
        luaL_openlibs(L);
        run(L, "t = {} for i = 1, 10000 do t[i] = {i} end");
        pthread_create(&threads[i], NULL, live_alone, L);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        if (result) fail_msg("thread %d: %s", i, (const char *)result);
    }
}

/* ------------------------------------------------------------------ the module */

int luaopen_hakmem(lua_State *L);

static pthread_barrier_t all_are_ready;

static void *open_module(void *state)
{
    lua_State *L = state;
    lua_pushcfunction(L, luaopen_hakmem);
    pthread_barrier_wait(&all_are_ready);
    return lua_pcall(L, 0, 1, 0) == 0 && lua_istable(L, -1) ? NULL : "the module did not open";
}

/* In a process that has not opened it yet. */
static int open_in_threads(void)
{
    pthread_t threads[THREADS];
    int failed = 0;
    pthread_barrier_init(&all_are_ready, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, open_module, luaL_newstate());
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        if (result) failed = 1;
    }
    return failed;
}

static void threads_may_open_the_module_at_once(void **unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        if (child == 0) {
            signal(SIGSEGV, SIG_DFL);
            _exit(open_in_threads());
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_may_open_the_module_at_once),
        cmocka_unit_test(a_state_may_be_handed_from_thread_to_thread),
        cmocka_unit_test(different_states_may_be_used_by_different_threads_at_once),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
