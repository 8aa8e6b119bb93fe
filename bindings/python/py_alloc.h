/* The functions that CPython calls for its blocks, and their state. */
#ifndef HAK_PY_ALLOC_H
#define HAK_PY_ALLOC_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "heap/heap.h"

#define HAK_PY_HEAP_NAME "python" /* in statistics, even before there is a heap */

enum { HAK_PY_DOMAIN_MEM, HAK_PY_DOMAIN_OBJ, HAK_PY_DOMAIN_RAW, HAK_PY_DOMAINS };

/* State of the adapter: the heap's `adapter`. */
typedef struct hak_py_adapter {
    hak_heap *heap;
    PyMemAllocatorEx previous[HAK_PY_DOMAINS]; /* allocators of the blocks that are not ours */
    unsigned domains;                          /* domains taken over so far, as bits */
    bool passing;                              /* uninstalled: new blocks come from `previous` */
    bool locked;                               /* several interpreters with their own GIL share
                                                * the heap */
    bool observed;
    bool shared; /* the raw domain has been taken over */
} hak_py_adapter;

/* The set of functions in CPython's table. */
typedef enum hak_py_mode {
    HAK_PY_PLAIN,
    HAK_PY_SHARED,   /* the raw domain is taken over too */
    HAK_PY_LOCKED,   /* take a lock */
    HAK_PY_OBSERVED, /* tell the observer; lock if `locked` */
    HAK_PY_MODES
} hak_py_mode;

/* A lock around every use of the heap, for interpreters with their own GIL that share it. */
void hak__py_lock(void);
void hak__py_unlock(void);

/* Registers fork handlers that take the lock: a child must not inherit it held by an interpreter
 * that it does not have. To be called before the lock is first used. */
void hak__py_lock_respects_fork(void);

/* The functions for a domain other than the raw one (py_raw.h); their context is `heap`. */
PyMemAllocatorEx hak__py_functions(hak_heap *heap, int domain, hak_py_mode mode);

#endif
