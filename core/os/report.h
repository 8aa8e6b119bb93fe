/* Messages of the allocator: one line on stderr, written without allocating. */
#ifndef HAK_REPORT_H
#define HAK_REPORT_H

/* Writes "hakmem: WHAT: WHY". For a setting that is ignored; the caller goes on with a default. */
void hak__warn(const char *what, const char *why);

/* Writes "hakmem: WHAT 0xWHERE: WHY" and aborts: going on would corrupt memory. */
_Noreturn void hak__fatal(const char *what, const void *where, const char *why);

#endif
