#include "heap/sizeclass.h"

#define STEPS_OF(granularity)                                                             \
    0, (granularity), (granularity)*2, (granularity)*3, (granularity)*4, (granularity)*5, \
        (granularity)*6, (granularity)*7, (granularity)*8

/* The classes above `power`, up to twice as much, of which the first is `first` above it. */
#define DOUBLING(power, first)                                                                 \
    (power) + (first), (power) / 8 * 10, (power) / 8 * 11, (power) / 8 * 12, (power) / 8 * 13, \
        (power) / 8 * 14, (power) / 8 * 15, (power)*2

#define EVENLY(power)    DOUBLING(power, (power) / 8)
#define WORD_MORE(power) DOUBLING(power, 8)

#define FROM_128(doubling)                                                                       \
    doubling(128), doubling(256), doubling(512), doubling(1024), doubling(2048), doubling(4096), \
        doubling(8192)

const hak_spacing hak__spacings[HAK_SPACINGS] = {
    [HAK_SPACING_8] = {8, 3, {STEPS_OF(8), EVENLY(64), FROM_128(EVENLY)}},
    [HAK_SPACING_16] = {16, 4, {STEPS_OF(16), FROM_128(EVENLY)}},
    [HAK_SPACING_WORDS_MORE] = {8, 3, {STEPS_OF(8), EVENLY(64), FROM_128(WORD_MORE)}},
};
