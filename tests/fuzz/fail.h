/* How a check of the fuzz target fails: one line on stderr, and an abort, which the fuzzer takes
 * for a crash of this input. */
#ifndef FUZZ_FAIL_H
#define FUZZ_FAIL_H

#define REQUIRE(holds) REQUIRE_THAT(holds, "%s", "")
#define REQUIRE_THAT(holds, ...) \
    ((holds) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #holds, __VA_ARGS__))

_Noreturn void fuzz_fail(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define PAGE         ((size_t)4096)
#define KIB          ((size_t)1 << 10)
#define MIB          ((size_t)1 << 20)

#endif
