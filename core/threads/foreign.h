/* The allocator that a program had before, where hakmem replaces malloc: blocks that it has made
 * are its own, and a program may be run on it altogether, for comparison. */
#ifndef HAK_FOREIGN_H
#define HAK_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct hak_foreign {
    bool (*owns)(const void *block); /* whether it has made a block that is none of hakmem's */
    void *(*alloc)(size_t alignment, size_t size);
    void *(*zalloc)(size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
    size_t (*size)(const void *block);
    bool (*serves_all)(void); /* whether no thread gets a heap; always the same */
} hak_foreign;

/* NULL: a pointer that is not hakmem's is an error of the program. What replaces malloc defines it
 * otherwise, since the first call may come before any function of its own has run. */
extern const hak_foreign *const hak__foreign;

#endif
