/* The functions of domains that any thread uses, over the heaps of threads: the raw domain, and
 * without the GIL the domain of buffers too. */
#ifndef HAK_PY_RAW_H
#define HAK_PY_RAW_H

#include "py_alloc.h"

#ifdef Py_GIL_DISABLED
#define HAK_PY_FREE_THREADED true
#else
#define HAK_PY_FREE_THREADED false
#endif

/* Whether a domain is such a one. */
static inline bool hak__py_is_by_thread(int domain)
{
    return HAK_PY_FREE_THREADED || domain == HAK_PY_DOMAIN_RAW;
}

/* The functions of such a domain. Their context is the heap of the other domains; that of
 * `adapter`, from which they find the previous allocator. */
PyMemAllocatorEx hak__py_raw_functions(const hak_py_adapter *adapter, int domain);

#endif
