/* Sizes around everything that changes with the size of a block: the steps of the size classes, the
 * page, the ends of the small (1,024), medium (16 KiB), and span (2 MiB) sizes, a unit (64 KiB), a
 * superslab (4 MiB). */
#ifndef HAK_TEST_SIZES_H
#define HAK_TEST_SIZES_H

#include <stddef.h>

#define AROUND(n) (size_t)(n) - 1, (size_t)(n), (size_t)(n) + 1

static const size_t sizes[] = {
    0,
    1,
    2,
    AROUND(8),
    AROUND(16),
    AROUND(24),
    40,
    56,
    AROUND(64),
    100,
    AROUND(128),
    AROUND(512),
    1000,
    AROUND(1024),
    AROUND(1152),
    1500,
    AROUND(2048),
    3000,
    AROUND(4096),
    AROUND(8192),
    AROUND(14336),
    AROUND(16384),
    20000,
    AROUND(32768),
    AROUND(65536),
    100000,
    AROUND(131072),
    AROUND(1 << 20),
    AROUND(2 << 20),
    AROUND(4 << 20),
    AROUND(8 << 20),
    9000000,
};

#define SIZES (sizeof sizes / sizeof *sizes)

#endif
