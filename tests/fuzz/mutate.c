/* Mutations that know of instructions: a byte more or less would shift all that follow. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "program.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other,
                                 size_t other_size, uint8_t *out, size_t most, unsigned seed);

static uint64_t state;

static size_t below(size_t bound) /* splitmix64, G. Steele et al., 2014 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (size_t)((unsigned __int128)(z ^ z >> 31) * bound >> 64);
}

static void random_bytes(uint8_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++) to[i] = (uint8_t)below(256);
}

/* Makes room for `count` instructions before number `at`. */
static void open_at(uint8_t *data, size_t *size, size_t at, size_t count)
{
    size_t from = at * INSTRUCTION, bytes = count * INSTRUCTION;
    memmove(data + from + bytes, data + from, *size - from);
    *size += bytes;
}

#define RUN_MOST 16 /* instructions copied or deleted at once */

static size_t mutate_once(uint8_t *data, size_t size, size_t most)
{
    size_t count = size / INSTRUCTION, room = (most - size) / INSTRUCTION;
    size_t at = below(count), run = 1 + below(RUN_MOST);
    uint8_t copy[RUN_MOST * INSTRUCTION];
    if (run > count - at) run = count - at;
    switch (below(9)) {
    case 0: return LLVMFuzzerMutate(data, size, most) / INSTRUCTION * INSTRUCTION;
    case 1: random_bytes(data + at * INSTRUCTION, INSTRUCTION); break;
    case 2:
    case 3:
        if (room == 0) break;
        open_at(data, &size, at, 1);
        random_bytes(data + at * INSTRUCTION, INSTRUCTION);
        break;
    case 4:
        if (run == count) break;
        size -= run * INSTRUCTION;
        memmove(data + at * INSTRUCTION, data + (at + run) * INSTRUCTION, size - at * INSTRUCTION);
        break;
    case 5:
        if (run > room) break;
        memcpy(copy, data + at * INSTRUCTION, run * INSTRUCTION);
        at = below(count + 1);
        open_at(data, &size, at, run);
        memcpy(data + at * INSTRUCTION, copy, run * INSTRUCTION);
        break;
    case 6: LLVMFuzzerMutate(data + at * INSTRUCTION, INSTRUCTION, INSTRUCTION); break;
    case 7: data[at * INSTRUCTION + 1 + below(INSTRUCTION - 1)] = (uint8_t)below(256); break;
    default: data[at * INSTRUCTION + 1 + below(INSTRUCTION - 1)] += below(2) ? 1 : UINT8_MAX;
    }
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    state = seed;
    size = size / INSTRUCTION * INSTRUCTION;
    if (size == 0) {
        size = INSTRUCTION;
        random_bytes(data, size);
    }
    for (size_t times = 1 + below(3); times > 0 && size > 0; times--) {
        size = mutate_once(data, size, most);
    }
    return size;
}

/* The beginning of one program, and the end of another. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other,
                                 size_t other_size, uint8_t *out, size_t most, unsigned seed)
{
    state = seed;
    size_t head = below(one_size / INSTRUCTION + 1) * INSTRUCTION;
    size_t from = below(other_size / INSTRUCTION + 1) * INSTRUCTION;
    if (head > most) head = most;
    size_t tail = other_size - from < most - head ? other_size - from : most - head;
    memcpy(out, one, head);
    memcpy(out + head, other + from, tail);
    return head + tail;
}
