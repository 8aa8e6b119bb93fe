/* hakmem as CPython's allocator.
 *
 * The heap belongs to the process's Python: whoever holds the GIL is its one user. Nothing here may
 * be called without it, but while Python is not initialized, when there is none. */
#ifndef HAKMEM_PYTHON_H
#define HAKMEM_PYTHON_H

#include "hakmem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* CPython's domains of allocation, as bits. */
#define HAK_PY_MEM 1u /* PyMem_Malloc: buffers */
#define HAK_PY_OBJ 2u /* PyObject_Malloc: objects */

typedef struct hak_py_options {
    unsigned domains;    /* which to take over; 0: both */
    const char *profile; /* as in hak_heap_options */
    size_t limit;        /* as in hak_heap_options, but at least 64 KiB */
} hak_py_options;

/* Takes the domains over: from now on their new blocks come from a heap of hakmem, while blocks
 * that exist stay with the allocator they came from, for free and for realloc, always. `options`
 * may be NULL for the defaults and is not kept. Installing again is harmless, adds the domains that
 * are not taken over yet, and sets a profile and a limit that are given.
 *
 * Below the interpreter's debug hooks and tracemalloc, if they are active, so that they go on
 * working.
 *
 * To be called from the main interpreter, or before Py_Initialize; but not before Py_PreInitialize,
 * which sets allocators itself when PYTHONMALLOC is set or in development mode. That holds each
 * time Python is initialized. (CPython from 3.12 on forgets allocators when it is initialized
 * again. Where hak_py_install is not called again, ours come back during Py_Initialize.)
 *
 * With glibc, what malloc holds free at this moment goes back to the OS (malloc_trim): little of it
 * will be asked for again, and it would stay resident.
 *
 * Returns NULL, or else a message that says why it could not be done, valid until the next call;
 * then nothing has changed, and errno is
 *   EINVAL   a domain or a profile is unknown
 *   ERANGE   the limit is below what is in use, or below the least
 *   ENOMEM   memory is exhausted
 *   EPERM    not the main interpreter
 *   EBUSY    a hook of somebody else is in place, maybe that of another copy of hakmem; or, from
 *            3.12 on, other interpreters exist, which may be running in other threads
 *   ENOTSUP  a free-threaded CPython, or another profile than the build is fixed to */
HAK_API const char *hak_py_install(const hak_py_options *options);

/* New blocks come from the previous allocators again; ours are still known and freed. */
HAK_API void hak_py_uninstall(void);

/* The domains that are taken over, as bits; 0: none. */
HAK_API unsigned hak_py_installed(void);

/* Begins to observe the heap (hakmem.h, "observing"), or ends it, by exchanging the functions in
 * CPython's table: without it they are the same as ever. At any time after installation, and as
 * often as one likes; uninstalling does not end it. Returns NULL, or else a message that says why
 * it could not be done, valid until the next call; then nothing has changed, and errno is EINVAL
 * (hakmem is not installed), ENOMEM, or EBUSY (a hook of somebody else lies around ours). Ending it
 * where nothing is installed is harmless. Not to be called between hak_py_enter and hak_py_leave;
 * hak_heap_observations and its companions, which tell what was counted, are called there. */
HAK_API const char *hak_py_observe(bool on);

/* Whether the heap is observed. */
HAK_API bool hak_py_observing(void);

/* The heap; NULL before the first installation. It lives as long as the process. hakmem.h's
 * functions may be called with it, and between hak_py_enter and hak_py_leave where interpreters
 * with a GIL of their own exist. */
HAK_API hak_heap *hak_py_heap(void);

/* Keeps interpreters with other GILs away from the heap until hak_py_leave, which is given what
 * hak_py_enter returned. In between, nothing may be called that could allocate in Python. */
HAK_API bool hak_py_enter(void);
HAK_API void hak_py_leave(bool entered);

/* Gives scripts the control of this heap: a built-in module `_hakmem`, which the package `hakmem`
 * uses instead of its own extension module, that would be another copy of hakmem. To be called
 * before Py_Initialize, each time Python is initialized. Returns NULL, or else a message that says
 * why it could not be done, with errno EBUSY (Python is initialized already) or ENOMEM. */
HAK_API const char *hak_py_register(void);

#ifdef __cplusplus
}
#endif
#endif
