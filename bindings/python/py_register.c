/* The control surface as a built-in module. A file of its own, so that a program that does not give
 * it to its scripts does not link it. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <string.h>

#include "hakmem_python.h"

#define NAME "_hakmem"

PyMODINIT_FUNC PyInit__hakmem(void);

/* The module's objects belong to one GIL. CPython refuses such modules to an interpreter with a GIL
 * of its own, but 3.12 forgets to do it for built-in ones. */
static PyObject *init(void)
{
#if PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030d0000
    PyAPI_FUNC(int) _PyImport_CheckSubinterpIncompatibleExtensionAllowed(const char *name);
    if (_PyImport_CheckSubinterpIncompatibleExtensionAllowed(NAME) < 0) return NULL;
#endif
    return PyInit__hakmem();
}

const char *hak_py_register(void)
{
    if (Py_IsInitialized()) {
        errno = EBUSY;
        return "Python is initialized already; built-in modules are registered before";
    }
    for (const struct _inittab *module = PyImport_Inittab; module->name; module++) {
        if (strcmp(module->name, NAME) == 0) return NULL;
    }
    if (PyImport_AppendInittab(NAME, init) == 0) return NULL;
    errno = ENOMEM;
    return "not enough memory for the table of built-in modules";
}
