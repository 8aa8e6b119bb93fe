/* Messages of the allocator: one line on stderr, written without allocating. */
#ifndef HAK_REPORT_H
#define HAK_REPORT_H

/* Writes "hakmem: WHAT: WHY". For a setting that is ignored; the caller goes on with a default. */
void hak__warn(const char *what, const char *why);

/* Libraries that are loaded as a program begins find such a variable without a call. For those that
 * are loaded later libc has little room for that, or none. */
#ifdef HAK_STATIC_TLS
#define HAK_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))
#else
#define HAK_THREAD_LOCAL __thread
#endif

/* Where the program has called what runs now: the address that the call returns to. NULL: not
 * known. Set and cleared by slow paths that stand in for libc's functions. */
extern HAK_THREAD_LOCAL const void *hak__called_from;

/* Writes "hakmem: WHAT 0xWHERE: WHY", with ", called from 0x…" if that is known, and aborts: going
 * on would corrupt memory. */
_Noreturn void hak__fatal(const char *what, const void *where, const char *why);

#endif
