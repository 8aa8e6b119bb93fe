/* What the tests of core/ share: a seeded random source, patterns that tell blocks apart, what the
 * kernel says about this process, and tests that run in a child because they end it, limit it or
 * need the process-wide region to be untouched.
 *
 * REQUIRE works in the parent, in a child and in any thread of a child; cmocka's own assertions
 * jump out of the test and belong in the parent only. */
#ifndef HAK_TEST_SUPPORT_H
#define HAK_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hakmem.h"

#define KIB          ((size_t)1 << 10)
#define MIB          ((size_t)1 << 20)
#define GIB          ((size_t)1 << 30)
#define PAGE         ((size_t)4096)
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ------------------------------------------------------------------ files */

#define SUPPORT_PATH 256

/* Makes a file in $TMPDIR, else in /tmp, and puts its name into `path`; returns it open for
 * reading and writing. */
int support_temporary_file(char path[SUPPORT_PATH]);

/* ------------------------------------------------------------------ assertions */

#define REQUIRE(holds) REQUIRE_THAT(holds, "%s", "")
#define REQUIRE_THAT(holds, ...) \
    ((holds) ? (void)0 : support_fail(__FILE__, __LINE__, #holds, __VA_ARGS__))

_Noreturn void support_fail(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ------------------------------------------------------------------ builds */

/* Whether the core asserts its invariants (HAK_DEBUG), which walks free lists. */
extern const bool support_debug;

/* Whether a sanitizer is at work: it has memory and address space of its own. */
extern const bool support_sanitized;

/* Whether an emulator is in this process, which has memory of its own. */
static inline bool support_emulated(void)
{
    return getenv("EMULATOR") != NULL;
}

/* How many times shorter tests are to be: HAK_TEST_SCALE from the environment, else 1. For the fast
 * set, docs/testing.md. */
size_t support_scale(void);

/* `operations` for the release build, fewer where each costs more or support_scale asks for it. */
size_t support_scaled(size_t operations);

/* The profile `name`, or the only one where the build has it fixed; and whether it has. */
const char *support_profile(const char *name);
bool support_profile_is_fixed(void);

/* A size the compiler cannot see through, for calls that must fail. */
size_t support_size(size_t size);

/* ------------------------------------------------------------------ random numbers */

typedef struct support_random {
    uint64_t state;
} support_random;

/* HAK_TEST_SEED from the environment, else always the same; printed on first use. */
uint64_t support_seed(void);

uint64_t support_next(support_random *random);

/* 0 … `bound` - 1 */
size_t support_below(support_random *random, size_t bound);

/* ------------------------------------------------------------------ contents */

/* Fills `size` bytes with a pattern no other `stamp` gives. */
void support_fill(void *start, size_t size, uint64_t stamp);

/* How many of the first `size` bytes are as support_fill left them; `size` when all are. */
size_t support_intact(const void *start, size_t size, uint64_t stamp);

/* How many of the first `size` bytes are zero before the first that is not. */
size_t support_zeros(const void *start, size_t size);

/* Writes, or checks, one word in each page: enough to have the page, or to know it again. */
void support_fill_pages(void *start, size_t size, uint64_t stamp);
size_t support_intact_pages(const void *start, size_t size, uint64_t stamp);

/* ------------------------------------------------------------------ this process */

/* Bytes of physical memory in use now, to the page. */
size_t support_resident(void);

/* Bytes, from a field such as "VmSize:" of /proc/self/status. */
size_t support_status(const char *field);

/* Mappings in /proc/self/maps. */
size_t support_mappings(void);

/* Bytes of address space that the process has beside those that the statistics tell of. */
size_t support_others_space(void);

/* Takes the addresses that the shared region would lie at, as others might. To be called before the
 * first heap is made. No wrapped function is called. */
void support_take_places(void);

/* ------------------------------------------------------------------ statistics */

hak_stats support_stats(const hak_heap *heap);

/* All that hak_stats promises to hold at any time. */
void support_check_stats(const hak_heap *heap);

/* Checks that exactly `blocks` blocks of `bytes` usable bytes in all are live. */
void support_check_live(const hak_heap *heap, size_t blocks, size_t bytes);

/* ------------------------------------------------------------------ shapes of heaps */

/* A heap of that profile, and nothing left of what destroyed heaps have pooled. */
hak_heap *support_fresh_heap(const char *profile);

#define SUPPORT_PUNCHED_MOST ((size_t)16 * 1024) /* blocks of support_punched_slab */

/* Brings a heap that retains nothing to where the only page of a slab that it allocates from has
 * been given back, so that the slab has no block, live or free. Returns how many others live. */
size_t support_punched_slab(hak_heap *heap, void *blocks[SUPPORT_PUNCHED_MOST]);

/* ------------------------------------------------------------------ children */

typedef struct support_child {
    int signal;      /* that ended it, 0: none */
    int code;        /* of its exit */
    char text[8192]; /* what it wrote to stderr, terminated */
    size_t lines;    /* in that text */
} support_child;

/* Makes this process a child of the tests, which ends when something is not as required. */
void support_become_child(void);

/* Runs `body(context)` in a forked child, killed after `seconds`. */
support_child support_fork(void (*body)(void *), void *context, unsigned seconds);

/* As support_fork, and fails the test with what the child wrote unless it returned from `body`. */
void support_in_child(void (*body)(void *), void *context, unsigned seconds);

#endif
