#include "py_control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "insight/insight.h"
#include "py_alloc.h"
#include "py_dicts.h"

bool hak_py_control_ignores_environment(void)
{
    PyObject *flags = PySys_GetObject("flags"); /* borrowed */
    PyObject *flag = flags ? PyObject_GetAttrString(flags, "ignore_environment") : NULL;
    bool ignores = flag && PyObject_IsTrue(flag) == 1;
    Py_XDECREF(flag);
    PyErr_Clear();
    return ignores;
}

PyObject *hak_py_control_install(PyObject *self, PyObject *args)
{
    (void)self;
    unsigned domains;
    const char *profile;
    Py_ssize_t limit;
    if (!PyArg_ParseTuple(args, "Izn:install", &domains, &profile, &limit)) return NULL;
    unsigned before = hak_py_installed();
    hak_py_options options = {.domains = domains, .profile = profile, .limit = (size_t)limit};
    const char *failure = hak_py_install(&options);
    if (failure) {
        bool wrong = errno == EINVAL || errno == ERANGE;
        PyErr_SetString(wrong ? PyExc_ValueError : PyExc_RuntimeError, failure);
        return NULL;
    }
    return PyBool_FromLong(hak_py_installed() != before);
}

PyObject *hak_py_control_uninstall(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    hak_py_uninstall();
    Py_RETURN_NONE;
}

PyObject *hak_py_control_installed(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    return PyLong_FromUnsignedLong(hak_py_installed());
}

PyObject *hak_py_control_has_heap(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    return PyBool_FromLong(hak_py_heap() != NULL);
}

PyObject *hak_py_control_live_blocks(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    hak_stats stats = {0};
    bool entered = hak_py_enter();
    if (hak_py_heap()) hak_heap_stats(hak_py_heap(), &stats);
    hak_py_leave(entered);
    return PyLong_FromSize_t(stats.live_blocks);
}

static PyObject *list_fields(const hak_stats_field *fields, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *field = Py_BuildValue("(sss)", fields[i].name, fields[i].unit, fields[i].help);
        if (!field) Py_CLEAR(list);
        else PyList_SET_ITEM(list, (Py_ssize_t)i, field);
    }
    return list;
}

PyObject *hak_py_control_fields(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    size_t count;
    const hak_stats_field *fields = hak_stats_fields(&count);
    return list_fields(fields, count);
}

PyObject *hak_py_control_process_fields(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    size_t count;
    const hak_stats_field *fields = hak_process_stats_fields(&count);
    return list_fields(fields, count);
}

PyObject *hak_py_control_thread_fields(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    size_t count;
    const hak_stats_field *fields = hak_threads_stats_fields(&count);
    return list_fields(fields, count);
}

PyObject *hak_py_control_observe(PyObject *self, PyObject *args)
{
    (void)self;
    int on;
    if (!PyArg_ParseTuple(args, "p:observe", &on)) return NULL;
    bool before = hak_py_observing();
    const char *failure = hak_py_observe(on);
    if (!failure) return PyBool_FromLong(before);
    PyErr_SetString(errno == ENOMEM ? PyExc_MemoryError : PyExc_RuntimeError, failure);
    return NULL;
}

PyObject *hak_py_control_options(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    hak_option options[HAK_OPTIONS_MOST];
    bool entered = hak_py_enter();
    size_t count = hak_options(hak_py_heap(), options, HAK_OPTIONS_MOST);
    hak_py_leave(entered);
    hak_py_dicts dicts = hak__py_dicts();
    hak__tell_options(&dicts.sink, options, count);
    return dicts.made;
}

/* ------------------------------------------------------------------ statistics */

PyObject *hak_py_stats_dict(const char *name, const char *profile, const hak_stats *stats)
{
    hak_py_dicts dicts = hak__py_dicts();
    hak__tell_stats(&dicts.sink, name, profile, stats);
    return dicts.made;
}

PyObject *hak_py_thread_stats_dict(const hak_threads_stats *stats)
{
    hak_py_dicts dicts = hak__py_dicts();
    hak__tell_threads_stats(&dicts.sink, stats);
    return dicts.made;
}

PyObject *hak_py_control_empty_stats(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    hak_process_stats process;
    hak_process_stats_read(&process);
    hak_stats stats = {.os = process.os}; /* they are the same for any heap */
    hak_option options[HAK_OPTIONS_MOST];
    size_t count = hak_options(NULL, options, HAK_OPTIONS_MOST), i = 0;
    while (i + 1 < count && strcmp(options[i].name, "profile") != 0) i++;
    return hak_py_stats_dict(HAK_PY_HEAP_NAME, options[i].value, &stats);
}

PyObject *hak_py_control_process_stats(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    hak_py_dicts dicts = hak__py_dicts();
    hak__tell_process_stats(&dicts.sink, &stats);
    return dicts.made;
}

/* Reports a copy, since another interpreter may take the next snapshot meanwhile. */
PyObject *hak_py_control_observations(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    if (!hak_py_heap()) {
        PyErr_SetString(PyExc_RuntimeError, HAK_PY_NOT_INSTALLED);
        return NULL;
    }
    hak_observations *copy = malloc(sizeof *copy);
    if (!copy) return PyErr_NoMemory();
    bool entered = hak_py_enter();
    const hak_observations *told = hak_heap_observations(hak_py_heap());
    if (told) *copy = *told;
    hak_py_leave(entered);
    hak_py_dicts dicts = hak__py_dicts();
    if (told) hak__tell_observations(&dicts.sink, hak_heap_name(hak_py_heap()), copy);
    else PyErr_SetString(PyExc_ValueError, CONTROL_NOT_OBSERVED);
    free(copy);
    return dicts.made;
}
