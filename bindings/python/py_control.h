/* What only Python has of the control surface; hakmem.i has the rest. */
#ifndef HAK_PY_CONTROL_H
#define HAK_PY_CONTROL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "hakmem_python.h"

#define HAK_PY_NOT_INSTALLED "hakmem is not installed, call hakmem.install() first"

/* The module; and what SWIG made of hakmem.i, which only that calls. */
PyMODINIT_FUNC PyInit__hakmem(void);
PyObject *hak__py_swig_init(void);

/* install(domains: int, profile: str | None, limit: int) -> bool: whether anything was taken over
 */
PyObject *hak_py_control_install(PyObject *self, PyObject *args);
PyObject *hak_py_control_uninstall(PyObject *self, PyObject *args);
/* -> int, the domains as bits */
PyObject *hak_py_control_installed(PyObject *self, PyObject *args);
/* For gc.callbacks: after a full collection, gives back what the profile lets go. In C, since it is
 * called twice for each of the small collections too. */
PyObject *hak_py_control_after_collection(PyObject *self, PyObject *args);
/* -> bool, whether there ever was an installation */
PyObject *hak_py_control_has_heap(PyObject *self, PyObject *args);
/* -> dict, the statistics before one */
PyObject *hak_py_control_empty_stats(PyObject *self, PyObject *args);
/* -> int, the blocks handed out */
PyObject *hak_py_control_live_blocks(PyObject *self, PyObject *args);
/* -> [(name, unit, help), …] of the statistics */
PyObject *hak_py_control_fields(PyObject *self, PyObject *args);

/* -> the same of the statistics of the process */
PyObject *hak_py_control_process_fields(PyObject *self, PyObject *args);
/* -> dict */
PyObject *hak_py_control_process_stats(PyObject *self, PyObject *args);
/* observe(on: int) -> bool, whether it was on before */
PyObject *hak_py_control_observe(PyObject *self, PyObject *args);
/* -> dict, what was observed */
PyObject *hak_py_control_observations(PyObject *self, PyObject *args);
/* -> [{"name": …, "variable": …, "type": …, "range": …, "help": …, "value": …, "origin": …}, …] */
PyObject *hak_py_control_options(PyObject *self, PyObject *args);

/* Whether Python was told to ignore the environment (-E, -I). */
bool hak_py_control_ignores_environment(void);

/* Statistics of a heap with this name and profile as a dict; NULL with an exception. */
PyObject *hak_py_stats_dict(const char *name, const char *profile, const hak_stats *stats);

#endif
