/* What the allocator says aloud: one line on stderr, written without allocating. */
#ifndef HAK_REPORT_H
#define HAK_REPORT_H

/* "hakmem: WHAT: WHY". For a setting that was ignored; the caller goes on with a default. */
void hak__warn(const char *what, const char *why);

/* "hakmem: WHAT 0xWHERE: WHY", then abort(): going on would corrupt memory. */
_Noreturn void hak__fatal(const char *what, const void *where, const char *why);

#endif
