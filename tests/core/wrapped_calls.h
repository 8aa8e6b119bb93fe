/* The system calls that the linker may wrap for a test (`ld --wrap`): what the system has, and what
 * takes its place. Which are wrapped for which test is said in tests/core/wrapped.mk, and for the
 * fuzzer in tests/fuzz/fuzz.mk. */
#ifndef HAK_TEST_WRAPPED_CALLS_H
#define HAK_TEST_WRAPPED_CALLS_H

#include <stddef.h>
#include <sys/types.h>

void *__real_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset);
int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);
void *__real_mremap(void *at, size_t size, size_t new_size, int flags, void *to);
void *__wrap_mremap(void *at, size_t size, size_t new_size, int flags, void *to);
int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);

#endif
