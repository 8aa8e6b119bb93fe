/* Statistics and observations, written to a sink: the same shape for JSON, Lua and Python,
 * described by docs/stats.schema.json and docs/observations.schema.json. The arguments are
 * snapshots: no lock is held, and the sink may allocate. */
#ifndef HAK_TELL_H
#define HAK_TELL_H

#include "hakmem.h"
#include "os/os.h"

/* The statistics of a heap with this name and profile. */
void hak__tell_stats(hak_sink *sink, const char *name, const char *profile, const hak_stats *stats);

void hak__tell_process_stats(hak_sink *sink, const hak_process_stats *stats);

void hak__tell_threads_stats(hak_sink *sink, const hak_threads_stats *stats);

/* The observations of a heap with this name. */
void hak__tell_observations(hak_sink *sink, const char *name, const hak_observations *snapshot);

/* A list of options from hak_options, at most HAK_OPTIONS_MOST. */
#define HAK_OPTIONS_MOST 32
void hak__tell_options(hak_sink *sink, const hak_option *options, size_t count);

#endif
