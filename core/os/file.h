/* A text file for writing, with a buffer of its own: it allocates no memory. */
#ifndef HAK_FILE_H
#define HAK_FILE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct hak_file {
    int file;
    size_t length;
    int error; /* errno of the first failed write; 0: none */
    char buffer[8192];
} hak_file;

/* Creates the file, or empties it. False with errno of open. */
bool hak__file_open(hak_file *out, const char *path);

/* Adds text as printf does, at most 1,023 bytes. */
__attribute__((format(printf, 2, 3))) void hak__file_put(hak_file *out, const char *format, ...);

/* Writes the buffer and closes the file. False with errno if any part could not be written. */
bool hak__file_close(hak_file *out);

#endif
