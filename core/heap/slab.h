/* A slab holds blocks of one size class. It is a run of units; the record of the first unit
 * describes it (pages/unit.h). This header has what can be done with the record alone. */
#ifndef HAK_SLAB_H
#define HAK_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pages/pages.h"

/* The record of a slab's first unit. */
typedef hak_unit hak_slab;
typedef hak_unit_state hak_slab_state;

#define HAK_SLAB_BLOCKS_MAX (((size_t)1 << HAK_UNIT_SHIFT) / 8) /* most blocks in one unit */
_Static_assert(HAK_SLAB_BLOCKS_MAX <= UINT16_MAX, "blocks are counted in 16 bits");

#define HAK_LEFT_FAR      ((uint32_t)1 << 30)
#define HAK_SLEEP_LIGHTLY 1 /* frees after which a full slab wakes: its first */

/* What an empty bin points to: a slab without blocks. Never written. */
extern const hak_slab hak__no_slab;

/* Counts a free. True: the slow path must look at the slab. */
static inline bool hak__slab_count_free(hak_slab *slab)
{
    return --slab->countdown < 0;
}

/* Counts a medium block that a current slab hands out, since its free will be counted. */
static inline void hak__slab_count_taken(hak_slab *slab)
{
    if (slab->countdown < (int32_t)HAK_LEFT_FAR / 2) slab->countdown++;
}

/* The frees that remain until then. */
static inline uint32_t hak__slab_left(const hak_slab *slab)
{
    return (uint32_t)slab->countdown + 1;
}

static inline void hak__slab_set_left(hak_slab *slab, uint32_t frees)
{
    slab->countdown = (int32_t)(frees - 1);
}

/* Carves the next `bytes` worth of blocks, at least one, onto the free list, which is empty, in the
 * order of their addresses. The caller has accounted for the pages up to hak__slab_carve_end. */
void hak__slab_carve(hak_slab *slab, size_t bytes);

/* Where carving would end: bytes from the start of the run, rounded up to the page. */
size_t hak__slab_carve_end(const hak_slab *slab, size_t bytes);

/* Bytes from the start of a slab, span or nest that hold, or have held, its blocks: a
 * multiple of the page. */
size_t hak__slab_used(const hak_slab *slab);

/* Live blocks of a partial slab. */
static inline uint32_t hak__slab_partial_live(const hak_slab *slab)
{
    return hak__slab_left(slab) + slab->parked;
}

/* The pages of the block `offset` bytes behind the first one, as bits of `purged`. */
uint32_t hak__slab_pages(const hak_slab *slab, size_t offset);

/* Carved blocks that lie in purged pages, wholly or in part: neither free nor live. */
size_t hak__slab_lost_in_pages(const hak_slab *slab);
static inline size_t hak__slab_lost(const hak_slab *slab)
{
    return slab->purged ? hak__slab_lost_in_pages(slab) : 0;
}

/* Takes purged pages into use again. Blocks that are whole then join the free list, in the order
 * of their addresses. */
void hak__slab_restore(hak_slab *slab, uint32_t pages);

/* Sorts the free list by address. Does nothing to slabs of several units, whose
 * blocks are large. */
void hak__slab_sort(hak_slab *slab);

/* Blocks in the free list. */
size_t hak__slab_free_count(const hak_slab *slab);

/* Live blocks of a slab that has no free block. */
static inline size_t hak__slab_dry_live(const hak_slab *slab)
{
    return slab->carved - hak__slab_lost(slab);
}

/* Makes a slab without free blocks full. It is in no list until `frees` blocks have been freed. */
static inline void hak__slab_sleep(hak_slab *slab, uint16_t frees)
{
    hak__unit_set_state(slab, HAK_SLAB_FULL);
    slab->asleep = frees;
    hak__slab_set_left(slab, frees);
}

/* Live blocks of a full slab. */
static inline size_t hak__slab_full_live(const hak_slab *slab)
{
    return hak__slab_dry_live(slab) - (slab->asleep - hak__slab_left(slab));
}

/* Live blocks of a slab in any state. */
size_t hak__slab_live(const hak_slab *slab);

/* Whether the record is consistent. Asserted in debug builds when a slab changes its state. */
bool hak__slab_valid(const hak_slab *slab);

/* Takes the first free block. There must be one. */
static inline void *hak__slab_pop(hak_slab *slab)
{
    void *block = slab->free;
    slab->free = *(void **)block;
    return block;
}

#endif
