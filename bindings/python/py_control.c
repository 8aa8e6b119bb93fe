#include "py_control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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
    bool anew = (hak_py_installed() & domains) != domains;
    hak_py_options options = {.domains = domains, .profile = profile, .limit = (size_t)limit};
    const char *failure = hak_py_install(&options);
    if (failure) {
        bool wrong = errno == EINVAL || errno == ERANGE;
        PyErr_SetString(wrong ? PyExc_ValueError : PyExc_RuntimeError, failure);
        return NULL;
    }
    return PyBool_FromLong(anew);
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

PyObject *hak_py_control_empty_stats(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    hak_process_stats process;
    hak_process_stats_read(&process);
    hak_stats stats = {.os = process.os}; /* which are those of the process */
    return hak_py_stats_dict(&stats);
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
    enum { MOST = 32 };
    hak_option options[MOST];
    bool entered = hak_py_enter();
    size_t count = hak_options(hak_py_heap(), options, MOST);
    hak_py_leave(entered);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        const hak_option *o = &options[i];
        PyObject *entry = Py_BuildValue("(sssssss)", o->name, o->variable, o->type, o->range,
                                        o->help, o->value, o->origin);
        if (!entry) Py_CLEAR(list);
        else PyList_SET_ITEM(list, (Py_ssize_t)i, entry);
    }
    return list;
}

/* Adds a number to a dict; false with an exception set. */
static bool set_count(PyObject *dict, const char *name, uint64_t count)
{
    PyObject *number = PyLong_FromUnsignedLongLong(count);
    bool done = number && PyDict_SetItemString(dict, name, number) == 0;
    Py_XDECREF(number);
    return done;
}

/* Adds `value` to a dict and gives up the reference to it. */
static bool set_object(PyObject *dict, const char *name, PyObject *value)
{
    bool done = value && PyDict_SetItemString(dict, name, value) == 0;
    Py_XDECREF(value);
    return done;
}

static PyObject *os_calls(const hak_os_calls *os)
{
    return Py_BuildValue("{sK sK sK sK sK sK sK}", "mmap", os->mmap, "mprotect", os->mprotect,
                         "madvise", os->madvise, "mremap", os->mremap, "munmap", os->munmap,
                         "failed", os->failed, "total", os->total);
}

static PyObject *class_stats(const hak_class_stats *class)
{
    return Py_BuildValue("{sn sn sn sn sd}", "size", class->block_size, "live", class->live,
                         "slabs", class->slabs, "footprint", class->footprint, "fragmentation",
                         class->fragmentation);
}

static PyObject *classes(const hak_stats *stats)
{
    PyObject *list = PyList_New((Py_ssize_t)stats->classes);
    for (size_t i = 0; list && i < stats->classes; i++) {
        PyObject *class = class_stats(&stats->class_stats[i]);
        if (!class) Py_CLEAR(list);
        else PyList_SET_ITEM(list, (Py_ssize_t)i, class);
    }
    return list;
}

static bool set_fields(PyObject *dict, const void *stats, const hak_stats_field *field,
                       size_t count)
{
    bool done = true;
    for (; done && count-- > 0; field++) {
        size_t value;
        memcpy(&value, (const char *)stats + field->offset, sizeof value);
        done = set_count(dict, field->name, value);
    }
    return done;
}

static PyObject *kinds(const hak_stats *stats)
{
    PyObject *list = PyList_New((Py_ssize_t)stats->kinds);
    for (size_t i = 0; list && i < stats->kinds; i++) {
        const hak_kind_stats *of = &stats->kind_stats[i];
        PyObject *kind = Py_BuildValue("{ss sn sn}", "name", of->name, "live_bytes", of->live_bytes,
                                       "live_blocks", of->live_blocks);
        if (!kind) Py_CLEAR(list);
        else PyList_SET_ITEM(list, (Py_ssize_t)i, kind);
    }
    return list;
}

/* No entry where kinds do not lie apart. */
static bool set_kinds(PyObject *dict, const hak_stats *stats)
{
    return !stats->kinds || set_object(dict, "kinds", kinds(stats));
}

PyObject *hak_py_stats_dict(const hak_stats *stats)
{
    PyObject *dict = PyDict_New();
    if (!dict) return NULL;
    size_t count;
    const hak_stats_field *fields = hak_stats_fields(&count);
    if (set_fields(dict, stats, fields, count) &&
        set_object(dict, "fragmentation", PyFloat_FromDouble(stats->fragmentation)) &&
        set_object(dict, "os_calls", os_calls(&stats->os)) &&
        set_object(dict, "classes", classes(stats)) && set_kinds(dict, stats)) {
        return dict;
    }
    Py_DECREF(dict);
    return NULL;
}

PyObject *hak_py_control_process_stats(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    size_t count;
    hak_process_stats stats;
    const hak_stats_field *fields = hak_process_stats_fields(&count);
    hak_process_stats_read(&stats);
    PyObject *dict = PyDict_New();
    if (!dict) return NULL;
    if (set_fields(dict, &stats, fields, count) &&
        set_object(dict, "os_calls", os_calls(&stats.os))) {
        return dict;
    }
    Py_DECREF(dict);
    return NULL;
}
