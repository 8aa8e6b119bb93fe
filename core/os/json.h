/* JSON in a caller's buffer. If the buffer is too small, the length is still counted. */
#ifndef HAK_JSON_H
#define HAK_JSON_H

#include "os/sink.h"

typedef struct hak_json {
    hak_sink sink; /* must be first */
    char *buffer;
    size_t size, length;
    hak_sink_type open[HAK_SINK_DEPTH]; /* open objects and lists, outermost first */
    unsigned depth;
    bool is_first; /* the next entry is the first of the one opened last */
} hak_json;

/* A sink that writes into `buffer`, of `size` bytes. Texts may be any bytes; those that are not
 * UTF-8 become the replacement character. */
hak_json hak__json_begin(char *buffer, size_t size);

/* Terminates the buffer; returns the length of the whole text in bytes. */
size_t hak__json_end(hak_json *out);

#endif
