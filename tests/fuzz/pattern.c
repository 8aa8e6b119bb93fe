#include "pattern.h"

#include <string.h>

#include "fail.h"

#define WORD sizeof(uint64_t)

/* A page that is written to costs a fault, so that the larger a block the wider apart its words. */
static const struct {
    size_t most, step; /* of a block, in bytes */
} steps[] = {
    {16 * KIB, WORD}, {256 * KIB, PAGE}, {MIB, 16 * KIB}, {8 * MIB, 64 * KIB}, {SIZE_MAX, MIB},
};

#define MULTIPLIER  0xd1342543de82ef95u
#define ZERO_LENGTH 64         /* bytes looked at in each page */
#define ZERO_WHOLE  (64 * KIB) /* where all are */
#define ZERO_FINER  8          /* reading is cheap: as for a block that is so much smaller */

/* The sanitizers know nothing of these bytes, and would make this slow. */
#define PLAIN __attribute__((no_sanitize("address", "undefined")))

static size_t step_of(size_t size)
{
    size_t i = 0;
    while (size > steps[i].most) i++;
    return steps[i].step;
}

static uint64_t word_at(size_t offset, uint64_t stamp)
{
    return (stamp + offset) * MULTIPLIER;
}

PLAIN void pattern_fill(void *start, size_t size, uint64_t stamp)
{
    char *bytes = start;
    size_t step = step_of(size), at = 0;
    for (; at + WORD <= size; at += step) *(uint64_t *)(bytes + at) = word_at(at, stamp);
    if (size >= WORD) at = size - WORD;
    uint64_t last = word_at(size, stamp);
    memcpy(bytes + at, &last, size - at < WORD ? size - at : WORD);
}

PLAIN bool pattern_intact(const void *start, size_t size, size_t whole, uint64_t stamp)
{
    const char *bytes = start;
    size_t step = step_of(whole), at = 0;
    size_t last_at = whole >= WORD ? whole - WORD : 0;
    for (; at + WORD <= size && at + WORD <= last_at; at += step) {
        if (*(const uint64_t *)(bytes + at) != word_at(at, stamp)) return false;
    }
    if (size < whole) return true;
    uint64_t last = word_at(whole, stamp);
    return memcmp(bytes + last_at, &last, whole - last_at) == 0;
}

PLAIN bool pattern_zero(const void *start, size_t size)
{
    static const char zeros[ZERO_LENGTH];
    const char *bytes = start;
    size_t step = step_of(size / ZERO_FINER);
    if (step == WORD) step = size <= ZERO_WHOLE ? ZERO_LENGTH : PAGE;
    for (size_t at = 0; at < size; at += step) {
        size_t length = size - at < ZERO_LENGTH ? size - at : ZERO_LENGTH;
        if (memcmp(bytes + at, zeros, length) != 0) return false;
    }
    size_t tail = size < ZERO_LENGTH ? size : ZERO_LENGTH;
    return memcmp(bytes + size - tail, zeros, tail) == 0;
}

#define FAULT_TIME 150 /* words that could be written while a page is faulted in */

size_t pattern_fill_time(size_t size)
{
    size_t step = step_of(size), words = size / step + 1;
    return words / 8 + FAULT_TIME * (step == WORD ? size / PAGE : words);
}

size_t pattern_check_time(size_t size)
{
    return size / step_of(size) / 8 + 1;
}
