/* CPython's wrappers around an allocator: the debug hooks (PYTHONMALLOC=debug, -X dev) and
 * tracemalloc. Each stores the allocator below it in a structure that its context points to, and
 * restores that allocator in the table when it ends. So a lasting replacement must be made below
 * them. */
#ifndef HAK_PY_WRAPPERS_H
#define HAK_PY_WRAPPERS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

/* The innermost allocator of a domain: the first that is not a wrapper. */
void hak__py_innermost(PyMemAllocatorDomain domain, PyMemAllocatorEx *innermost);

/* Whether an innermost allocator is CPython's own. Any other is a foreign hook: its blocks may have
 * headers, and it may restore in the table what it found there. */
bool hak__py_is_cpythons_own(const PyMemAllocatorEx *innermost);

/* Replaces the innermost allocator; the one before is in `*previous`. */
void hak__py_replace_innermost(PyMemAllocatorDomain domain, const PyMemAllocatorEx *ours,
                               PyMemAllocatorEx *previous);

/* Replaces `from` by `to` below any wrappers; false if it is not found. */
bool hak__py_exchange(PyMemAllocatorDomain domain, const PyMemAllocatorEx *from,
                      const PyMemAllocatorEx *to);

#endif
