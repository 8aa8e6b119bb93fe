/* Several interpreters in a process, with one GIL or with their own. */
#include "cases.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "py_control.h"
#include "py_install.h"

void sub_interpreter(void)
{
    Py_Initialize();
    PyThreadState *first = PyThreadState_Get();
    PyThreadState *second = Py_NewInterpreter();
    CHECK(second);
    refuse(NULL, EPERM, "main interpreter");
    CHECK(hak_py_installed() == 0);
    Py_EndInterpreter(second);
    PyThreadState_Swap(first);

    install(NULL);
    second = Py_NewInterpreter();
    CHECK(second && serves());
    run(CHURN);
    refuse(NULL, EPERM, "main interpreter");
    Py_EndInterpreter(second);
    PyThreadState_Swap(first);
    run(CHURN);
    CHECK(Py_FinalizeEx() == 0);
}

/* A call of a function of the table. */
typedef struct errand {
    PyMemAllocatorEx with;
    int function;
    void *block;
    atomic_bool done;
} errand;

static void *run_errand(void *context)
{
    errand *to = context;
    const PyMemAllocatorEx *with = &to->with;
    switch (to->function) {
    case 0: to->block = with->malloc(with->ctx, 100); break;
    case 1: to->block = with->calloc(with->ctx, 10, 10); break;
    case 2: to->block = with->realloc(with->ctx, to->block, 10000); break;
    case 3:
        with->free(with->ctx, to->block);
        to->block = NULL;
        break;
    case 4: hak_py_uninstall(); break;
    default: install(NULL);
    }
    atomic_store(&to->done, true);
    return NULL;
}

static void check_that_it_waits(errand *to, int function)
{
    pthread_t thread;
    to->function = function;
    atomic_store(&to->done, false);
    bool entered = hak_py_enter();
    CHECK(entered);
    CHECK(pthread_create(&thread, NULL, run_errand, to) == 0);
    usleep(10000);
    CHECK(!atomic_load(&to->done));
    hak_py_leave(entered);
    CHECK(pthread_join(thread, NULL) == 0 && atomic_load(&to->done));
}

/* Every function waits for whoever uses the heap. */
static void check_that_all_wait(void)
{
    for (int d = 0; d < 2; d++) {
        errand to = {0};
        PyMem_GetAllocator(domains[d], &to.with);
        static const int order[] = {0, 2, 3, 1, 4, 5};
        for (int i = 0; i < 6; i++) check_that_it_waits(&to, order[i]);
        CHECK(hak_heap_owns(hak_py_heap(), to.block));
        to.with.free(to.with.ctx, to.block);
    }
}

static sem_t entered_heap;

static void *stay_for_a_while(void *nothing)
{
    bool entered = hak_py_enter();
    sem_post(&entered_heap);
    usleep(50000);
    hak_py_leave(entered);
    return nothing;
}

/* A child never finds the heap taken by a thread that it does not have. */
static void check_forks(void)
{
    pthread_t thread;
    CHECK(sem_init(&entered_heap, 0, 0) == 0);
    CHECK(pthread_create(&thread, NULL, stay_for_a_while, NULL) == 0);
    CHECK(sem_wait(&entered_heap) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    alarm(20);
    PyMem_Free(PyMem_Malloc(100));
    alarm(0);
    if (child == 0) _exit(0);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* What asks the heap leaves it before it makes an object, which comes from the heap. */
static void check_that_asking_leaves(void)
{
    alarm(20);
    PyObject *ends = Py_BuildValue("(s{si})", "stop", "generation", 2);
    PyObject *told[] = {
        hak_py_control_live_blocks(NULL, NULL),
        hak_py_control_options(NULL, NULL),
        hak_py_control_after_collection(NULL, ends),
    };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        CHECK(told[i]);
        run("kept = [[i] for i in range(1000)]\n");
        Py_DECREF(told[i]);
    }
    Py_DECREF(ends);
    alarm(0);
}

static bool all_differ(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc != b->malloc && a->calloc != b->calloc &&
           a->realloc != b->realloc && a->free != b->free;
}

/* From then on that another interpreter may be at work at the same time, a lock is taken. */
void locked(void)
{
    CHECK(hak__py_lock_from_now_on() && !hak_py_enter()); /* there is no heap */
    install(NULL);
    PyMemAllocatorEx plain[2], with_lock[2], now;
    for (int d = 0; d < 2; d++) PyMem_GetAllocator(domains[d], &plain[d]);
    hook(); /* what cannot be exchanged in both domains stays as it was */
    CHECK(!hak__py_lock_from_now_on() && !hak_py_enter());
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &now);
    CHECK(same(&now, &plain[0]));
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &hooked);

    CHECK(hak__py_lock_from_now_on());
    for (int d = 0; d < 2; d++) {
        PyMem_GetAllocator(domains[d], &with_lock[d]);
        CHECK(all_differ(&with_lock[d], &plain[d]));
    }
    CHECK(hak__py_lock_from_now_on());
    check_that_all_wait();
    check_forks();
    CHECK(!hak_py_observe(true));
    for (int d = 0; d < 2; d++) {
        PyMem_GetAllocator(domains[d], &now);
        CHECK(all_differ(&now, &with_lock[d]) && all_differ(&now, &plain[d]));
    }
    check_that_all_wait();
    CHECK(told()->allocations == 4 && told()->resizes_moved == 2 && told()->frees == 4);
    CHECK(!hak_py_observe(false));
    for (int d = 0; d < 2; d++) {
        PyMem_GetAllocator(domains[d], &now);
        CHECK(same(&now, &with_lock[d]));
    }
    Py_Initialize();
    run(CHURN);
    CHECK(stats().live_blocks > 5000);
    check_that_asking_leaves();
    CHECK(Py_FinalizeEx() == 0);
}

/* Whoever observed before the lock was needed takes it too. */
void locked_while_observed(void)
{
    install(NULL);
    PyMemAllocatorEx before, after;
    CHECK(!hak_py_observe(true));
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &before);
    CHECK(hak__py_lock_from_now_on());
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &after);
    CHECK(same(&before, &after));
    check_that_all_wait();
    CHECK(!hak_py_observe(false));
    check_that_all_wait();
}

#if PY_VERSION_HEX >= 0x030c0000

enum { THREADS = 2 };

static atomic_bool stop;

typedef struct other {
    PyThreadState *interpreter;
    pthread_t thread;
} other;

static void *hammer(void *context)
{
    /* A thread state belongs to the thread that made it: from 3.14 on it knows that one's C stack,
     * and in another thread each object looks too deep to be freed at once. */
    PyThreadState *first = ((other *)context)->interpreter;
    PyThreadState *own = PyThreadState_New(PyThreadState_GetInterpreter(first));
    PyEval_RestoreThread(own);
    PyThreadState_Clear(first);
    PyThreadState_Delete(first);
    run(CHURN "try: import _hakmem\n"
              "except ImportError: pass\n"
              "else: raise SystemExit('objects of one GIL under another')\n");
    while (!atomic_load(&stop)) run("churn(500)\n");
    Py_EndInterpreter(own);
    return NULL;
}

/* Interpreters with a GIL of their own, each hammering in a thread of its own. */
static void start(other *others)
{
    PyThreadState *first = PyThreadState_Get();
    atomic_store(&stop, false);
    for (int i = 0; i < THREADS; i++) {
        PyInterpreterConfig config = {
            .allow_threads = 1,
            .check_multi_interp_extensions = 1,
            .gil = PyInterpreterConfig_OWN_GIL,
        };
        PyStatus status = Py_NewInterpreterFromConfig(&others[i].interpreter, &config);
        CHECK(!PyStatus_Exception(status));
        PyEval_SaveThread();
        PyEval_RestoreThread(first);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&others[i].thread, NULL, hammer, &others[i]) == 0);
}

static void end(other *others)
{
    atomic_store(&stop, true);
    PyThreadState *first = PyEval_SaveThread();
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(others[i].thread, NULL) == 0);
    PyEval_RestoreThread(first);
}

void own_gils(void)
{
    install(NULL);
    CHECK(!hak_py_register());
    for (int cycle = 0; cycle < 3; cycle++) {
        preinitialize();
        install(NULL);
        Py_Initialize();
        run(CHURN);
        other others[THREADS];
        start(others);
        for (int i = 0; i < 50; i++) {
            run("churn(500)\n");
            CHECK(stats().live_blocks > 1000);
            bool entered = hak_py_enter();
            hak_heap_trim(hak_py_heap());
            hak_py_leave(entered);
        }
        end(others);
        CHECK(Py_FinalizeEx() == 0);
    }
}

void installed_beside_own_gils(void)
{
    Py_Initialize();
    other others[THREADS];
    start(others);
    refuse(NULL, EBUSY, "other interpreters exist");
    CHECK(hak_py_installed() == 0);
    end(others);
    install(NULL);
    CHECK(Py_FinalizeEx() == 0);
}

void observed_beside_own_gils(void)
{
    install(NULL);
    Py_Initialize();
    run(CHURN);
    CHECK(!hak_py_observe(true)); /* before the lock is needed */
    other others[THREADS];
    start(others);
    for (int i = 0; i < 200; i++) {
        run("churn(100)\n");
        bool entered = hak_py_enter();
        CHECK(entered);
        const hak_observations *seen = told();
        size_t events = seen->allocations + seen->frees + seen->resizes_in_place;
        CHECK(seen->operations == events + seen->resizes_moved + seen->refusals);
        CHECK(seen->hits + seen->misses == seen->allocations + seen->resizes_moved);
        hak_py_leave(entered);
        CHECK(!hak_py_observe(i % 2));
    }
    end(others);
    run(CHURN);
    CHECK(Py_FinalizeEx() == 0);
}

/* CPython's own preparations for a fork do not work beside other GILs, but the allocator does. */
void fork_beside_own_gils(void)
{
    install(NULL);
    Py_Initialize();
    other others[THREADS];
    start(others);
    for (int i = 0; i < 300; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(10);
            for (size_t n = 0; n < 1000; n++) PyMem_Free(PyMem_Malloc(n));
            _exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    end(others);
    CHECK(Py_FinalizeEx() == 0);
}

#endif
