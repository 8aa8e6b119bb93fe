/* What the cases of a program that embeds Python share. A check that fails ends the program with
 * status 1. */
#ifndef HAK_TEST_EMBED_H
#define HAK_TEST_EMBED_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hakmem_python.h"

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                                 \
        }                                                                             \
    } while (0)

#define MIB ((size_t)1 << 20)

#define CHURN                                                                             \
    "def churn(n):\n"                                                                     \
    "    kept = [{'a': i, 'b': [i] * 5, 'c': str(i) * 10} for i in range(n)]\n"           \
    "    assert all(e['a'] == i and e['c'] == str(i) * 10 for i, e in enumerate(kept))\n" \
    "churn(2000)\n"

/* Runs Python code; it must raise nothing. */
void run(const char *program);

/* Installs hakmem by these options; or requires that this fails with errno `error`, and a message
 * that contains `reason`. */
void install(const hak_py_options *options);
void refuse(const hak_py_options *options, int error, const char *reason);

void preinitialize(void);

/* The statistics of Python's heap. */
hak_stats stats(void);

/* Whether new blocks of Python's come from the heap. */
bool serves(void);

/* Whether two allocators are the same; and those of the domains that hakmem serves. */
bool same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b);
extern const PyMemAllocatorDomain domains[2];

/* What is observed of the heap; NULL: nothing. */
const hak_observations *told(void);

#endif
