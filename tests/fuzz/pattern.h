/* What is written into blocks, so that it can be known again: all of a block up to 16 KiB; of a
 * larger one, a word at each step and the last one. Where a block's words are depends on its size,
 * but they are always at multiples of the page from its start. */
#ifndef FUZZ_PATTERN_H
#define FUZZ_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void pattern_fill(void *start, size_t size, uint64_t stamp);

/* Whether the first `size` bytes at `start` are as they were in a block of `whole` bytes. */
bool pattern_intact(const void *start, size_t size, size_t whole, uint64_t stamp);

/* Whether `size` bytes are zero, wherever earlier blocks may have had their words. */
bool pattern_zero(const void *start, size_t size);

/* What filling a new block, or checking one, takes: in the units of shadow_time_left. */
size_t pattern_fill_time(size_t size);
size_t pattern_check_time(size_t size);

#endif
