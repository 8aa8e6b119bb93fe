#include "py_watch.h"

#include <string.h>

#include "py_wrappers.h"

#if PY_VERSION_HEX >= 0x030c0000 && !defined(Py_GIL_DISABLED)

/* ------------------------------------------------------------------ interpreters without event */

/* From 3.13 on no audit event is raised for an interpreter created without a thread state, as by
 * `_interpreters.create`. Its structure comes from the raw domain: the only block there that is
 * allocated by calloc(1, size) and is so large. A false positive only turns locking on. If our
 * functions cannot be exchanged, calloc fails. */
#define INTERPRETER_LEAST ((size_t)32 * 1024)

static PyMemAllocatorEx raw;
static const hak_py_handlers *handle;

static void *raw_calloc(void *ctx, size_t count, size_t size)
{
    bool suspect = count == 1 && size >= INTERPRETER_LEAST;
    if (suspect && !handle->another_interpreter()) return NULL;
    return raw.calloc(ctx, count, size);
}

static void watch_raw_domain(void)
{
    if (PY_VERSION_HEX < 0x030d0000) return;
    PyMemAllocatorEx watched, previous;
    hak__py_innermost(PYMEM_DOMAIN_RAW, &watched);
    if (watched.calloc == raw_calloc) return;
    raw = watched;
    watched.calloc = raw_calloc;
    hak__py_replace_innermost(PYMEM_DOMAIN_RAW, &watched, &previous);
}

/* ------------------------------------------------------------------ audit events */

static bool hooked;    /* our hook is in CPython's list */
static bool forgotten; /* Python has ended; the next event means that it was initialized again */

static int on_event(const char *event, PyObject *arguments, void *data);

static bool hook(void)
{
    if (hooked) return true;
    hooked = true; /* others' hooks, which are called meanwhile, may come here */
    hooked = PySys_AddAuditHook(on_event, NULL) == 0;
    return hooked;
}

/* Called at the end of Py_FinalizeEx, when the hooks are cleared. */
static void await_the_next_python(void)
{
    forgotten = hook();
}

static int on_event(const char *event, PyObject *arguments, void *data)
{
    (void)arguments, (void)data;
    if (forgotten) {
        forgotten = false;
        handle->initialized_again();
        watch_raw_domain();
    }
    if (strcmp(event, "cpython._PySys_ClearAuditHooks") == 0) {
        hooked = false;
        Py_AtExit(await_the_next_python);
    } else if (strcmp(event, "cpython.PyInterpreterState_New") == 0 &&
               !handle->another_interpreter()) {
        PyErr_SetString(
            PyExc_RuntimeError,
            "hakmem is not prepared for another interpreter below an unknown allocator hook");
        return -1;
    }
    return 0;
}

bool hak__py_watch(const hak_py_handlers *handlers)
{
    handle = handlers;
    if (!hook()) return false;
    watch_raw_domain();
    return true;
}

#else

bool hak__py_watch(const hak_py_handlers *handlers)
{
    (void)handlers;
    return true;
}

#endif
