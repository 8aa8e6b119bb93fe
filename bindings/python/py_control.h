/* The functions of `_hakmem` that only Python has; hakmem.i has those common to all languages. */
#ifndef HAK_PY_CONTROL_H
#define HAK_PY_CONTROL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "hakmem_python.h"

#define HAK_PY_NOT_INSTALLED "hakmem is not installed, call hakmem.install() first"

/* The init function of the module, the one that SWIG makes of hakmem.i, which the first calls, and
 * what that one makes its types with. */
PyMODINIT_FUNC PyInit__hakmem(void);
PyObject *hak__py_swig_init(void);
PyObject *hak__py_swig_type(PyType_Spec *spec);

/* install(domains: int, profile: str | None, limit: int) -> bool: whether any
 * domain was taken over */
PyObject *hak_py_control_install(PyObject *self, PyObject *args);
PyObject *hak_py_control_uninstall(PyObject *self, PyObject *args);
/* -> int, the domains as bits */
PyObject *hak_py_control_installed(PyObject *self, PyObject *args);
/* For gc.callbacks: after a full collection, purges what the profile does not retain. In C, since
 * it is called twice for each small collection too. */
PyObject *hak_py_control_after_collection(PyObject *self, PyObject *args);
/* -> bool, whether hakmem was ever installed */
PyObject *hak_py_control_has_heap(PyObject *self, PyObject *args);
/* -> dict, the statistics before any installation */
PyObject *hak_py_control_empty_stats(PyObject *self, PyObject *args);
/* -> int, the live blocks */
PyObject *hak_py_control_live_blocks(PyObject *self, PyObject *args);
/* -> [(name, unit, help), …] of the heap's statistics */
PyObject *hak_py_control_fields(PyObject *self, PyObject *args);

/* -> [(name, unit, help), …] of the process's statistics, and of those of thread heaps */
PyObject *hak_py_control_process_fields(PyObject *self, PyObject *args);
PyObject *hak_py_control_thread_fields(PyObject *self, PyObject *args);
/* -> dict */
PyObject *hak_py_control_process_stats(PyObject *self, PyObject *args);
/* observe(on: int) -> bool, whether the heap was observed before */
PyObject *hak_py_control_observe(PyObject *self, PyObject *args);
/* -> dict, the observations */
PyObject *hak_py_control_observations(PyObject *self, PyObject *args);
/* -> [{"name": …, "variable": …, "type": …, "range": …, "help": …, "value": …, "origin": …}, …] */
PyObject *hak_py_control_options(PyObject *self, PyObject *args);

/* Whether Python ignores the environment (-E, -I). */
bool hak_py_control_ignores_environment(void);

/* The statistics of a heap, and of thread heaps, as a dict; NULL with an exception. */
PyObject *hak_py_stats_dict(const char *name, const char *profile, const hak_stats *stats);
PyObject *hak_py_thread_stats_dict(const hak_threads_stats *stats);

#endif
