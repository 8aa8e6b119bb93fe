/* Where there is room in a row of places: finds the first run of free ones by length, in a number
 * of steps that grows with the logarithm of the row. The places are the superslabs of a region, or
 * the units of a caller's memory.
 *
 * A bit for each place says whether it is taken. Each word of 64 bits knows how long its longest
 * free run is, and those at its ends; so does each node of a binary tree, whose leaves have one
 * word or several. */
#ifndef HAK_ROOM_H
#define HAK_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many places are not free before the end of the first run, after the beginning of the last
 * one, and beside the longest: so that zeroed memory is a row of free places. */
typedef struct hak_room_word {
    uint64_t taken; /* bit set for each place that is not free, or beyond the end */
    uint8_t past_first, past_last, past_longest;
} hak_room_word;

typedef struct hak_room_node {
    uint32_t past_first, past_last, past_longest;
} hak_room_node;

typedef struct hak_room {
    size_t places;
    size_t leaf_words, leaves; /* words of a leaf; leaves, a power of two */
    hak_room_word *words;
    hak_room_node *nodes; /* [1] is the root, [2 * N] and [2 * N + 1] are below [N], leaves last */
} hak_room;

#define HAK_ROOM_NOWHERE SIZE_MAX

/* Bytes of zeroed memory that hak__room_open takes for so many places in leaves of `leaf_words`
 * words: the fewer, the sooner runs are found, and the more memory is touched. */
size_t hak__room_size(size_t places, size_t leaf_words);

/* Makes a row of free places in such memory, aligned to 8 bytes. */
void hak__room_open(hak_room *room, size_t places, size_t leaf_words, void *memory);

/* Marks `count` places from `first` on as taken or free. */
void hak__room_mark(hak_room *room, size_t first, size_t count, bool taken);

/* The first run of `count` free places at or after `from`; HAK_ROOM_NOWHERE when there is none. */
size_t hak__room_find(const hak_room *room, size_t from, size_t count);

/* Whether `count` places from `first` on are there and free. */
bool hak__room_is_free(const hak_room *room, size_t first, size_t count);

#endif
