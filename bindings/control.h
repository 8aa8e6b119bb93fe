/* The control surface for scripts, as C functions over the current heap. SWIG wraps them for
 * each language (hakmem.i). Nothing here depends on a language. The heap's user calls these
 * functions; those that can fail say why in `failure`, whose message was "". */
#ifndef HAK_CONTROL_H
#define HAK_CONTROL_H

#include <math.h>

#include "hakmem.h"
#include "os/os.h"

/* What went wrong in a call; "" is nothing. It lies in the caller's frame, so that a message
 * needs no memory: a thread's first variable in a library that was loaded late does, and without it
 * glibc ends the process. */
typedef struct control_failure {
    char message[384];
} control_failure;

/* Sets the message, as printf does. */
__attribute__((format(printf, 2, 3))) void control_fail(control_failure *failure,
                                                        const char *format, ...);

/* The largest size in bytes that a script can pass: up to it a double holds every whole number. */
#define CONTROL_SIZE_MAX ((long long)1 << 53)

/* Whether `bytes` is a whole number from 0 to CONTROL_SIZE_MAX. */
bool control_is_size(double bytes);

/* The snapshot as JSON; the caller frees it. NULL: out of memory. */
char *control_stats_json(hak_heap *heap, control_failure *failure);

/* The statistics of the process as JSON; the caller frees it. NULL: out of memory. */
char *control_process_stats_json(control_failure *failure);

/* The heaps of threads: those of this copy of hakmem (CPython's raw domain, hak_malloc), and those
 * of the library that is preloaded in place of malloc, if it is of the same version. Any thread may
 * call these functions, whether or not the VM has a heap.
 *
 * The sum of their statistics; as JSON, which the caller frees; trimming, which returns the bytes
 * given back; their profile, set to `name` unless it is NULL; options; and a picture of each, of
 * the preloaded library's if there is one. */
void control_thread_stats(hak_threads_stats *stats);
char *control_thread_stats_json(control_failure *failure);
size_t control_thread_trim(void);
const char *control_thread_profile(control_failure *failure, const char *name);
void control_thread_configure(control_failure *failure, const char *settings);
void control_thread_heap_map(control_failure *failure, const char *path);

/* Touches `bytes` bytes ahead of use; returns how many. */
size_t control_prewarm(hak_heap *heap, control_failure *failure, double bytes);

/* Writes a picture of the heap to the file `path`. */
void control_heap_map(hak_heap *heap, control_failure *failure, const char *path);

/* The message for a heap that was never observed. */
#define CONTROL_NOT_OBSERVED "nothing has been observed, call hakmem.observe first"

/* The observations as JSON; the caller frees it. NULL: never observed, or out of memory. */
char *control_observations_json(hak_heap *heap, control_failure *failure);

/* Writes the last events of an observed heap to the file `path`. */
void control_trace(hak_heap *heap, control_failure *failure, const char *path);

/* Refines the heap's profile by "name=value …". */
void control_configure(hak_heap *heap, control_failure *failure, const char *settings);

/* Switches to the profile `name` unless it is NULL; returns the name of the heap's profile. */
const char *control_profile(hak_heap *heap, control_failure *failure, const char *name);

/* Sets the limit to `bytes` (0: none) unless that is CONTROL_KEEP; returns the limit. */
#define CONTROL_KEEP ((double)NAN)
double control_limit(hak_heap *heap, control_failure *failure, double bytes);

#endif
