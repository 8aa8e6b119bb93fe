/* Hints of the VM that uses a heap: what its adapter knows of the program. */
#ifndef HAK_HINTS_H
#define HAK_HINTS_H

#include <stdbool.h>
#include <stddef.h>

/* What suits the program that uses a heap, by measurement: see docs/design.md. */
typedef struct hak_hints {
    /* Slabs are sorted by address before they are used again. It pays where a collector walks the
     * objects in the order in which they were made, as CPython's does. */
    bool in_order;
    /* What pays for giving memory back is counted in bytes allocated, where a block counts for no
     * more than this: the larger the blocks, the less a program does with a byte of them. */
    size_t work_most;
    /* Milliseconds that memory which it has let go waits before it goes back to the OS, by a thread
     * of hakmem's own: 0, at once, where a thread is not welcome. */
    size_t decay;
    /* Slabs of small blocks have colours: heap/layout.h. It pays where addresses are hashed, and
     * the bits that are the same for each slab's n-th block are most of what the hash uses. */
    bool coloured;
    /* Such slabs have gaps, and lie apart: pages/scatter.h. For LuaJIT. */
    bool scattered;
    /* There is a class for a word more than each power of two: heap/sizeclass.h. For LuaJIT, whose
     * arrays are such blocks. Where the granularity is a word. */
    bool words_more;
} hak_hints;

extern const hak_hints hak__hints_default;

#endif
