/* What the allocator says aloud: one line on stderr, written without allocating. */
#ifndef HAK_REPORT_H
#define HAK_REPORT_H

/* "hakmem: WHAT: WHY". For a setting that was ignored; the caller goes on with a default. */
void hak__warn(const char *what, const char *why);

/* "hakmem: WHAT 0xWHERE: WHY", then abort(): going on would corrupt memory. */
_Noreturn void hak__fatal(const char *what, const void *where, const char *why);

/* States an invariant. Checked in debug and test builds only. */
#ifdef HAK_DEBUG
#define HAK_ASSERT(holds) ((holds) ? (void)0 : hak__fatal("broken invariant", 0, #holds))
#else
#define HAK_ASSERT(holds) ((void)0)
#endif

#define HAK_LIKELY(x)   __builtin_expect(!!(x), 1)
#define HAK_UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
