/* hakmem as CPython's allocator.
 *
 * The heap belongs to the Python of the process. Its one user is the thread that holds the GIL. All
 * functions here need the GIL; while Python is not initialized, there is none and they may be
 * called without it. */
#ifndef HAKMEM_PYTHON_H
#define HAKMEM_PYTHON_H

#include "hakmem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* CPython's domains of allocation, as bits. */
#define HAK_PY_MEM 1u /* PyMem_Malloc: buffers */
#define HAK_PY_OBJ 2u /* PyObject_Malloc: objects */
#define HAK_PY_RAW 4u /* PyMem_RawMalloc: what CPython needs without the GIL */

typedef struct hak_py_options {
    unsigned domains;    /* domains to take over; 0: HAK_PY_MEM and HAK_PY_OBJ,
                          * in a free-threaded CPython HAK_PY_MEM and HAK_PY_RAW */
    const char *profile; /* as in hak_heap_options */
    size_t limit;        /* bytes, as in hak_heap_options, at least 64 KiB; 0: none */
} hak_py_options;

/* Takes the domains over: their new blocks come from a heap of hakmem. Existing blocks stay with
 * the allocator that they came from, and free and realloc pass them on to it, always. `options` may
 * be NULL for the defaults and is not kept. Installing again is harmless: it adds domains not yet
 * taken over, and sets the profile and the limit if they are given.
 *
 * HAK_PY_RAW is used by any thread. So its blocks come from the heaps of hak_malloc, one for each
 * thread; the limit and the statistics of the heap do not include them. In a free-threaded CPython
 * HAK_PY_MEM is such a domain, too, and the profile is that of the heaps of threads.
 *
 * Active debug hooks and tracemalloc stay above hakmem and go on working.
 *
 * To be called from the main interpreter, or before Py_Initialize. Not before Py_PreInitialize: it
 * sets the allocators itself if PYTHONMALLOC is set or in development mode. This holds each time
 * Python is initialized. (From 3.12 on CPython resets its allocators when it is initialized again.
 * If hak_py_install is not called again, ours come back during Py_Initialize.)
 *
 * With glibc, the free memory of malloc goes back to the OS (malloc_trim): little of it will be
 * asked for again, and it would stay resident.
 *
 * Returns NULL on success. On failure nothing has changed; returns a message, valid until the next
 * call, and errno is
 *   EINVAL   a domain or a profile is unknown
 *   ERANGE   the limit is below the bytes in use, or below 64 KiB
 *   ENOMEM   memory is exhausted
 *   EPERM    not the main interpreter
 *   EBUSY    another allocator hook is in place, perhaps another copy of hakmem; or, from 3.12 on,
 *            other interpreters exist, which may run in other threads. (A hook in one object with
 *            CPython's allocators is not seen if it has no context, or that of tracemalloc's form.)
 *   ENOTSUP  HAK_PY_OBJ or a limit in a free-threaded CPython, whose collector needs its own
 *            allocator for objects; a profile other than the build's fixed one; or pages of the
 *            kernel above 4 KiB */
HAK_API const char *hak_py_install(const hak_py_options *options);

/* New blocks come from the previous allocators again. Blocks of hakmem are still
 * recognized and freed. */
HAK_API void hak_py_uninstall(void);

/* The domains taken over, as bits; 0: none. */
HAK_API unsigned hak_py_installed(void);

/* Begins to observe the heap (hakmem.h, "observing"), or ends it, by exchanging the functions in
 * CPython's table: an unobserved heap runs the usual functions. May be called at any time after
 * installation, any number of times; uninstalling does not end it. Ending is harmless if hakmem is
 * not installed.
 *
 * Returns NULL on success. On failure nothing has changed; returns a message, valid until the next
 * call, and errno is EINVAL (hakmem is not installed), ENOMEM, or EBUSY (a foreign hook lies around
 * ours).
 *
 * Must not be called between hak_py_enter and hak_py_leave. hak_heap_observations and its
 * companions, which read the counts, must be. */
HAK_API const char *hak_py_observe(bool on);

/* Whether the heap is observed. */
HAK_API bool hak_py_observing(void);

/* The heap; NULL before the first installation. It lives as long as the process. hakmem.h's
 * functions may be called with it; between hak_py_enter and hak_py_leave if there are interpreters
 * with their own GIL. */
HAK_API hak_heap *hak_py_heap(void);

/* Locks out interpreters with other GILs until hak_py_leave, which takes the value that
 * hak_py_enter returned. In between, nothing may be called that could allocate in Python. */
HAK_API bool hak_py_enter(void);
HAK_API void hak_py_leave(bool entered);

/* Gives scripts control of this heap: a built-in module `_hakmem`. The package `hakmem` uses it
 * instead of its own extension module, which would be another copy of hakmem. To be called before
 * Py_Initialize, each time Python is initialized. Returns NULL on success; on failure a message,
 * with errno EBUSY (Python is initialized already) or ENOMEM. */
HAK_API const char *hak_py_register(void);

#ifdef __cplusplus
}
#endif
#endif
