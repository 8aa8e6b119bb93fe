/* A sink that makes dicts and lists of statistics. */
#ifndef HAK_PY_DICTS_H
#define HAK_PY_DICTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "os/os.h"

typedef struct hak_py_dicts {
    hak_sink sink;                  /* must be first */
    PyObject *open[HAK_SINK_DEPTH]; /* open dicts and lists, outermost first; owned by the
                                     * outermost */
    unsigned depth;
    PyObject *made; /* the outermost, owned; NULL with an exception after a failure */
} hak_py_dicts;

hak_py_dicts hak__py_dicts(void);

#endif
