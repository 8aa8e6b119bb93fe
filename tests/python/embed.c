/* A program that embeds Python, for test_embedding.py: its argument names what it does. What a
 * check finds wrong ends it with status 1. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem_python.h"
#include "py_control.h"
#include "py_watch.h"

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                                 \
        }                                                                             \
    } while (0)

#define MIB ((size_t)1 << 20)

#define CHURN                                                                             \
    "def churn(n):\n"                                                                     \
    "    kept = [{'a': i, 'b': [i] * 5, 'c': str(i) * 10} for i in range(n)]\n"           \
    "    assert all(e['a'] == i and e['c'] == str(i) * 10 for i, e in enumerate(kept))\n" \
    "churn(2000)\n"

static void run(const char *program)
{
    CHECK(PyRun_SimpleString(program) == 0);
}

static void install(const hak_py_options *options)
{
    const char *failure = hak_py_install(options);
    if (failure) fprintf(stderr, "%s\n", failure);
    CHECK(!failure);
}

static void refuse(const hak_py_options *options, int error, const char *reason)
{
    errno = 0;
    const char *failure = hak_py_install(options);
    CHECK(failure && strstr(failure, reason));
    CHECK(errno == error);
}

static void preinitialize(void)
{
    PyPreConfig config;
    PyPreConfig_InitPythonConfig(&config);
    CHECK(!PyStatus_Exception(Py_PreInitialize(&config)));
}

static hak_stats stats(void)
{
    hak_stats read;
    bool entered = hak_py_enter();
    hak_heap_stats(hak_py_heap(), &read);
    hak_py_leave(entered);
    return read;
}

/* Whether new blocks of Python's come from the heap. */
static bool serves(void)
{
    void *object = PyObject_Malloc(100), *buffer = PyMem_Malloc(100);
    bool ours = hak_heap_owns(hak_py_heap(), object) && hak_heap_owns(hak_py_heap(), buffer);
    PyObject_Free(object);
    PyMem_Free(buffer);
    return ours && hak_py_installed() == (HAK_PY_MEM | HAK_PY_OBJ);
}

/* ------------------------------------------------------------------ when it is installed */

static void before_initialize(void)
{
    CHECK(hak_py_installed() == 0 && !hak_py_heap());
    install(NULL);
    CHECK(serves());
    Py_Initialize();
    CHECK(serves());
    run(CHURN);
    CHECK(stats().live_blocks > 5000);
    CHECK(Py_FinalizeEx() == 0);
}

/* This order is right whatever PYTHONMALLOC says. */
static void after_preinitialize(void)
{
    preinitialize();
    install(&(hak_py_options){.profile = "lean", .limit = 512 * MIB});
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    CHECK(!PyStatus_Exception(Py_InitializeFromConfig(&config)));
    PyConfig_Clear(&config);
    CHECK(serves());
    run(CHURN
        "import tracemalloc\ntracemalloc.start()\nchurn(10)\ntracemalloc.stop()\nchurn(10)\n");
    CHECK(serves());
    CHECK(stats().live_blocks > 5000 && stats().limit == 512 * MIB);
    CHECK(strcmp(hak_heap_profile(hak_py_heap()), "lean") == 0);
    CHECK(Py_FinalizeEx() == 0);
}

static void after_initialize(void)
{
    Py_Initialize();
    run(CHURN "old = [[i] for i in range(1000)]\n");
    install(NULL);
    CHECK(serves());
    run("for entry in old: entry.extend(range(100))\nchurn(2000)\ndel old\n");
    CHECK(Py_FinalizeEx() == 0);
}

/* ------------------------------------------------------------------ again and again */

static void cycle(void)
{
    Py_Initialize();
    CHECK(serves());
    run(CHURN "import json, re\nkept = [[i] for i in range(50000)]\n");
    size_t used = stats().live_bytes;
    CHECK(used > 5 * MIB);
    CHECK(Py_FinalizeEx() == 0);
    hak_heap_trim(hak_py_heap());
    CHECK(stats().footprint < used / 2);
    CHECK(stats().limit == 100 * MIB);
}

static void initialized_again(void)
{
    for (int i = 0; i < 5; i++) {
        if (i == 0) install(&(hak_py_options){.limit = 100 * MIB});
        cycle();
    }
}

static void installed_again(void)
{
    for (int i = 0; i < 5; i++) {
        preinitialize();
        install(&(hak_py_options){.limit = 100 * MIB});
        CHECK(!hak_py_register());
        cycle();
    }
}

/* ------------------------------------------------------------------ observing */

static const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

static bool same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc == b->malloc && a->calloc == b->calloc &&
           a->realloc == b->realloc && a->free == b->free;
}

static const hak_observations *told(void)
{
    return hak_heap_observations(hak_py_heap());
}

/* Without observing, the functions in the table are those that were there before it. */
static void observed(void)
{
    CHECK(hak_py_observe(true) && errno == EINVAL);
    CHECK(!hak_py_observe(false) && !hak_py_observing());
    install(NULL);
    PyMemAllocatorEx plain[2], now;
    for (int d = 0; d < 2; d++) PyMem_GetAllocator(domains[d], &plain[d]);
    for (int i = 0; i < 1000; i++) {
        CHECK(!hak_py_observe(true) && !hak_py_observe(true) && hak_py_observing());
        for (int d = 0; d < 2; d++) {
            PyMem_GetAllocator(domains[d], &now);
            CHECK(now.ctx == plain[d].ctx && now.malloc != plain[d].malloc);
            CHECK(now.calloc != plain[d].calloc && now.realloc != plain[d].realloc);
            CHECK(now.free != plain[d].free);
        }
        CHECK(!hak_py_observe(false) && !hak_py_observe(false) && !hak_py_observing());
        for (int d = 0; d < 2; d++) {
            PyMem_GetAllocator(domains[d], &now);
            CHECK(same(&now, &plain[d]));
        }
    }
    Py_Initialize();
    CHECK(!hak_py_observe(true));
    run(CHURN);
    CHECK(told()->allocations > 5000);
    CHECK(Py_FinalizeEx() == 0);
}

/* A hook of somebody else's around one domain, that passes everything on. */
static PyMemAllocatorEx hooked;

static void *hook_malloc(void *unused, size_t size)
{
    (void)unused;
    return hooked.malloc(hooked.ctx, size);
}

static void *hook_calloc(void *unused, size_t count, size_t size)
{
    (void)unused;
    return hooked.calloc(hooked.ctx, count, size);
}

static void *hook_realloc(void *unused, void *block, size_t size)
{
    (void)unused;
    return hooked.realloc(hooked.ctx, block, size);
}

static void hook_free(void *unused, void *block)
{
    (void)unused;
    hooked.free(hooked.ctx, block);
}

static void hook(void)
{
    /* Its context looks like that of tracemalloc, but is not CPython's. */
    PyMemAllocatorEx ours = {&hooked, hook_malloc, hook_calloc, hook_realloc, hook_free};
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &hooked);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &ours);
}

static void check_refused(bool on)
{
    PyMemAllocatorEx before, after;
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &before);
    errno = 0;
    const char *failure = hak_py_observe(on);
    CHECK(failure && strstr(failure, "unknown allocator hook") && errno == EBUSY);
    CHECK(hak_py_observing() == !on && hak_heap_observing(hak_py_heap()) == !on);
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &after);
    CHECK(same(&before, &after));
}

/* What cannot be exchanged in all domains is exchanged in none. */
static void observed_below_a_hook(void)
{
    install(NULL);
    hook();
    check_refused(true);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &hooked);
    CHECK(!hak_py_observe(true));
    hook();
    check_refused(false);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &hooked);
    CHECK(!hak_py_observe(false));
}

static void observed_below_a_tracer(void)
{
    install(NULL);
    Py_Initialize();
    run("import tracemalloc\n"
        "tracemalloc.start()\n");
    CHECK(!hak_py_observe(true));
    run(CHURN);
    size_t seen = told()->allocations;
    CHECK(seen > 5000);
    CHECK(!hak_py_observe(false));
    run("churn(5000)\n");
    CHECK(told()->allocations == seen);
    CHECK(Py_FinalizeEx() == 0);
}

/* Every call is counted once, whichever domain it is of. */
static void observed_calls(void)
{
    enum { BLOCKS = 1000 };
    void *blocks[BLOCKS], *earlier[5 * BLOCKS];
    install(NULL);
    void *before = PyMem_Malloc(500);
    /* What lies where a heap begins has no slab, and is no hit. */
    for (int i = 0; i < 5 * BLOCKS; i++) earlier[i] = PyMem_Malloc(40);
    for (int i = 0; i < 5 * BLOCKS; i += 2) PyMem_Free(earlier[i]);
    size_t born_before = stats().live_blocks;
    CHECK(!hak_py_observe(true));
    for (int i = 0; i < BLOCKS; i++) {
        if (i % 2) blocks[i] = i % 4 == 1 ? PyMem_Malloc(40) : PyMem_Calloc(5, 8);
        else blocks[i] = i % 4 == 0 ? PyObject_Malloc(40) : PyObject_Calloc(1, 40);
    }
    const hak_observations *seen = told();
    CHECK(seen->allocations == BLOCKS && seen->live_blocks == BLOCKS);
    CHECK(seen->born_before == born_before && born_before > 2 * BLOCKS);
    CHECK(seen->bytes_requested == 40 * BLOCKS && seen->bytes_given == 48 * BLOCKS);
    CHECK(seen->size_ranges == 1 && seen->sizes[0].from == 33 && seen->sizes[0].to == 40);
    blocks[0] = PyObject_Realloc(blocks[0], 44);     /* in place */
    blocks[0] = PyObject_Realloc(blocks[0], 100000); /* moved */
    blocks[1] = PyMem_Realloc(blocks[1], 60);        /* moved */
    CHECK(!PyMem_Malloc(PY_SSIZE_T_MAX));
    PyMem_Free(NULL);
    before = PyMem_Realloc(before, 5000);
    PyMem_Free(before);
    for (int i = 0; i < BLOCKS; i++) {
        if (i % 2) PyMem_Free(blocks[i]);
        else PyObject_Free(blocks[i]);
    }
    seen = told();
    CHECK(seen->resizes_in_place == 1 && seen->resizes_moved == 3 && seen->refusals == 1);
    CHECK(seen->frees == BLOCKS + 1 && seen->freed_unknown == 1 && seen->live_blocks == 0);
    CHECK(seen->operations == 2 * BLOCKS + 6 && seen->foreign == 0 && seen->unnoted == 0);
    /* Those freed last have lived as long as those freed first: 1,006 operations. */
    CHECK(seen->lifetimes[10] == BLOCKS);
    CHECK(seen->hits + seen->misses == seen->allocations + seen->resizes_moved);
    CHECK(seen->hits > BLOCKS / 4);
    size_t hits = seen->hits, misses = seen->misses;
    PyMem_Free(PyMem_Malloc(40));
    PyMem_Free(PyMem_Calloc(5, 8));
    PyObject_Free(PyObject_Malloc(40));
    PyObject_Free(PyObject_Calloc(1, 40));
    PyObject_Free(PyObject_Realloc(PyObject_Malloc(40), 41000)); /* a hit, and a miss */
    seen = told();
    CHECK(seen->hits == hits + 5 && seen->misses == misses + 1);
}

/* What Python forgets when it is initialized again comes back as it was. */
static void observed_again(void)
{
    install(NULL);
    CHECK(!hak_py_observe(true));
    for (int i = 0; i < 3; i++) {
        size_t allocations = told()->allocations;
        Py_Initialize();
        CHECK(serves() && hak_py_observing());
        run(CHURN);
        CHECK(told()->allocations > allocations + 5000);
        CHECK(Py_FinalizeEx() == 0);
    }
    CHECK(told()->unnoted == 0);
}

/* ------------------------------------------------------------------ where there is no memory */

static long allowed = -1; /* blocks until memory is refused; negative: none is */
static long alive;        /* blocks, of both domains */
static PyMemAllocatorEx below[2];

static bool refused(void)
{
    if (allowed == 0) return true;
    if (allowed > 0) allowed--;
    return false;
}

static void *short_malloc(void *other, size_t size)
{
    const PyMemAllocatorEx *from = other;
    void *block = refused() ? NULL : from->malloc(from->ctx, size);
    alive += block != NULL;
    return block;
}

static void *short_calloc(void *other, size_t count, size_t size)
{
    const PyMemAllocatorEx *from = other;
    void *block = refused() ? NULL : from->calloc(from->ctx, count, size);
    alive += block != NULL;
    return block;
}

static void *short_realloc(void *other, void *block, size_t size)
{
    const PyMemAllocatorEx *from = other;
    if (!block) return short_malloc(other, size);
    return refused() ? NULL : from->realloc(from->ctx, block, size);
}

static void short_free(void *other, void *block)
{
    const PyMemAllocatorEx *from = other;
    alive -= block != NULL;
    from->free(from->ctx, block);
}

/* What the module's functions return when they get `blocks` more. */
static PyObject *call_with(PyCFunction function, long blocks)
{
    allowed = blocks;
    PyObject *result = function(NULL, NULL);
    allowed = -1;
    CHECK(!result == (PyErr_Occurred() != NULL));
    if (!result) {
        CHECK(PyErr_ExceptionMatches(PyExc_MemoryError));
        PyErr_Clear();
    }
    return result;
}

/* Python keeps some freed objects for the next. */
#define KEPT 400

static PyObject *whole_stats(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    static const hak_stats read = {
        .live_bytes = 1000,
        .classes = 2,
        .class_stats = {{.block_size = 1000}, {.block_size = 2000}},
        .kinds = 2,
        .kind_stats = {{.name = "one", .live_bytes = 1000}, {.name = "other", .live_blocks = 2000}},
    };
    return hak_py_stats_dict("name", "profile", &read);
}

/* Whichever block is refused, it is a MemoryError, and nothing is lost. */
static void memory_errors(void)
{
    static const PyCFunction functions[] = {
        whole_stats,           hak_py_control_process_stats,  hak_py_control_empty_stats,
        hak_py_control_fields, hak_py_control_process_fields, hak_py_control_options,
    };
    Py_Initialize();
    install(NULL);
    for (int d = 0; d < 2; d++) {
        PyMem_GetAllocator(domains[d], &below[d]);
        PyMemAllocatorEx ours = {&below[d], short_malloc, short_calloc, short_realloc, short_free};
        PyMem_SetAllocator(domains[d], &ours);
    }
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        PyObject *expected = call_with(functions[f], -1);
        CHECK(expected && PyObject_Length(expected) > 5);
        long blocks = 0, failures = 0;
        for (;; blocks++) {
            long before = alive;
            PyObject *result = call_with(functions[f], blocks);
            if (result) {
                CHECK(PyObject_Length(result) == PyObject_Length(expected));
                Py_DECREF(result);
                break;
            }
            failures++;
            if (blocks > 60 && blocks % 16) continue;
            for (int i = 0; i < KEPT; i++) {
                result = call_with(functions[f], blocks);
                Py_XDECREF(result);
                if (result) break; /* from what is kept */
            }
            CHECK(alive < before + KEPT);
        }
        CHECK(failures > 10);
        Py_DECREF(expected);
    }
    for (int d = 0; d < 2; d++) PyMem_SetAllocator(domains[d], &below[d]);
    CHECK(Py_FinalizeEx() == 0);
}

/* ------------------------------------------------------------------ limits and refusals */

static void limit(void)
{
    install(&(hak_py_options){.limit = 64 * MIB});
    Py_Initialize();
    run(CHURN "for _ in range(3):\n"
              "    kept = []\n"
              "    try:\n"
              "        while True: kept.append(bytes(1000))\n"
              "    except MemoryError: pass\n"
              "    else: raise SystemExit('no error')\n"
              "    assert len(kept) > 30000\n"
              "    kept.clear()\n"
              "churn(1000)\n");
    CHECK(stats().footprint_peak <= 64 * MIB);
    CHECK(Py_FinalizeEx() == 0);
}

static void wrong_options(void)
{
    refuse(&(hak_py_options){.domains = 4}, EINVAL, "accepted are HAK_PY_MEM and HAK_PY_OBJ");
    refuse(&(hak_py_options){.profile = "fast"}, EINVAL, "accepted are: speed, balanced, lean");
    refuse(&(hak_py_options){.limit = 4096}, ERANGE, "4096 bytes");
    CHECK(hak_py_installed() == 0 && !hak_py_heap());

    install(&(hak_py_options){.domains = HAK_PY_OBJ, .limit = 64 * MIB});
    Py_Initialize();
    run("kept = [[i] for i in range(50000)]\n");
    hak_py_options changes = {.profile = "lean", .limit = MIB};
    refuse(&changes, ERANGE, "in use");
    changes = (hak_py_options){.profile = "slow", .limit = 32 * MIB};
    refuse(&changes, EINVAL, "unknown profile");
    CHECK(hak_py_installed() == HAK_PY_OBJ);
    CHECK(stats().limit == 64 * MIB);
    CHECK(strcmp(hak_heap_profile(hak_py_heap()), "balanced") == 0);

    changes = (hak_py_options){.profile = "lean", .limit = 32 * MIB};
    install(&changes);
    CHECK(serves());
    CHECK(stats().limit == 32 * MIB);
    CHECK(strcmp(hak_heap_profile(hak_py_heap()), "lean") == 0);
    CHECK(Py_FinalizeEx() == 0);
}

/* ------------------------------------------------------------------ the module */

static void builtin_module(void)
{
    install(NULL);
    CHECK(!hak_py_register());
    CHECK(!hak_py_register());
    Py_Initialize();
    errno = 0;
    CHECK(hak_py_register() && errno == EBUSY);
    run("import hakmem, sys, _hakmem\n"
        "assert hakmem._hakmem is _hakmem and 'hakmem._hakmem' not in sys.modules\n"
        "assert sys.builtin_module_names.count('_hakmem') == 1\n"
        "assert set(hakmem.installed()) == {'mem', 'obj'}\n"
        "assert hakmem.install(limit=77 << 20) is False\n"
        "hakmem.profile('balanced')\n");
    CHECK(stats().limit == 77 * MIB);
    CHECK(strcmp(hak_heap_profile(hak_py_heap()), "balanced") == 0);
    run("import hakmem\n"
        "before = hakmem.stats()['live_blocks']\n"
        "kept = [[i] for i in range(10000)]\n"
        "assert hakmem.stats()['live_blocks'] > before + 10000\n"
        "hakmem.uninstall()\n");
    CHECK(hak_py_installed() == 0);
    CHECK(Py_FinalizeEx() == 0);
}

/* The package brings another copy of hakmem where the module is not registered. */
static void other_copy(void)
{
    install(NULL);
    Py_Initialize();
    run("import hakmem\n"
        "assert hakmem.installed() == ()\n"
        "try: hakmem.install()\n"
        "except RuntimeError as error: assert 'another copy' in str(error), error\n"
        "else: raise SystemExit('no error')\n"
        "assert hakmem.installed() == ()\n"
        "assert hakmem.trim() == 0 and hakmem.stats()['live_blocks'] == 0\n"
        "try: hakmem.limit(1 << 30)\n"
        "except RuntimeError: pass\n"
        "else: raise SystemExit('the heap of the other copy')\n" CHURN);
    CHECK(serves());
    CHECK(Py_FinalizeEx() == 0);
}

static void other_copy_first(void)
{
    Py_Initialize();
    run("import hakmem\nhakmem.install()\n" CHURN);
    refuse(NULL, EBUSY, "another copy");
    CHECK(hak_py_installed() == 0 && !hak_py_heap());
    run("churn(2000)\n");
    CHECK(Py_FinalizeEx() == 0);
}

/* ------------------------------------------------------------------ interpreters */

static void sub_interpreter(void)
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
static void locked(void)
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
static void locked_while_observed(void)
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
    PyEval_RestoreThread(((other *)context)->interpreter);
    run(CHURN "try: import _hakmem\n"
              "except ImportError: pass\n"
              "else: raise SystemExit('objects of one GIL under another')\n");
    while (!atomic_load(&stop)) run("churn(500)\n");
    Py_EndInterpreter(((other *)context)->interpreter);
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

static void own_gils(void)
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

static void installed_beside_own_gils(void)
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

static void observed_beside_own_gils(void)
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
static void fork_beside_own_gils(void)
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

/* ------------------------------------------------------------------ which */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"before_initialize", before_initialize},
    {"after_preinitialize", after_preinitialize},
    {"after_initialize", after_initialize},
    {"initialized_again", initialized_again},
    {"installed_again", installed_again},
    {"observed", observed},
    {"observed_calls", observed_calls},
    {"observed_below_a_hook", observed_below_a_hook},
    {"observed_again", observed_again},
    {"observed_below_a_tracer", observed_below_a_tracer},
    {"memory_errors", memory_errors},
    {"limit", limit},
    {"wrong_options", wrong_options},
    {"builtin_module", builtin_module},
    {"other_copy", other_copy},
    {"other_copy_first", other_copy_first},
    {"sub_interpreter", sub_interpreter},
    {"locked", locked},
    {"locked_while_observed", locked_while_observed},
#if PY_VERSION_HEX >= 0x030c0000
    {"own_gils", own_gils},
    {"installed_beside_own_gils", installed_beside_own_gils},
    {"observed_beside_own_gils", observed_beside_own_gils},
    {"fork_beside_own_gils", fork_beside_own_gils},
#endif
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(argv[1], cases[i].name) != 0) continue;
        cases[i].run();
        return 0;
    }
    fprintf(stderr, "usage: %s case\n", argv[0]);
    return 2;
}
