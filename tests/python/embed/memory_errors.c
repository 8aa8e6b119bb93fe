/* Calls where there is no memory, and limits. */
#include "cases.h"

#include <errno.h>

#include "py_control.h"

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
void memory_errors(void)
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

void limit(void)
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

/* A block can become smaller where there is no memory for another: here of each slab one does, so
 * that none gets empty. */
void smaller_at_the_limit(void)
{
    enum { SIZE = 1000, LESS = 700, STEP = 37, MOST = 32 << 10 };
    static unsigned char *blocks[MOST];
    int count = 0;
    install(&(hak_py_options){.limit = 16 * MIB});
    while (count < MOST && (blocks[count] = PyMem_Malloc(SIZE))) {
        memset(blocks[count], count % 251, SIZE);
        count++;
    }
    CHECK(count > 10000 && count < MOST);
    for (int i = 0; i < count; i += STEP) {
        blocks[i] = PyMem_Realloc(blocks[i], LESS);
        CHECK(blocks[i]);
        for (int k = 0; k < LESS; k++) CHECK(blocks[i][k] == i % 251);
    }
    for (int i = 0; i < count; i++) PyMem_Free(blocks[i]);
    CHECK(stats().live_blocks == 0);
}

void wrong_options(void)
{
    refuse(&(hak_py_options){.domains = 8}, EINVAL, "HAK_PY_MEM, HAK_PY_OBJ and HAK_PY_RAW");
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
