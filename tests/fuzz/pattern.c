#include "pattern.h"

#include <string.h>

#include "fail.h"

#define WORD        sizeof(uint64_t)
#define WHOLE_MOST  (16 * KIB)  /* what is filled without gaps */
#define PAGES_MOST  (256 * KIB) /* what has a word in each page */
#define LARGE_STEP  (16 * KIB)  /* beyond: a unit of the smallest build, where spans begin */
#define GIANT_MIN   (64 * MIB)  /* what is only there to take address space … */
#define GIANT_STEP  MIB
#define MULTIPLIER  0xd1342543de82ef95u
#define ZERO_LENGTH 64 /* bytes looked at in each page */

/* The sanitizers know nothing of these bytes, and would make this slow. */
#define PLAIN __attribute__((no_sanitize("address", "undefined")))

static size_t step_of(size_t size)
{
    if (size <= WHOLE_MOST) return WORD;
    if (size <= PAGES_MOST) return PAGE;
    return size < GIANT_MIN ? LARGE_STEP : GIANT_STEP;
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
    size_t step = size <= WHOLE_MOST ? ZERO_LENGTH : step_of(size);
    for (size_t at = 0; at < size; at += step) {
        size_t length = size - at < ZERO_LENGTH ? size - at : ZERO_LENGTH;
        if (memcmp(bytes + at, zeros, length) != 0) return false;
    }
    size_t tail = size < ZERO_LENGTH ? size : ZERO_LENGTH;
    return memcmp(bytes + size - tail, zeros, tail) == 0;
}

#define FAULT_TIME 64 /* words that could be written while a page is faulted in */

size_t pattern_fill_time(size_t size)
{
    size_t step = step_of(size), words = size / step + 1;
    return words / 8 + FAULT_TIME * (step == WORD ? size / PAGE : words);
}

size_t pattern_check_time(size_t size)
{
    return size / step_of(size) / 8 + 1;
}
