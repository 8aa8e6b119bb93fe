/* The control surface that scripts see, as C functions over the current heap. SWIG wraps them for
 * each language (hakmem.i); nothing here knows one. */
#ifndef HAK_CONTROL_H
#define HAK_CONTROL_H

#include <math.h>

#include "hakmem.h"
#include "os/os.h"

/* After a call that failed: a message for the script's error. NULL after a call that did not.
 * Per thread; reading it clears it. */
const char *control_error(void);

/* Sets that message, as printf does. */
__attribute__((format(printf, 1, 2))) void control_fail(const char *format, ...);

/* The largest size that a script can name: up to there a double holds every whole number. */
#define CONTROL_SIZE_MAX ((long long)1 << 53)

/* Whether that is a whole number of bytes from 0 to CONTROL_SIZE_MAX. */
bool control_is_size(double bytes);

/* A snapshot, valid until the next call in this thread. */
const hak_stats *control_stats(hak_heap *heap);

/* The snapshot as JSON; the caller frees it. NULL when memory is exhausted. */
char *control_stats_json(hak_heap *heap);

/* The statistics of the process as JSON, likewise. */
char *control_process_stats_json(void);

/* Touches that many bytes ahead; returns how many it were. */
size_t control_prewarm(hak_heap *heap, double bytes);

/* Writes a picture of the heap. */
void control_heap_map(hak_heap *heap, const char *path);

/* Of a heap that was never observed. */
#define CONTROL_NOT_OBSERVED "nothing has been observed, call hakmem.observe first"

/* What was observed as JSON; the caller frees it. */
char *control_observations_json(hak_heap *heap);

/* Writes the last events of an observed heap. */
void control_trace(hak_heap *heap, const char *path);

/* Refines the heap's profile, by "name=value …". */
void control_configure(hak_heap *heap, const char *settings);

/* Switches to the profile `name`, if it is not NULL, and returns the name of the heap's profile. */
const char *control_profile(hak_heap *heap, const char *name);

/* Sets the limit to `bytes` (0: none), unless that is CONTROL_KEEP, and returns the limit. */
#define CONTROL_KEEP ((double)NAN)
double control_limit(hak_heap *heap, double bytes);

#endif
