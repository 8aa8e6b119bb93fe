#define _GNU_SOURCE
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

bool hak__file_open(hak_file *out, const char *path)
{
    out->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    out->length = 0;
    out->error = 0;
    return out->file >= 0;
}

static void flush(hak_file *out)
{
    size_t done = 0;
    while (!out->error && done < out->length) {
        ssize_t n = write(out->file, out->buffer + done, out->length - done);
        if (n > 0) done += (size_t)n;
        else if (n == 0) out->error = EIO;
        else if (errno != EINTR) out->error = errno;
    }
    out->length = 0;
}

void hak__file_put(hak_file *out, const char *format, ...)
{
    va_list args;
    if (sizeof out->buffer - out->length < 1024) flush(out);
    size_t room = sizeof out->buffer - out->length;
    va_start(args, format);
    int n = vsnprintf(out->buffer + out->length, room, format, args);
    va_end(args);
    if (n > 0) out->length += (size_t)n < room ? (size_t)n : room - 1;
}

bool hak__file_close(hak_file *out)
{
    flush(out);
    int saved = out->error;
    if (close(out->file) != 0 && !saved) saved = errno;
    errno = saved;
    return saved == 0;
}
