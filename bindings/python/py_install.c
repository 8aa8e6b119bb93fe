/* Putting the functions into CPython's table of allocators, and below what wraps that table. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "bins.h"
#include "py_alloc.h"
#include "py_control.h"
#include "py_wrappers.h"

static hak_py_adapter adapter;

static const PyMemAllocatorDomain domain_of[HAK_PY_DOMAINS] = {
    [HAK_PY_DOMAIN_MEM] = PYMEM_DOMAIN_MEM,
    [HAK_PY_DOMAIN_OBJ] = PYMEM_DOMAIN_OBJ,
};

static const unsigned bit_of[HAK_PY_DOMAINS] = {
    [HAK_PY_DOMAIN_MEM] = HAK_PY_MEM,
    [HAK_PY_DOMAIN_OBJ] = HAK_PY_OBJ,
};

/* ------------------------------------------------------------------ several interpreters */

bool hak__py_enter(void)
{
    bool locked = adapter.locked;
    if (locked) hak__py_lock();
    return locked;
}

void hak__py_leave(bool entered)
{
    if (entered) hak__py_unlock();
}

#if PY_VERSION_HEX >= 0x030c0000 && !defined(Py_GIL_DISABLED)
/* From 3.12 on an interpreter may have a GIL of its own. */

/* Exchanges the functions for those that lock. False when they cannot be found: something unknown
 * lies around them. */
static bool lock_from_now_on(void)
{
    for (int d = 0; d < HAK_PY_DOMAINS; d++) {
        if (!(adapter.domains & bit_of[d])) continue;
        PyMemAllocatorEx from = hak__py_functions(adapter.heap, d, false);
        PyMemAllocatorEx to = hak__py_functions(adapter.heap, d, true);
        if (!hak__py_exchange(domain_of[d], &from, &to)) return false;
    }
    adapter.locked = true;
    return true;
}

static int before_an_interpreter(const char *event, PyObject *arguments, void *data)
{
    (void)arguments, (void)data;
    if (adapter.locked || !adapter.heap) return 0;
    if (strcmp(event, "cpython.PyInterpreterState_New") != 0) return 0;
    if (lock_from_now_on()) return 0;
    PyErr_SetString(
        PyExc_RuntimeError,
        "hakmem is not prepared for another interpreter below an unknown allocator hook");
    return -1;
}

/* The audit event tells of a new interpreter in time, but not where it is created without a thread
 * state, as 3.13 and later do in `_interpreters.create`. Its structure comes from the raw domain
 * then: the one block of this domain that is so large and asked for in this way. A false alarm
 * costs a lock. Where the functions cannot be exchanged, there is no memory for the interpreter. */
#define INTERPRETER_LEAST ((size_t)32 * 1024)

static PyMemAllocatorEx raw;

static void *raw_calloc(void *ctx, size_t count, size_t size)
{
    bool suspect = count == 1 && size >= INTERPRETER_LEAST;
    if (suspect && !adapter.locked && !lock_from_now_on()) return NULL;
    return raw.calloc(ctx, count, size);
}

static void watch_raw_domain(void)
{
    hak__py_innermost(PYMEM_DOMAIN_RAW, &raw);
    PyMemAllocatorEx watched = raw, previous;
    watched.calloc = raw_calloc;
    hak__py_replace_innermost(PYMEM_DOMAIN_RAW, &watched, &previous);
}

/* Whether interpreters exist beside the main one. */
static bool has_others(void)
{
    PyInterpreterState *first = PyInterpreterState_Head();
    return first && PyInterpreterState_Next(first);
}

static bool watch_interpreters(void)
{
    static bool watching;
    if (!watching) {
        watching = PySys_AddAuditHook(before_an_interpreter, NULL) == 0;
        if (watching && PY_VERSION_HEX >= 0x030d0000) watch_raw_domain();
    }
    bool others = Py_IsInitialized() && has_others();
    return watching && (!others || adapter.locked || lock_from_now_on());
}
#else
static bool watch_interpreters(void)
{
    return true; /* they share the GIL */
}
#endif

/* ------------------------------------------------------------------ installing */

static const char *heap_failure(void)
{
    return errno == EINVAL ? "unknown profile" : "not enough memory for a heap";
}

static const char *apply_options(const hak_py_options *options)
{
    if (options->profile && !hak_heap_set_profile(adapter.heap, options->profile)) {
        return heap_failure();
    }
    if (options->limit && !hak_heap_set_limit(adapter.heap, options->limit)) {
        return "the limit is below the bytes in use";
    }
    return NULL;
}

const char *hak_py_install(const hak_py_options *options)
{
#ifdef Py_GIL_DISABLED
    (void)options;
    return "this is a free-threaded CPython, whose collector needs its own allocator";
#else
    static const hak_py_options defaults;
    if (!options) options = &defaults;
    unsigned domains = options->domains ? options->domains : HAK_PY_MEM | HAK_PY_OBJ;
    if (domains & ~(HAK_PY_MEM | HAK_PY_OBJ)) return "unknown domain";
    if (Py_IsInitialized() && PyInterpreterState_Get() != PyInterpreterState_Main()) {
        return "hakmem is installed from the main interpreter only";
    }
    if (!adapter.heap) {
        adapter.heap = hak_heap_new(&(hak_heap_options){
            .profile = options->profile, .limit = options->limit, .name = "python"});
        if (!adapter.heap) return heap_failure();
        adapter.heap->adapter = &adapter;
        adapter.heap->in_order = true;
    } else {
        const char *failure = apply_options(options);
        if (failure) return failure;
    }
    if (!watch_interpreters())
        return "other interpreters cannot be watched or locked out in this process";
    for (int d = 0; d < HAK_PY_DOMAINS; d++) {
        if (!(domains & bit_of[d]) || adapter.domains & bit_of[d]) continue;
        PyMemAllocatorEx ours = hak__py_functions(adapter.heap, d, adapter.locked);
        hak__py_replace_innermost(domain_of[d], &ours, &adapter.previous[d]);
        adapter.domains |= bit_of[d];
    }
    adapter.passing = false;
    return NULL;
#endif
}

void hak_py_uninstall(void)
{
    if (!adapter.heap || adapter.passing) return;
    bool entered = hak__py_enter();
    adapter.passing = true;
    hak__bins_empty(adapter.heap);
    hak__py_leave(entered);
}

unsigned hak_py_installed(void)
{
    return adapter.passing ? 0 : adapter.domains;
}

hak_heap *hak_py_heap(void)
{
    return adapter.heap;
}
