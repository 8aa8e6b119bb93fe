/* What everything here is built on: sizes that the build fixes, and invariants. */
#ifndef HAK_CONFIG_H
#define HAK_CONFIG_H

#include <stddef.h>

#include "os/report.h"

#define HAK_PAGE ((size_t)4096) /* the step of carving and of all accounts */
#ifndef HAK_UNIT_SHIFT
#define HAK_UNIT_SHIFT 16
#endif

/* States an invariant. Checked in debug and test builds only. */
#ifdef HAK_DEBUG
#define HAK_ASSERT(holds) ((holds) ? (void)0 : hak__fatal("broken invariant", 0, #holds))
#else
#define HAK_ASSERT(holds) ((void)0)
#endif

#define HAK_LIKELY(x)   __builtin_expect(!!(x), 1)
#define HAK_UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
