/* What this room knows, written to a sink: one shape for JSON, Lua and Python, which
 * docs/stats.schema.json and docs/observations.schema.json describe. The structures are snapshots:
 * nothing is held meanwhile, and the sink may allocate. */
#ifndef HAK_TELL_H
#define HAK_TELL_H

#include "hakmem.h"
#include "os/os.h"

/* The statistics of a heap with this name and profile. */
void hak__tell_stats(hak_sink *sink, const char *name, const char *profile, const hak_stats *stats);

void hak__tell_process_stats(hak_sink *sink, const hak_process_stats *stats);

/* What was observed in a heap of this name. */
void hak__tell_observations(hak_sink *sink, const char *name, const hak_observations *snapshot);

/* Options as hak_options has described them, which writes at most HAK_OPTIONS_MOST; a list. */
#define HAK_OPTIONS_MOST 32
void hak__tell_options(hak_sink *sink, const hak_option *options, size_t count);

#endif
