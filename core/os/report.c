#include "os/report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE ((size_t)256) /* most bytes of a line, with the newline */

/* Appends `text` to the line, cut to its end. */
static size_t add(char *line, size_t length, const char *text)
{
    size_t n = strlen(text), room = LINE - 1 - length;
    if (n > room) n = room;
    memcpy(line + length, text, n);
    return length + n;
}

static void say(const char *line, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, line, length);
        if (written <= 0) return;
        line += written;
        length -= (size_t)written;
    }
}

void hak__warn(const char *what, const char *why)
{
    char line[LINE];
    size_t n = add(line, 0, "hakmem: ");
    n = add(line, n, what);
    n = add(line, n, ": ");
    n = add(line, n, why);
    line[n++] = '\n';
    say(line, n);
}

_Noreturn void hak__fatal(const char *what, const void *where, const char *why)
{
    char hex[2 + sizeof where * 2 + 1] = "0x"; /* and zeros */
    for (size_t i = 0; i < sizeof where * 2; i++) {
        hex[2 + i] =
            "0123456789abcdef"[((uintptr_t)where >> (4 * (sizeof where * 2 - 1 - i))) & 15];
    }
    char line[LINE];
    size_t n = add(line, 0, "hakmem: ");
    n = add(line, n, what);
    n = add(line, n, " ");
    n = add(line, n, hex);
    n = add(line, n, ": ");
    n = add(line, n, why);
    line[n++] = '\n';
    say(line, n);
    abort();
}
