/* hakmem as CPython's allocator.
 *
 * The heap belongs to the interpreter: whoever holds the GIL is its one user. Nothing here may be
 * called without it, but before Py_Initialize, when there is none yet. */
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
    size_t limit;        /* as in hak_heap_options */
} hak_py_options;

/* Takes the domains over: from now on their new blocks come from a heap of hakmem, while blocks
 * that exist stay with the allocator they came from, for free and for realloc, always. `options`
 * may be NULL for the defaults and is not kept. Installing again is harmless, adds the domains that
 * are not taken over yet, and sets a profile and a limit that are given.
 *
 * Below the interpreter's debug hooks and tracemalloc, if they are active, so that they go on
 * working.
 *
 * Before Py_Initialize (but after Py_PreInitialize, which sets allocators itself when
 * PYTHONMALLOC is set) or later, from the main interpreter.
 *
 * Returns NULL, or else why it could not be done, and then nothing has changed. */
HAK_API const char *hak_py_install(const hak_py_options *options);

/* New blocks come from the previous allocators again; ours are still known and freed. */
HAK_API void hak_py_uninstall(void);

/* The domains that are taken over, as bits; 0: none. */
HAK_API unsigned hak_py_installed(void);

/* The heap; NULL before the first installation. It lives as long as the process. */
HAK_API hak_heap *hak_py_heap(void);

#ifdef __cplusplus
}
#endif
#endif
