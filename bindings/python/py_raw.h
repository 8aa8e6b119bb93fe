/* The functions of the raw domain, over the heaps of threads. */
#ifndef HAK_PY_RAW_H
#define HAK_PY_RAW_H

#include "py_alloc.h"

/* Their context is the heap of the other domains, whose adapter knows the previous allocator. */
extern const PyMemAllocatorEx hak__py_raw_functions;

#endif
