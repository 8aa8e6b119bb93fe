/* The control surface as a built-in module. In its own file, so that programs which do not call
 * this do not link it. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <string.h>

#include "hakmem_python.h"
#include "py_control.h"

#define NAME "_hakmem"

const char *hak_py_register(void)
{
    if (Py_IsInitialized()) {
        errno = EBUSY;
        return "Python is initialized already; built-in modules are registered before";
    }
    for (const struct _inittab *module = PyImport_Inittab; module->name; module++) {
        if (strcmp(module->name, NAME) == 0) return NULL;
    }
    if (PyImport_AppendInittab(NAME, PyInit__hakmem) == 0) return NULL;
    errno = ENOMEM;
    return "not enough memory for the table of built-in modules";
}
