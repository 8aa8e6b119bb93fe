#include "embed.h"

#include <errno.h>

void run(const char *program)
{
    CHECK(PyRun_SimpleString(program) == 0);
}

void install(const hak_py_options *options)
{
    const char *failure = hak_py_install(options);
    if (failure) fprintf(stderr, "%s\n", failure);
    CHECK(!failure);
}

void refuse(const hak_py_options *options, int error, const char *reason)
{
    errno = 0;
    const char *failure = hak_py_install(options);
    CHECK(failure && strstr(failure, reason));
    CHECK(errno == error);
}

void preinitialize(void)
{
    PyPreConfig config;
    PyPreConfig_InitPythonConfig(&config);
    CHECK(!PyStatus_Exception(Py_PreInitialize(&config)));
}

hak_stats stats(void)
{
    hak_stats read;
    bool entered = hak_py_enter();
    hak_heap_stats(hak_py_heap(), &read);
    hak_py_leave(entered);
    return read;
}

bool serves(void)
{
    void *object = PyObject_Malloc(100), *buffer = PyMem_Malloc(100);
    bool ours = hak_heap_owns(hak_py_heap(), object) && hak_heap_owns(hak_py_heap(), buffer);
    PyObject_Free(object);
    PyMem_Free(buffer);
    return ours && hak_py_installed() == (HAK_PY_MEM | HAK_PY_OBJ);
}

const PyMemAllocatorDomain domains[2] = {PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

bool same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc == b->malloc && a->calloc == b->calloc &&
           a->realloc == b->realloc && a->free == b->free;
}

const hak_observations *told(void)
{
    return hak_heap_observations(hak_py_heap());
}
