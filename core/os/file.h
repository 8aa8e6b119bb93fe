/* A text file that is being written: what is put waits in a buffer of its own, so that no memory is
 * asked for. */
#ifndef HAK_FILE_H
#define HAK_FILE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct hak_file {
    int file;
    size_t length;
    int error; /* what the first failure to write has set errno to; 0: there was none */
    char buffer[8192];
} hak_file;

/* Makes the file, or empties it; false with errno as open sets it. */
bool hak__file_open(hak_file *out, const char *path);

/* Adds up to 1,023 bytes, as printf does. */
__attribute__((format(printf, 2, 3))) void hak__file_put(hak_file *out, const char *format, ...);

/* Writes what waits and closes; false with errno when any of it could not be written. */
bool hak__file_close(hak_file *out);

#endif
