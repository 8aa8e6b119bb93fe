/* Heaps that are nothing but numbers, to ask what their policy comes to. */
#ifndef HAK_TEST_NUMBERS_H
#define HAK_TEST_NUMBERS_H

#include "support.h"

#include "heap/blocks.h"

static inline hak_heap heap_with(size_t retain_least, size_t retain_busy, size_t retain_part)
{
    return (hak_heap){
        .policy = {.decommit = HAK_DECOMMIT_DONTNEED,
                   .retain_least = retain_least,
                   .retain_busy = retain_busy,
                   .retain_part = retain_part},
        .pages.limit = SIZE_MAX,
        .hints = &hak__hints_default,
    };
}

#endif
