/* JSON for a caller's buffer, which may be too small for it: the length is counted on. */
#ifndef HAK_JSON_H
#define HAK_JSON_H

#include <stddef.h>

#include "hakmem.h"

typedef struct hak_json {
    char *buffer;
    size_t size, length;
} hak_json;

/* Adds text, as printf does. */
__attribute__((format(printf, 2, 3))) void hak__json_put(hak_json *out, const char *format, ...);

/* Adds a string of any bytes: what is not UTF-8 becomes the replacement character. */
void hak__json_string(hak_json *out, const char *string);

/* Adds ", "NAME": NUMBER" for each field of `stats`. */
void hak__json_fields(hak_json *out, const void *stats, const hak_stats_field *field, size_t count);

/* Terminates the buffer, and returns the length of the whole text. */
size_t hak__json_end(hak_json *out);

#endif
