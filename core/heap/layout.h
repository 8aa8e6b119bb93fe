/* Where in a slab its blocks lie: side by side from its start on. In a heap for a VM that hashes
 * addresses, slabs of small blocks have colours (Bonwick 1994): the first block lies some steps
 * behind the start of the run, and a gap follows each group of blocks. So the n-th blocks of slabs,
 * and of groups, differ in the bits that such a hash uses. */
#ifndef HAK_LAYOUT_H
#define HAK_LAYOUT_H

#include "pages/pages.h"

/* LuaJIT's hash does not use the bits of an address from 16 KiB up to some that all of a slab's
 * blocks have in common. So a group is as many blocks as differ below; a gap of 16 bytes, and the
 * next group differs from it. */
#define HAK_PERIOD ((size_t)16 * 1024)
#define HAK_GAP    ((size_t)16)

/* Gives a slab that has no block yet, in the `unit`-th unit of its region, its colour, and gaps
 * where those are wanted. Of its `bytes` few blocks are lost for that, else there is less of it.
 * Blocks stay aligned as the granularity and their size say. */
void hak__layout_colour(hak_unit *slab, size_t unit, size_t bytes, size_t granularity, bool gaps);

/* The blocks of a group. */
static inline size_t hak__layout_group(const hak_unit *slab)
{
    return HAK_PERIOD >> __builtin_ctz(slab->block_size);
}

/* Where a block begins, in bytes from the first. */
static inline size_t hak__layout_offset(const hak_unit *slab, size_t index)
{
    size_t offset = index * slab->block_size;
    if (HAK_LIKELY(!slab->has_gaps)) return offset;
    return offset + index / hak__layout_group(slab) * HAK_GAP;
}

/* How many blocks would begin within so many bytes from the first. */
size_t hak__layout_begin_within(const hak_unit *slab, size_t bytes);

/* How many would end there; the second one for a slab with gaps. */
size_t hak__layout_end_within_groups(const hak_unit *slab, size_t bytes);
static inline size_t hak__layout_end_within(const hak_unit *slab, size_t bytes)
{
    if (HAK_LIKELY(!slab->has_gaps)) return bytes / slab->block_size;
    return hak__layout_end_within_groups(slab, bytes);
}

/* Where the slab's carved blocks end, in bytes from the start of the run. */
size_t hak__layout_carved_end(const hak_unit *slab);

/* The same, up to the next page. */
static inline size_t hak__slab_carved_pages(const hak_unit *slab)
{
    return (hak__layout_carved_end(slab) + HAK_PAGE - 1) & ~(HAK_PAGE - 1);
}

/* Pages in use of a slab, in bytes. */
static inline size_t hak__slab_pages_in_use(const hak_unit *slab)
{
    return hak__slab_carved_pages(slab) - hak__bytes_of_pages(slab->purged);
}

#endif
