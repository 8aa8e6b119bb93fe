#include "py_watch.h"

#include <string.h>

#include "py_wrappers.h"

#if PY_VERSION_HEX >= 0x030c0000 && !defined(Py_GIL_DISABLED)

/* ------------------------------------------------------------------ interpreters without event */

/* 3.13 and later raise no audit event for an interpreter that is created without a thread state,
 * as `_interpreters.create` does. Its structure comes from the raw domain then: the one block of
 * this domain that is so large and asked for in this way. A false alarm costs a lock. Where the
 * functions cannot be exchanged, there is no memory for the interpreter. */
#define INTERPRETER_LEAST ((size_t)32 * 1024)

static PyMemAllocatorEx raw;

static void *raw_calloc(void *ctx, size_t count, size_t size)
{
    bool suspect = count == 1 && size >= INTERPRETER_LEAST;
    if (suspect && !hak__py_lock_from_now_on()) return NULL;
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
static bool forgotten; /* Python has ended; when events come again, so has it */

static int on_event(const char *event, PyObject *arguments, void *data);

static bool hook(void)
{
    if (!hooked) hooked = PySys_AddAuditHook(on_event, NULL) == 0;
    return hooked;
}

/* At the end of Py_FinalizeEx, when the hooks are gone. */
static void await_the_next_python(void)
{
    forgotten = hook();
}

static int on_event(const char *event, PyObject *arguments, void *data)
{
    (void)arguments, (void)data;
    if (forgotten) {
        forgotten = false;
        hak__py_take_over_again();
        watch_raw_domain();
    }
    if (strcmp(event, "cpython._PySys_ClearAuditHooks") == 0) {
        hooked = false;
        Py_AtExit(await_the_next_python);
    } else if (strcmp(event, "cpython.PyInterpreterState_New") == 0 &&
               !hak__py_lock_from_now_on()) {
        PyErr_SetString(
            PyExc_RuntimeError,
            "hakmem is not prepared for another interpreter below an unknown allocator hook");
        return -1;
    }
    return 0;
}

bool hak__py_watch(void)
{
    if (!hook()) return false;
    watch_raw_domain();
    return true;
}

#else

bool hak__py_watch(void)
{
    return true;
}

#endif
