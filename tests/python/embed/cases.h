/* The cases, each named as the argument of the program. */
#ifndef HAK_TEST_EMBED_CASES_H
#define HAK_TEST_EMBED_CASES_H

#include "embed.h"

/* Hooks another program's allocator, which passes everything on, around the domain of objects. The
 * allocator that was in place is `hooked`. */
extern PyMemAllocatorEx hooked;
void hook(void);
/* Whether CPython is linked into the program, and no library of its own. */
bool has_cpython_in_it(void);

void observed(void);
void observed_calls(void);
void observed_below_a_hook(void);
void observed_again(void);
void observed_without_memory(void);
void observed_below_a_tracer(void);
void memory_errors(void);
void limit(void);
void smaller_at_the_limit(void);
void wrong_options(void);
void sub_interpreter(void);
void locked(void);
void locked_while_observed(void);
#if PY_VERSION_HEX >= 0x030c0000
void own_gils(void);
void installed_beside_own_gils(void);
void observed_beside_own_gils(void);
void fork_beside_own_gils(void);
#endif

#endif
