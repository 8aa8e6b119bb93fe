/* What an observed heap tells, found again by tests. */
#ifndef HAK_TEST_TOLD_H
#define HAK_TEST_TOLD_H

#include "support.h"

/* The place of a number in a histogram of powers of two. */
unsigned power_of(uint64_t number);

/* What is told of blocks of that size; NULL: nothing. */
const hak_class_observations *class_told(const hak_observations *told, size_t block_size);

/* The text of the trace; the caller frees it. */
char *trace_of(hak_heap *heap);

#endif
