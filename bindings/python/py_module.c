/* Initialization of the module in an interpreter. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <string.h>

#include "py_control.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t one_at_a_time;

/* Recursive: an import hook that runs meanwhile may import the module too. */
static void prepare(void)
{
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&one_at_a_time, &recursive);
    pthread_mutexattr_destroy(&recursive);
}

/* PyType_FromSpec, for SWIG's types. SWIG 4.3 gives them names without a module. CPython
 * warns of such a type, and where that warning is an error, SWIG's init function goes on with a
 * null pointer. The names are static: before 3.11 a type keeps a pointer to its own. */
PyObject *hak__py_swig_type(PyType_Spec *spec)
{
    static const char module[] = "hakmem._hakmem.";
    static const char *const names[] = {"hakmem._hakmem.swigvarlink", "hakmem._hakmem.SwigPyObject",
                                        "hakmem._hakmem.SwigPyPacked"};
    PyType_Spec named = *spec;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(names[i] + sizeof(module) - 1, spec->name) == 0) named.name = names[i];
    }
    return PyType_FromSpec(&named);
}

/* The module's objects belong to one GIL. CPython refuses such a module in an interpreter with its
 * own GIL. But 3.12 does so only after the module is made, and not at all for built-in modules: the
 * check is made here. 3.13 first makes the module in the main interpreter. It holds that one's GIL,
 * but may release it meanwhile, and SWIG's init function must not run twice at a time: hence the
 * mutex. */
PyMODINIT_FUNC PyInit__hakmem(void)
{
#if PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030d0000
    PyAPI_FUNC(int) _PyImport_CheckSubinterpIncompatibleExtensionAllowed(const char *name);
    if (_PyImport_CheckSubinterpIncompatibleExtensionAllowed("_hakmem") < 0) return NULL;
#endif
    pthread_once(&once, prepare);
    PyThreadState *state = PyEval_SaveThread();
    pthread_mutex_lock(&one_at_a_time);
    PyEval_RestoreThread(state);
    PyObject *module = hak__py_swig_init();
    pthread_mutex_unlock(&one_at_a_time);
#ifdef Py_GIL_DISABLED
    /* SWIG before 4.3 does not say so itself, and from 4.4 on returns a definition, which does. */
    if (module && PyModule_Check(module)) PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    return module;
}
