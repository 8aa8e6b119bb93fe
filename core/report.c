#include "report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Appends `text` to the line, as far as it fits. */
static size_t add(char *line, size_t length, size_t size, const char *text)
{
    size_t n = strlen(text);
    if (n > size - length) n = size - length;
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
    char line[256];
    size_t n = add(line, 0, sizeof line, "hakmem: ");
    n = add(line, n, sizeof line, what);
    n = add(line, n, sizeof line, ": ");
    n = add(line, n, sizeof line - 1, why);
    n = add(line, n, sizeof line, "\n");
    say(line, n);
}

_Noreturn void hak__fatal(const char *what, const void *where, const char *why)
{
    char hex[2 + sizeof where * 2 + 1] = "0x";
    for (size_t i = 0; i < sizeof where * 2; i++) {
        hex[2 + i] =
            "0123456789abcdef"[((uintptr_t)where >> (4 * (sizeof where * 2 - 1 - i))) & 15];
    }
    hex[sizeof hex - 1] = 0;
    char line[256];
    size_t n = add(line, 0, sizeof line, "hakmem: ");
    n = add(line, n, sizeof line, what);
    n = add(line, n, sizeof line, " ");
    n = add(line, n, sizeof line, hex);
    n = add(line, n, sizeof line, ": ");
    n = add(line, n, sizeof line - 1, why);
    n = add(line, n, sizeof line, "\n");
    say(line, n);
    abort();
}
