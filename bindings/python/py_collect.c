/* After a collection of CPython. If the program called gc.collect(), memory goes back at once.
 * After an automatic collection, the heap keeps what the program will probably need again. */
#include <stdatomic.h>
#include <stdbool.h>

#include "heap/heap.h"
#include "py_control.h"

#define OLDEST 2 /* generation of CPython's collector; its collection is a full one */

/* What a gc callback reports. */
typedef enum gc_event {
    GC_OTHER,      /* a younger generation, or unknown */
    GC_FULL_BEGIN, /* a full collection begins */
    GC_FULL_END    /* a full collection has ended */
} gc_event;

static gc_event gc_event_of(PyObject *args)
{
    if (PyTuple_GET_SIZE(args) != 2) return GC_OTHER;
    PyObject *phase = PyTuple_GET_ITEM(args, 0), *info = PyTuple_GET_ITEM(args, 1);
    if (!PyUnicode_Check(phase) || !PyDict_Check(info)) return GC_OTHER;
    PyObject *generation = PyDict_GetItemString(info, "generation");
    int overflow;
    if (!generation || !PyLong_Check(generation) ||
        PyLong_AsLongAndOverflow(generation, &overflow) != OLDEST)
        return GC_OTHER;
    if (PyUnicode_CompareWithASCIIString(phase, "start") == 0) return GC_FULL_BEGIN;
    return PyUnicode_CompareWithASCIIString(phase, "stop") == 0 ? GC_FULL_END : GC_OTHER;
}

/* Calls a function of the module gc; NULL, without an exception, if it fails. */
static PyObject *ask_gc(const char *function)
{
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *answer = gc ? PyObject_CallMethod(gc, function, NULL) : NULL;
    Py_XDECREF(gc);
    if (!answer) PyErr_Clear();
    return answer;
}

/* Whether the entry of a generation in `counts` is above that in `thresholds`. */
static bool is_due(PyObject *counts, PyObject *thresholds, Py_ssize_t generation)
{
    if (!counts || !thresholds || !PyTuple_Check(counts) || !PyTuple_Check(thresholds))
        return false;
    if (PyTuple_GET_SIZE(counts) <= generation || PyTuple_GET_SIZE(thresholds) <= generation)
        return false;
    long count = PyLong_AsLong(PyTuple_GET_ITEM(counts, generation));
    long threshold = PyLong_AsLong(PyTuple_GET_ITEM(thresholds, generation));
    PyErr_Clear();
    return count > threshold;
}

/* Whether the full collection that begins is a call of gc.collect(). CPython starts one by itself
 * if the counts of the youngest and of the oldest generation are above their thresholds. */
static bool is_asked_for(void)
{
    PyObject *enabled = ask_gc("isenabled");
    PyObject *counts = ask_gc("get_count"), *thresholds = ask_gc("get_threshold");
    bool due =
        enabled == Py_True && is_due(counts, thresholds, 0) && is_due(counts, thresholds, OLDEST);
    Py_XDECREF(enabled);
    Py_XDECREF(counts);
    Py_XDECREF(thresholds);
    return !due;
}

PyObject *hak_py_control_after_collection(PyObject *self, PyObject *args)
{
    static atomic_bool asked; /* the collection that has begun is a call */
    (void)self;
    gc_event event = hak_py_heap() ? gc_event_of(args) : GC_OTHER;
    if (event == GC_OTHER) Py_RETURN_NONE;
    if (event == GC_FULL_BEGIN) {
        asked = is_asked_for();
        Py_RETURN_NONE;
    }
    bool entered = hak_py_enter();
    hak_heap *heap = hak_py_heap();
    hak_heap_settle(heap);
    if (asked) hak__heap_rest(heap, hak__heap_learned(heap));
    asked = false;
    hak_py_leave(entered);
    Py_RETURN_NONE;
}
