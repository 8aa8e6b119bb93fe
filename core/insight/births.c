#include "insight/births.h"

#include "os/os.h"

#define FIRST       ((size_t)4096) /* entries: 24 pages */
#define RETRY_AFTER 1024

/* The index at which the search for a block begins. Neighbours in memory get distant ones
 * (Fibonacci hashing, D. Knuth, The Art of Computer Programming 3, 6.4). */
static size_t home_of(const hak_births *births, uintptr_t block)
{
    uint64_t mixed = (uint64_t)block * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(mixed >> (__builtin_clzll(births->capacity) + 1));
}

static size_t behind(const hak_births *births, size_t index)
{
    return (index + 1) & (births->capacity - 1);
}

hak_birth *hak__births_find(const hak_births *births, const void *block)
{
    if (births->capacity == 0) return NULL;
    size_t i = home_of(births, (uintptr_t)block);
    for (; births->table[i].block; i = behind(births, i)) {
        if (births->table[i].block == (uintptr_t)block) return &births->table[i];
    }
    return NULL;
}

static void place(hak_births *births, hak_birth birth)
{
    size_t i = home_of(births, birth.block);
    while (births->table[i].block) i = behind(births, i);
    births->table[i] = birth;
}

static bool grow(hak_births *births)
{
    hak_births larger = {.capacity = births->capacity ? 2 * births->capacity : FIRST};
    larger.table = hak__os_map(hak__births_memory(&larger));
    if (!larger.table) return false;
    for (size_t i = 0; i < births->capacity; i++) {
        if (births->table[i].block) place(&larger, births->table[i]);
    }
    larger.count = births->count;
    hak__births_drop(births);
    *births = larger;
    return true;
}

/* The table grows from three quarters on. If it cannot, it takes births up to fifteen sixteenths:
 * beyond that, searches take too long. */
bool hak__births_add(hak_births *births, hak_birth birth)
{
    if (births->count >= births->capacity - births->capacity / 4) {
        if (births->retry_after > 0) births->retry_after--;
        else if (!grow(births)) births->retry_after = RETRY_AFTER;
    }
    if (births->count >= births->capacity - births->capacity / 16) return false;
    place(births, birth);
    births->count++;
    return true;
}

/* Whether `index` lies in the part of the ring behind `from`, up to `to`. */
static bool between(size_t from, size_t index, size_t to)
{
    return from <= to ? from < index && index <= to : from < index || index <= to;
}

/* Entries behind the hole that would no longer be found move into it, so that no
 * tombstones are needed. */
void hak__births_remove(hak_births *births, hak_birth *birth)
{
    size_t hole = (size_t)(birth - births->table);
    for (size_t i = behind(births, hole); births->table[i].block; i = behind(births, i)) {
        if (between(hole, home_of(births, births->table[i].block), i)) continue;
        births->table[hole] = births->table[i];
        hole = i;
    }
    births->table[hole].block = 0;
    births->count--;
}

void hak__births_drop(hak_births *births)
{
    if (births->capacity) hak__os_unmap(births->table, hak__births_memory(births));
    *births = (hak_births){0};
}
