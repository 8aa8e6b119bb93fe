/* Hints about the VM that uses a heap, from its adapter. */
#ifndef HAK_HINTS_H
#define HAK_HINTS_H

#include <stdbool.h>
#include <stddef.h>

/* Settings that suit a VM, as measured: docs/design.md. */
typedef struct hak_hints {
    /* Sort slabs by address before they are used again. For VMs whose collector visits objects in
     * the order in which they were made, as CPython's does. */
    bool in_order;
    /* The most bytes by which a block advances the allocation clock (pace.h). The larger the
     * blocks, the less a program does with each byte of them. */
    size_t clock_most;
    /* Milliseconds that released memory waits before a thread of hakmem purges it. 0: no
     * thread, purged at once. */
    size_t decay;
    /* Milliseconds after a release for which far more may be retained: policy/retain.h. For heaps
     * that are never told to settle, and whose large blocks come and go. */
    size_t busy;
    /* Slabs of small blocks have colours: heap/layout.h. For VMs that hash addresses by bits that
     * are the same for the n-th block of each slab. */
    bool coloured;
    /* Such slabs have gaps and lie apart: pages/scatter.h. For LuaJIT. */
    bool scattered;
    /* The first class above each power of two is a word larger than it: heap/sizeclass.h. For
     * LuaJIT's arrays. Only with a granularity of 8 bytes. */
    bool words_more;
} hak_hints;

extern const hak_hints hak__hints_default;

#endif
