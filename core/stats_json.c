/* Statistics as JSON. docs/stats.schema.json describes both texts. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hakmem.h"

typedef struct text {
    char *buffer;
    size_t size, length;
} text;

__attribute__((format(printf, 2, 3))) static void put(text *out, const char *format, ...)
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

/* A string of any bytes: what is not UTF-8 becomes the replacement character. */
static void put_string(text *out, const char *string)
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

/* ", "NAME": NUMBER" for each field of `stats`. */
static void put_fields(text *out, const void *stats, const hak_stats_field *field, size_t count)
{
    for (; count-- > 0; field++) {
        size_t value;
        memcpy(&value, (const char *)stats + field->offset, sizeof value);
        put(out, ", \"%s\": %zu", field->name, value);
    }
}

static void put_os_calls(text *out, const hak_os_calls *os)
{
    put(out,
        ", \"os_calls\": {\"mmap\": %" PRIu64 ", \"mprotect\": %" PRIu64 ", \"madvise\": %" PRIu64
        ", \"mremap\": %" PRIu64 ", \"munmap\": %" PRIu64 ", \"failed\": %" PRIu64
        ", \"total\": %" PRIu64 "}",
        os->mmap, os->mprotect, os->madvise, os->mremap, os->munmap, os->failed, os->total);
}

static size_t finish(text *out)
{
    if (out->size) out->buffer[out->length < out->size ? out->length : out->size - 1] = 0;
    return out->length;
}

size_t hak_heap_stats_json(const hak_heap *heap, char *buffer, size_t size)
{
    hak_stats stats;
    size_t count;
    hak_heap_stats(heap, &stats);
    text out = {buffer, size, 0};
    put(&out, "{\"version\": \"%s\", \"name\": ", hak_version());
    put_string(&out, hak_heap_name(heap));
    put(&out, ", \"profile\": \"%s\"", hak_heap_profile(heap));
    const hak_stats_field *fields = hak_stats_fields(&count);
    put_fields(&out, &stats, fields, count);
    put(&out, ", \"fragmentation\": %.4f", stats.fragmentation);
    put_os_calls(&out, &stats.os);
    put(&out, ", \"classes\": [");
    for (size_t i = 0; i < stats.classes; i++) {
        const hak_class_stats *class = &stats.class_stats[i];
        put(&out,
            "%s{\"size\": %zu, \"live\": %zu, \"slabs\": %zu, \"footprint\": %zu, "
            "\"fragmentation\": %.4f}",
            i ? ", " : "", class->block_size, class->live, class->slabs, class->footprint,
            class->fragmentation);
    }
    put(&out, "], \"kinds\": [");
    for (size_t i = 0; i < stats.kinds; i++) {
        const hak_kind_stats *kind = &stats.kind_stats[i];
        put(&out, "%s{\"name\": \"%s\", \"live_bytes\": %zu, \"live_blocks\": %zu}", i ? ", " : "",
            kind->name, kind->live_bytes, kind->live_blocks);
    }
    put(&out, "]}");
    return finish(&out);
}

size_t hak_process_stats_json(char *buffer, size_t size)
{
    hak_process_stats stats;
    size_t count;
    hak_process_stats_read(&stats);
    text out = {buffer, size, 0};
    put(&out, "{\"version\": \"%s\"", hak_version());
    const hak_stats_field *fields = hak_process_stats_fields(&count);
    put_fields(&out, &stats, fields, count);
    put_os_calls(&out, &stats.os);
    put(&out, "}");
    return finish(&out);
}
