/* A destination for numbers and texts with names. The source walks over them once and calls the
 * functions of the sink, which makes JSON or the tables of a script. */
#ifndef HAK_SINK_H
#define HAK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most objects and lists nested in each other. */
#define HAK_SINK_DEPTH 8

typedef enum hak_sink_type { HAK_SINK_OBJECT, HAK_SINK_LIST } hak_sink_type;

/* A sink's own structure begins with this one. `name` is the name of the entry in the open object;
 * NULL in a list and for the outermost object. The walk begins and ends with that object. A
 * function of a script's sink may raise an error of the script. */
typedef struct hak_sink hak_sink;
struct hak_sink {
    /* begin opens an object or a list of about `entries` entries; end closes
     * the one opened last. */
    void (*begin)(hak_sink *sink, const char *name, hak_sink_type type, size_t entries);
    void (*end)(hak_sink *sink);

    void (*count)(hak_sink *sink, const char *name, uint64_t count);
    void (*part)(hak_sink *sink, const char *name, double part); /* 0 to 1, to four places */
    void (*text)(hak_sink *sink, const char *name, const char *text);
    void (*flag)(hak_sink *sink, const char *name, bool flag);
};

#endif
