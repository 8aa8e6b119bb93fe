/* The births of live blocks by address: when each was handed out, and for how many bytes. A hash
 * table in its own memory from the OS, not in the observed heap. */
#ifndef HAK_BIRTHS_H
#define HAK_BIRTHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hak_birth {
    uintptr_t block;
    uint64_t when;      /* number of the operation, from 1 */
    uint64_t size : 56; /* bytes requested, at birth or by the last resize */
    uint64_t slot : 8;  /* index into the observer's class_observations */
} hak_birth;

/* Zeroed: an empty table. */
typedef struct hak_births {
    hak_birth *table;
    size_t capacity; /* entries: a power of two, or 0 */
    size_t count;
    size_t retry_after; /* births until the table tries to grow again after a refusal */
} hak_births;

/* The birth of `block`; NULL: unknown. Valid until the table changes. */
hak_birth *hak__births_find(const hak_births *births, const void *block);

/* Adds a birth; the block must have none. False: the table is full and the OS refuses memory. */
bool hak__births_add(hak_births *births, hak_birth birth);

/* Removes a birth that was found. */
void hak__births_remove(hak_births *births, hak_birth *birth);

/* Unmaps the table; it is empty then. */
void hak__births_drop(hak_births *births);

/* Bytes of memory of the table. */
static inline size_t hak__births_memory(const hak_births *births)
{
    return births->capacity * sizeof(hak_birth);
}

#endif
