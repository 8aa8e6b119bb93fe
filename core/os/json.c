#include "os/json.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void hak__json_put(hak_json *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = out->length < out->size ? out->size - out->length : 0;
    int n = vsnprintf(room ? out->buffer + out->length : NULL, room, format, args);
    va_end(args);
    if (n > 0) out->length += (size_t)n;
}

/* The length of the UTF-8 sequence at `s`, 1 to 4; 0 if it is none. */
static size_t utf8_length(const unsigned char *s)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t more = 0; more < 4; more++) {
        if ((s[0] & forms[more].mask) != forms[more].lead) continue;
        uint32_t code = s[0] & (unsigned char)~forms[more].mask;
        for (size_t i = 1; i <= more; i++) {
            if ((s[i] & 0xc0) != 0x80) return 0;
            code = code << 6 | (s[i] & 0x3f);
        }
        bool surrogate = code >= 0xd800 && code < 0xe000;
        return code < forms[more].least || code > 0x10ffff || surrogate ? 0 : more + 1;
    }
    return 0;
}

void hak__json_string(hak_json *out, const char *string)
{
    hak__json_put(out, "\"");
    const unsigned char *s = (const unsigned char *)string;
    while (*s) {
        size_t length = utf8_length(s);
        if (length == 0) hak__json_put(out, "\\ufffd");
        else if (*s == '"' || *s == '\\') hak__json_put(out, "\\%c", *s);
        else if (*s < 0x20) hak__json_put(out, "\\u%04x", *s);
        else hak__json_put(out, "%.*s", (int)length, (const char *)s);
        s += length ? length : 1;
    }
    hak__json_put(out, "\"");
}

void hak__json_fields(hak_json *out, const void *stats, const hak_stats_field *field, size_t count)
{
    for (; count-- > 0; field++) {
        size_t value;
        memcpy(&value, (const char *)stats + field->offset, sizeof value);
        hak__json_put(out, ", \"%s\": %zu", field->name, value);
    }
}

size_t hak__json_end(hak_json *out)
{
    if (out->size) out->buffer[out->length < out->size ? out->length : out->size - 1] = 0;
    return out->length;
}
