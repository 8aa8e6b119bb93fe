/* JSON for a caller's buffer, which may be too small for it: the length is counted on. */
#ifndef HAK_JSON_H
#define HAK_JSON_H

#include "os/sink.h"

typedef struct hak_json {
    hak_sink sink; /* first: what is to be told goes here */
    char *buffer;
    size_t size, length;
    hak_sink_type open[HAK_SINK_DEPTH]; /* what has begun and not ended, outermost first */
    unsigned depth;
    bool is_first; /* entry of what was opened last */
} hak_json;

/* A sink that writes into `buffer`, of `size` bytes. Texts may be any bytes: what is not UTF-8
 * becomes the replacement character. */
hak_json hak__json_begin(char *buffer, size_t size);

/* Terminates the buffer, and returns the length of the whole text. */
size_t hak__json_end(hak_json *out);

#endif
