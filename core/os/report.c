#include "os/report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

HAK_THREAD_LOCAL const void *hak__called_from;

#define LINE ((size_t)256) /* most bytes of a line, with the newline */

/* Appends `text` to the line, cut to its end. */
static size_t add(char *line, size_t length, const char *text)
{
    size_t n = strlen(text), room = LINE - 1 - length;
    if (n > room) n = room;
    memcpy(line + length, text, n);
    return length + n;
}

static size_t add_address(char *line, size_t length, const void *address)
{
    char hex[2 + sizeof address * 2 + 1] = "0x"; /* and zeros */
    for (size_t i = 0; i < sizeof address * 2; i++) {
        hex[2 + i] =
            "0123456789abcdef"[((uintptr_t)address >> (4 * (sizeof address * 2 - 1 - i))) & 15];
    }
    return add(line, length, hex);
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
    char line[LINE];
    size_t n = add(line, 0, "hakmem: ");
    n = add(line, n, what);
    n = add(line, n, " ");
    n = add_address(line, n, where);
    n = add(line, n, ": ");
    n = add(line, n, why);
    if (hak__called_from) {
        n = add(line, n, ", called from ");
        n = add_address(line, n, hak__called_from);
    }
    line[n++] = '\n';
    say(line, n);
    abort();
}
