/* The base of all rooms: sizes fixed by the build, and assertions. */
#ifndef HAK_CONFIG_H
#define HAK_CONFIG_H

#ifndef __linux__
#error "hakmem needs Linux: its mmap, mremap and madvise"
#endif

#include <stddef.h>

#include "os/report.h"

#define HAK_PAGE ((size_t)4096) /* bytes; the step of carving and of all accounts */
#ifndef HAK_UNIT_SHIFT
#define HAK_UNIT_SHIFT 16
#endif

/* A symbol named after the size of a unit, which determines the layout of records: hak__layout_16
 * for 64 KiB. The core defines it. An adapter compiled for another size needs another symbol, and
 * so does not link with this core. */
#define HAK_LAYOUT_OF(shift)    HAK_LAYOUT_NAMED(shift)
#define HAK_LAYOUT_NAMED(shift) hak__layout_##shift
#define HAK_LAYOUT              HAK_LAYOUT_OF(HAK_UNIT_SHIFT)
extern const char HAK_LAYOUT;

/* To be used in one file of each adapter. */
#define HAK_ADAPTER_NEEDS_LAYOUT \
    __attribute__((used)) static const char *const layout_needed = &HAK_LAYOUT

/* Asserts an invariant. Checked only in debug and test builds. */
#ifdef HAK_DEBUG
#define HAK_ASSERT(holds) ((holds) ? (void)0 : hak__fatal("broken invariant", 0, #holds))
#else
#define HAK_ASSERT(holds) ((void)0)
#endif

/* For variables of hakmem's own, so that a shared library reads them without its table of
 * addresses. (-fvisibility is for what is defined, not for what is declared.) */
#define HAK_HIDDEN __attribute__((visibility("hidden")))

#define HAK_LIKELY(x)   __builtin_expect(!!(x), 1)
#define HAK_UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
