/* The births of live blocks, by address: when each was handed out and for how many bytes. A hash
 * table in memory of its own from the OS, never from the heap whose blocks it knows. */
#ifndef HAK_BIRTHS_H
#define HAK_BIRTHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hak_birth {
    uintptr_t block;
    uint64_t when;      /* the number of the operation, from 1 */
    uint64_t size : 56; /* bytes asked for, then or by the last resize */
    uint64_t slot : 8;  /* of the observer's counts */
} hak_birth;

/* Zero is an empty table. */
typedef struct hak_births {
    hak_birth *table;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
    size_t retry_after; /* births until the OS is asked again, which has refused */
} hak_births;

/* The birth of `block`; NULL if it is not known. Valid until the next call that changes the table.
 */
hak_birth *hak__births_find(const hak_births *births, const void *block);

/* Adds one of a block that has none; false when the table is full and the OS has refused more. */
bool hak__births_add(hak_births *births, hak_birth birth);

/* Removes one that was found. */
void hak__births_remove(hak_births *births, hak_birth *birth);

/* Gives the memory back; the table is empty then. */
void hak__births_drop(hak_births *births);

/* Bytes of memory of the table. */
static inline size_t hak__births_memory(const hak_births *births)
{
    return births->capacity * sizeof(hak_birth);
}

#endif
