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

/* Every function uses the heap of the calling VM. A failure raises the language's error. */
%exception {
    CONTROL_ENTER
    $action
    CONTROL_LEAVE
    const char *failure = control_error();
    if (failure) CONTROL_RAISE(failure);
}

%rename(heap_name) hak_heap_name;
const char *hak_heap_name(hak_heap *current);

%rename(trim) hak_heap_trim;
size_t hak_heap_trim(hak_heap *current);

%rename(prewarm) control_prewarm;
size_t control_prewarm(hak_heap *current, double bytes);

%rename(stats) control_stats;
const hak_stats *control_stats(hak_heap *current);

%newobject control_stats_json;
%rename(stats_json) control_stats_json;
char *control_stats_json(hak_heap *current);

%newobject control_process_stats_json;
%rename(process_stats_json) control_process_stats_json;
char *control_process_stats_json(void);

%rename(thread_stats) control_thread_stats;
const hak_threads_stats *control_thread_stats(void);

%newobject control_thread_stats_json;
%rename(thread_stats_json) control_thread_stats_json;
char *control_thread_stats_json(void);

%rename(thread_trim) control_thread_trim;
size_t control_thread_trim(void);

%rename(thread_profile) control_thread_profile;
const char *control_thread_profile(const char *name = NULL);

%rename(thread_configure) control_thread_configure;
void control_thread_configure(const char *settings);

%rename(thread_heap_map) control_thread_heap_map;
void control_thread_heap_map(const char *path);

%rename(heap_map) control_heap_map;
void control_heap_map(hak_heap *current, const char *path);

%rename(observing) hak_heap_observing;
bool hak_heap_observing(hak_heap *current);

%newobject control_observations_json;
%rename(observations_json) control_observations_json;
char *control_observations_json(hak_heap *current);

%rename(trace) control_trace;
void control_trace(hak_heap *current, const char *path);

%rename(configure) control_configure;
void control_configure(hak_heap *current, const char *settings);

%rename(profile) control_profile;
const char *control_profile(hak_heap *current, const char *name = NULL);

%rename(limit) control_limit;
double control_limit(hak_heap *current, double bytes = CONTROL_KEEP);

%constant char *version = HAK_VERSION;
%constant char *build = HAK_BUILD;
