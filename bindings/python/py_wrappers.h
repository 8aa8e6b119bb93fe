/* What may lie around CPython's allocators: the debug hooks (PYTHONMALLOC=debug, -X dev) and
 * tracemalloc. Both keep the allocator below them in a structure that the context points to, and
 * put it back into the table when they end. So who wants to stay must get below them. */
#ifndef HAK_PY_WRAPPERS_H
#define HAK_PY_WRAPPERS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

/* The innermost allocator of a domain: the first that is not one of CPython's wrappers. */
void hak__py_innermost(PyMemAllocatorDomain domain, PyMemAllocatorEx *innermost);

/* Whether an innermost allocator is CPython's own. Else somebody else's hook is in place, which may
 * keep headers in its blocks, and may put back into the table what it found there. */
bool hak__py_is_cpythons_own(const PyMemAllocatorEx *innermost);

/* Replaces it, and returns what it was in `*previous`. */
void hak__py_replace_innermost(PyMemAllocatorDomain domain, const PyMemAllocatorEx *ours,
                               PyMemAllocatorEx *previous);

/* Replaces `from` by `to` wherever it lies below wrappers; false when it isn't found. */
bool hak__py_exchange(PyMemAllocatorDomain domain, const PyMemAllocatorEx *from,
                      const PyMemAllocatorEx *to);

#endif
