/* pairs COUNT SIZE: allocates and frees a block so often, beside others of its size. */
#include <stdlib.h>

#define OTHERS 8

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    size_t count = strtoul(argv[1], NULL, 10), size = strtoul(argv[2], NULL, 10);
    for (size_t i = 0; i < OTHERS; i++) {
        if (!malloc(size)) return 3;
    }
    for (size_t i = 0; i < count; i++) {
        volatile char *block = malloc(size);
        if (!block) return 3;
        block[0] = 1;
        free((void *)block);
    }
    return 0;
}
