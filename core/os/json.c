#include "os/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Adds text, as printf does. */
__attribute__((format(printf, 2, 3))) static void put(hak_json *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = out->length < out->size ? out->size - out->length : 0;
    int n = vsnprintf(room ? out->buffer + out->length : NULL, room, format, args);
    va_end(args);
    if (n > 0) out->length += (size_t)n;
}

/* The length of the UTF-8 sequence at `s`, 1 to 4; 0: it is not one. */
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

static void put_string(hak_json *out, const char *string)
{
    put(out, "\"");
    const unsigned char *s = (const unsigned char *)string;
    while (*s) {
        size_t length = utf8_length(s);
        if (length == 0) put(out, "\\ufffd");
        else if (*s == '"' || *s == '\\') put(out, "\\%c", *s);
        else if (*s < 0x20) put(out, "\\u%04x", *s);
        else put(out, "%.*s", (int)length, (const char *)s);
        s += length ? length : 1;
    }
    put(out, "\"");
}

/* Writes the separator and the name of an entry. */
static void put_name(hak_json *out, const char *name)
{
    if (!out->is_first) put(out, ", ");
    out->is_first = false;
    if (name) put(out, "\"%s\": ", name);
}

static void begin(hak_sink *sink, const char *name, hak_sink_type type, size_t entries)
{
    hak_json *out = (hak_json *)sink;
    (void)entries;
    put_name(out, name);
    put(out, type == HAK_SINK_LIST ? "[" : "{");
    out->open[out->depth++] = type;
    out->is_first = true;
}

static void end(hak_sink *sink)
{
    hak_json *out = (hak_json *)sink;
    put(out, out->open[--out->depth] == HAK_SINK_LIST ? "]" : "}");
    out->is_first = false;
}

static void add_count(hak_sink *sink, const char *name, uint64_t count)
{
    put_name((hak_json *)sink, name);
    put((hak_json *)sink, "%" PRIu64, count);
}

static void add_part(hak_sink *sink, const char *name, double part)
{
    put_name((hak_json *)sink, name);
    unsigned places = (unsigned)(part * 1e4 + 0.5); /* not by printf: a locale may have a comma */
    put((hak_json *)sink, "%u.%04u", places / 10000, places % 10000);
}

static void add_text(hak_sink *sink, const char *name, const char *text)
{
    put_name((hak_json *)sink, name);
    put_string((hak_json *)sink, text);
}

static void add_flag(hak_sink *sink, const char *name, bool flag)
{
    put_name((hak_json *)sink, name);
    put((hak_json *)sink, flag ? "true" : "false");
}

hak_json hak__json_begin(char *buffer, size_t size)
{
    return (hak_json){
        .sink = {begin, end, add_count, add_part, add_text, add_flag},
        .buffer = buffer,
        .size = size,
        .is_first = true,
    };
}

size_t hak__json_end(hak_json *out)
{
    if (out->size) out->buffer[out->length < out->size ? out->length : out->size - 1] = 0;
    return out->length;
}
