/* The functions CPython calls for its blocks, and the little they need to know. */
#ifndef HAK_PY_ALLOC_H
#define HAK_PY_ALLOC_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "heap/heap.h"

#define HAK_PY_HEAP_NAME "python" /* in statistics; also before there is a heap */

enum { HAK_PY_DOMAIN_MEM, HAK_PY_DOMAIN_OBJ, HAK_PY_DOMAINS };

/* Beside the heap, in its `adapter`. */
typedef struct hak_py_adapter {
    hak_heap *heap;
    PyMemAllocatorEx previous[HAK_PY_DOMAINS]; /* of the blocks that are not ours */
    unsigned domains;                          /* taken over so far, as bits */
    bool passing;                              /* uninstalled: new blocks come from `previous` */
    bool locked;                               /* several interpreters with a GIL each */
    bool observed;
} hak_py_adapter;

/* Which of the functions are in CPython's table. */
typedef enum hak_py_mode {
    HAK_PY_PLAIN,
    HAK_PY_LOCKED,   /* take a lock */
    HAK_PY_OBSERVED, /* tell the observer; take the lock where it is needed */
    HAK_PY_MODES
} hak_py_mode;

/* Taken around every use of the heap when interpreters with a GIL each share it. */
void hak__py_lock(void);
void hak__py_unlock(void);

/* To be called before the lock comes into use: a fork by one interpreter never finds it held by
 * another, which the child does not have. */
void hak__py_lock_respects_fork(void);

/* The functions for a domain over `heap`. */
PyMemAllocatorEx hak__py_functions(hak_heap *heap, int domain, hak_py_mode mode);

#endif
