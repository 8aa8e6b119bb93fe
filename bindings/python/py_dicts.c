#include "py_dicts.h"

/* Adds `value` and releases the reference to it. If it is NULL, with an exception set, or cannot be
 * added, everything is dropped, and later entries are skipped. */
static void add(hak_sink *sink, const char *name, PyObject *value)
{
    hak_py_dicts *to = (hak_py_dicts *)sink;
    PyObject *open = to->open[to->depth - 1];
    bool done =
        value && (name ? PyDict_SetItemString(open, name, value) : PyList_Append(open, value)) == 0;
    Py_XDECREF(value);
    if (!done) Py_CLEAR(to->made);
}

static void begin(hak_sink *sink, const char *name, hak_sink_type type, size_t entries)
{
    hak_py_dicts *to = (hak_py_dicts *)sink;
    (void)entries;
    if (to->depth > 0 && !to->made) return;
    PyObject *begun = type == HAK_SINK_LIST ? PyList_New(0) : PyDict_New();
    if (to->depth == 0) to->made = begun;
    to->open[to->depth] = begun;
    if (to->depth > 0) add(sink, name, begun);
    to->depth++;
}

static void end(hak_sink *sink)
{
    hak_py_dicts *to = (hak_py_dicts *)sink;
    if (to->made) to->depth--;
}

static void add_count(hak_sink *sink, const char *name, uint64_t count)
{
    if (((hak_py_dicts *)sink)->made) add(sink, name, PyLong_FromUnsignedLongLong(count));
}

static void add_part(hak_sink *sink, const char *name, double part)
{
    if (((hak_py_dicts *)sink)->made) add(sink, name, PyFloat_FromDouble(part));
}

static void add_text(hak_sink *sink, const char *name, const char *text)
{
    if (((hak_py_dicts *)sink)->made) add(sink, name, PyUnicode_FromString(text));
}

static void add_flag(hak_sink *sink, const char *name, bool flag)
{
    if (((hak_py_dicts *)sink)->made) add(sink, name, PyBool_FromLong(flag));
}

hak_py_dicts hak__py_dicts(void)
{
    return (hak_py_dicts){
        .sink = {begin, end, add_count, add_part, add_text, add_flag},
    };
}
