/* A program with a mistake: the argument says which. */
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    char *block = malloc(100);
    if (strcmp(what, "nobodys") == 0) free((void *)0x1234560);
    if (strcmp(what, "stack") == 0) free(&argc);
    if (strcmp(what, "inside") == 0) free(block + 16);
    if (strcmp(what, "twice") == 0) free(block), free(block);
    if (strcmp(what, "large-twice") == 0) block = malloc(3000000), free(block), free(block);
    if (strcmp(what, "resize") == 0) block = realloc((void *)0x1234560, 10);
    if (strcmp(what, "libcs") == 0) {
        block = realloc(__libc_malloc(1000), 2000);
        free(block);
        free(__libc_malloc(1000));
        free(__libc_malloc(1000000)); /* with a mapping of its own */
    }
    return block == NULL;
}
