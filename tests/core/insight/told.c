#include "told.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

unsigned power_of(uint64_t number)
{
    unsigned power = 0;
    for (; number; number >>= 1) power++;
    return power;
}

const hak_class_observations *class_told(const hak_observations *told, size_t block_size)
{
    for (size_t i = 0; i < told->classes; i++) {
        if (told->class_observations[i].block_size == block_size)
            return &told->class_observations[i];
    }
    return NULL;
}

/* The text of a file; the caller frees it. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    REQUIRE(file && fseek(file, 0, SEEK_END) == 0);
    size_t size = (size_t)ftell(file);
    char *text = calloc(1, size + 1);
    rewind(file);
    REQUIRE(text && fread(text, 1, size, file) == size);
    fclose(file);
    return text;
}

char *trace_of(hak_heap *heap)
{
    char path[SUPPORT_PATH];
    REQUIRE(close(support_temporary_file(path)) == 0);
    REQUIRE(hak_heap_trace(heap, path));
    char *text = read_file(path);
    unlink(path);
    return text;
}
