/* How the control surface looks in Python. */

/* py_module.c has the module's own function, and makes the types. A free-threaded CPython stays so when it
 * imports the module: install() refuses there, so no function has a heap to look into. */
%begin %{
#include "py_control.h"
#define PyInit__hakmem hak__py_swig_init
#define PyType_FromSpec hak__py_swig_type
#define SWIGPYTHON_NOGIL
%}

%{
#include "heap/heap.h"

#define CONTROL_ENTER bool entered = hak_py_enter();
#define CONTROL_LEAVE hak_py_leave(entered);

#define CONTROL_RAISE(message)                                                                     \
    do {                                                                                           \
        PyErr_SetString(PyExc_ValueError, message);                                                \
        SWIG_fail;                                                                                 \
    } while (0)
%}

/* As it ignores its own variables, with -E or -I. */
%init %{
    if (hak_py_control_ignores_environment()) hak__environment_ignore();
%}

%native(install) PyObject *hak_py_control_install(PyObject *self, PyObject *args);
%native(uninstall) PyObject *hak_py_control_uninstall(PyObject *self, PyObject *args);
%native(installed) PyObject *hak_py_control_installed(PyObject *self, PyObject *args);
%native(after_collection) PyObject *hak_py_control_after_collection(PyObject *self, PyObject *args);
%native(has_heap) PyObject *hak_py_control_has_heap(PyObject *self, PyObject *args);
%native(empty_stats) PyObject *hak_py_control_empty_stats(PyObject *self, PyObject *args);
%native(live_blocks) PyObject *hak_py_control_live_blocks(PyObject *self, PyObject *args);
%native(fields) PyObject *hak_py_control_fields(PyObject *self, PyObject *args);
%native(thread_fields) PyObject *hak_py_control_thread_fields(PyObject *self, PyObject *args);
%native(process_fields) PyObject *hak_py_control_process_fields(PyObject *self, PyObject *args);
%native(process_stats) PyObject *hak_py_control_process_stats(PyObject *self, PyObject *args);
%native(observe) PyObject *hak_py_control_observe(PyObject *self, PyObject *args);
%native(observations) PyObject *hak_py_control_observations(PyObject *self, PyObject *args);
%native(options) PyObject *hak_py_control_options(PyObject *self, PyObject *args);

/* The heap of the interpreter is no argument. */
%typemap(in, numinputs=0) hak_heap *current
{
    $1 = hak_py_heap();
    if (!$1) {
        PyErr_SetString(PyExc_RuntimeError, HAK_PY_NOT_INSTALLED);
        SWIG_fail;
    }
}

%typemap(out) double control_limit
{
    $result = PyLong_FromDouble($1);
}

%typemap(argout) hak_threads_stats *stats
{
    Py_DECREF($result);
    $result = hak_py_thread_stats_dict($1);
}

%typemap(argout) hak_stats *stats
{
    Py_DECREF($result);
    hak_heap *heap = hak_py_heap();
    $result = hak_py_stats_dict(hak_heap_name(heap), hak_heap_profile(heap), $1);
}

%rename(profile_names) hak_profile_names;
const char *hak_profile_names(void);

/* What a limit can be at most, in bytes. */
%constant long long size_max = CONTROL_SIZE_MAX;

/* Larger blocks are of whole pages. */
%constant int slab_block_max = HAK_MEDIUM_MAX;
