/* The control surface of hakmem, the same for all languages. Adapters, and functions of one
 * language, are C files beside its package. */
%module hakmem

%{
#include "control.h"
%}

#ifdef SWIGLUA
%include "lua/hakmem_lua.i"
#endif
#ifdef SWIGPYTHON
%include "python/hakmem_python.i"
#endif

/* Every function uses the heap of the calling VM. */
%exception {
    CONTROL_ENTER
    $action
    CONTROL_LEAVE
}

/* A failure raises the language's error. What the function has returned is then NULL or a number. */
%typemap(in, numinputs=0) control_failure *failure (control_failure failure)
{
    failure.message[0] = 0;
    $1 = &failure;
}
%typemap(argout) control_failure *failure
{
    if ($1->message[0]) CONTROL_RAISE($1->message);
}

/* Statistics are returned. */
%typemap(in, numinputs=0) hak_stats *stats (hak_stats stats), hak_threads_stats *stats (hak_threads_stats stats)
{
    $1 = &stats;
}

%rename(heap_name) hak_heap_name;
const char *hak_heap_name(hak_heap *current);

%rename(trim) hak_heap_trim;
size_t hak_heap_trim(hak_heap *current);

%rename(prewarm) control_prewarm;
size_t control_prewarm(hak_heap *current, control_failure *failure, double bytes);

%rename(stats) hak_heap_stats;
void hak_heap_stats(hak_heap *current, hak_stats *stats);

%newobject control_stats_json;
%rename(stats_json) control_stats_json;
char *control_stats_json(hak_heap *current, control_failure *failure);

%newobject control_process_stats_json;
%rename(process_stats_json) control_process_stats_json;
char *control_process_stats_json(control_failure *failure);

%rename(thread_stats) control_thread_stats;
void control_thread_stats(hak_threads_stats *stats);

%newobject control_thread_stats_json;
%rename(thread_stats_json) control_thread_stats_json;
char *control_thread_stats_json(control_failure *failure);

%rename(thread_trim) control_thread_trim;
size_t control_thread_trim(void);

%rename(thread_profile) control_thread_profile;
const char *control_thread_profile(control_failure *failure, const char *name = NULL);

%rename(thread_configure) control_thread_configure;
void control_thread_configure(control_failure *failure, const char *settings);

%rename(thread_heap_map) control_thread_heap_map;
void control_thread_heap_map(control_failure *failure, const char *path);

%rename(heap_map) control_heap_map;
void control_heap_map(hak_heap *current, control_failure *failure, const char *path);

%rename(observing) hak_heap_observing;
bool hak_heap_observing(hak_heap *current);

%newobject control_observations_json;
%rename(observations_json) control_observations_json;
char *control_observations_json(hak_heap *current, control_failure *failure);

%rename(trace) control_trace;
void control_trace(hak_heap *current, control_failure *failure, const char *path);

%rename(configure) control_configure;
void control_configure(hak_heap *current, control_failure *failure, const char *settings);

%rename(profile) control_profile;
const char *control_profile(hak_heap *current, control_failure *failure, const char *name = NULL);

%rename(limit) control_limit;
double control_limit(hak_heap *current, control_failure *failure, double bytes = CONTROL_KEEP);

%constant char *version = HAK_VERSION;
%constant char *build = HAK_BUILD;
