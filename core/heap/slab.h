/* A slab holds blocks of one size class; its record lies out of line, one cache line for each unit
 * of address space. A unit is 64 KiB in the shared region (16 in CPython's module, less on a
 * caller's memory); a slab or a span is a run of units, described by the record of the first.
 *
 * This header holds the record and what can be done knowing nothing but the record. */
#ifndef HAK_SLAB_H
#define HAK_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pages/pages.h"

/* The record of a slab's first unit. */
typedef hak_unit hak_slab;
typedef hak_unit_state hak_slab_state;

#define HAK_SLAB_BLOCKS_MAX (((size_t)1 << HAK_UNIT_SHIFT) / 8) /* in one unit */
_Static_assert(HAK_SLAB_BLOCKS_MAX <= UINT16_MAX, "blocks are counted in 16 bits");

#define HAK_LEFT_FAR      ((uint32_t)1 << 30)
#define HAK_SLEEP_LIGHTLY 1 /* a full slab wakes with its first free block */

/* What an empty bin points to: a slab without blocks, never written. */
extern const hak_slab hak__no_slab;

/* Counts a free; true if the slow path has to look. */
static inline bool hak__slab_count_free(hak_slab *slab)
{
    return --slab->countdown < 0;
}

/* The frees that are left until then. */
static inline uint32_t hak__slab_left(const hak_slab *slab)
{
    return (uint32_t)slab->countdown + 1;
}

static inline void hak__slab_set_left(hak_slab *slab, uint32_t frees)
{
    slab->countdown = (int32_t)(frees - 1);
}

/* Puts the next `bytes` worth of never-used blocks, at least one, on the empty free list in the
 * order of their addresses. The caller has accounted for the pages: hak__slab_carve_end. */
void hak__slab_carve(hak_slab *slab, size_t bytes);

/* Where carving would end, in bytes from the start of the slab, a multiple of the page. */
size_t hak__slab_carve_end(const hak_slab *slab, size_t bytes);

/* Bytes at the head of a slab or span that hold, or have held, its blocks: whole pages. */
size_t hak__slab_used(const hak_slab *slab);

/* How many blocks of a partial slab are with the program. */
static inline uint32_t hak__slab_partial_live(const hak_slab *slab)
{
    return hak__slab_left(slab) + slab->parked;
}

/* The pages that a block lies in, `offset` bytes from the first, as bits of `purged`. */
uint32_t hak__slab_pages(const hak_slab *slab, size_t offset);

/* How many carved blocks lie in purged pages, wholly or in part: neither free nor with the program.
 */
size_t hak__slab_lost_in_pages(const hak_slab *slab);
static inline size_t hak__slab_lost(const hak_slab *slab)
{
    return slab->purged ? hak__slab_lost_in_pages(slab) : 0;
}

/* Takes purged pages back: the blocks that are whole again join the free list, in the order of
 * their addresses. */
void hak__slab_restore(hak_slab *slab, uint32_t pages);

/* Links the free list anew, in the order of the addresses; not of slabs of several units, whose
 * blocks are large. */
void hak__slab_sort(hak_slab *slab);

/* How many blocks are in the free list. */
size_t hak__slab_free_count(const hak_slab *slab);

/* How many blocks are with the program of a slab that has none free. */
static inline size_t hak__slab_dry_live(const hak_slab *slab)
{
    return slab->carved - hak__slab_lost(slab);
}

/* Makes a slab that has none free full: it is in no list, until so many of its blocks are free. */
static inline void hak__slab_sleep(hak_slab *slab, uint16_t frees)
{
    slab->state = HAK_SLAB_FULL;
    slab->asleep = frees;
    hak__slab_set_left(slab, frees);
}

/* How many blocks are with the program of one that is full, but for those freed since. */
static inline size_t hak__slab_full_live(const hak_slab *slab)
{
    return hak__slab_dry_live(slab) - (slab->asleep - hak__slab_left(slab));
}

/* How many blocks of the slab are with the program, whatever its state. */
size_t hak__slab_live(const hak_slab *slab);

/* Whether the record is consistent; asserted in debug builds where slabs change hands. */
bool hak__slab_valid(const hak_slab *slab);

/* Takes the first block of a free list that is not empty. */
static inline void *hak__slab_pop(hak_slab *slab)
{
    void *block = slab->free;
    slab->free = *(void **)block;
    return block;
}

#endif
