/* Where numbers and texts with names go. Whoever has some to tell walks over them once and calls
 * the functions of a sink; what becomes of them, JSON or the tables of a script, is the sink's. */
#ifndef HAK_SINK_H
#define HAK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many objects and lists may lie in each other. */
#define HAK_SINK_DEPTH 8

typedef enum hak_sink_type { HAK_SINK_OBJECT, HAK_SINK_LIST } hak_sink_type;

/* A sink's own structure begins with this one. `name` is that of the entry in the object that is
 * open, and NULL in a list and for the outermost object. The walk begins and ends with that object.
 * A function of a script's sink may leave by that script's way of raising errors. */
typedef struct hak_sink hak_sink;
struct hak_sink {
    /* Opens an object or a list of about so many entries, and closes the one opened last. */
    void (*begin)(hak_sink *sink, const char *name, hak_sink_type type, size_t entries);
    void (*end)(hak_sink *sink);

    void (*count)(hak_sink *sink, const char *name, uint64_t count);
    void (*part)(hak_sink *sink, const char *name, double part); /* 0 to 1, to four places */
    void (*text)(hak_sink *sink, const char *name, const char *text);
    void (*flag)(hak_sink *sink, const char *name, bool flag);
};

#endif
