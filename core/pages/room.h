/* Finds the first run of N free places in a row; the steps grow with the logarithm of the row's
 * length. Places are the superslabs of a region, or the units of a caller's memory.
 *
 * One bit per place: taken or free. Each word of 64 bits has the length of its longest free run and
 * of the free runs at its two ends. So has each node of a binary tree. A leaf covers one word or
 * several. */
#ifndef HAK_ROOM_H
#define HAK_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each length is stored as the number of places that do not belong to the run, so that zeroed
 * memory is a row of free places: past_first for the run at the beginning, past_last for the run at
 * the end, past_longest for the longest one. */
typedef struct hak_room_word {
    uint64_t taken; /* bit set for each place taken, or beyond the end */
    uint8_t past_first, past_last, past_longest;
} hak_room_word;

typedef struct hak_room_node {
    uint32_t past_first, past_last, past_longest;
} hak_room_node;

typedef struct hak_room {
    size_t places;
    size_t leaf_words, leaves; /* words of a leaf; number of leaves, a power of two */
    hak_room_word *words;
    hak_room_node *nodes; /* [1]: the root; [2 * N], [2 * N + 1]: below [N]; the leaves last */
} hak_room;

#define HAK_ROOM_NOWHERE SIZE_MAX

/* Bytes of memory that hak__room_open needs. Fewer words per leaf make searches shorter and
 * touch more memory. */
size_t hak__room_size(size_t places, size_t leaf_words);

/* Makes a row of free places in `memory`: zeroed, of hak__room_size bytes, aligned to 8. */
void hak__room_open(hak_room *room, size_t places, size_t leaf_words, void *memory);

/* Marks places [first, first + count). */
void hak__room_mark(hak_room *room, size_t first, size_t count, bool taken);

/* The first place, at or after `from`, of `count` adjacent free ones; HAK_ROOM_NOWHERE
 * if there are none. */
size_t hak__room_find(const hak_room *room, size_t from, size_t count);

/* Whether places [first, first + count) exist and are free. */
bool hak__room_is_free(const hak_room *room, size_t first, size_t count);

#endif
