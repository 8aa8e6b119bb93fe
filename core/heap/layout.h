/* Where the blocks of a slab lie: side by side from its start. For a VM that hashes addresses,
 * slabs of small blocks have colours (Bonwick 1994): the first block lies some steps behind the
 * start of the run, and a gap follows each group of blocks. So the n-th blocks of slabs, and of
 * groups, differ in the bits that such a hash uses. */
#ifndef HAK_LAYOUT_H
#define HAK_LAYOUT_H

#include "pages/pages.h"

/* LuaJIT's hash ignores the bits of an address from 2^14 up to the bits that all blocks of a slab
 * have in common. The blocks of a group differ in the bits below 2^14. A gap of 16 bytes makes the
 * next group differ from it. */
#define HAK_PERIOD ((size_t)16 * 1024)
#define HAK_GAP    ((size_t)16)

/* Sets the colour of a slab without blocks, and its gaps if `gaps` is true. The slab has `bytes`
 * bytes and is unit `unit` of its region. At most one block in 128 is lost for that; if more would
 * be, there are no gaps, and only colours that fit behind the last block. Blocks keep the alignment
 * that granularity and size give them. */
void hak__layout_colour(hak_unit *slab, size_t unit, size_t bytes, size_t granularity, bool gaps);

/* Blocks of a group. */
static inline size_t hak__layout_group(const hak_unit *slab)
{
    return HAK_PERIOD >> __builtin_ctz(slab->block_size);
}

/* Offset of a block, in bytes from the first one. */
static inline size_t hak__layout_offset(const hak_unit *slab, size_t index)
{
    size_t offset = index * slab->block_size;
    if (HAK_LIKELY(!slab->has_gaps)) return offset;
    return offset + index / hak__layout_group(slab) * HAK_GAP;
}

/* Blocks that would begin within the first `bytes` bytes from the first block. */
size_t hak__layout_begin_within(const hak_unit *slab, size_t bytes);

/* Blocks that would end within them. The first function is for slabs with gaps. */
size_t hak__layout_end_within_groups(const hak_unit *slab, size_t bytes);
static inline size_t hak__layout_end_within(const hak_unit *slab, size_t bytes)
{
    if (HAK_LIKELY(!slab->has_gaps)) return bytes / slab->block_size;
    return hak__layout_end_within_groups(slab, bytes);
}

/* End of the carved blocks, in bytes from the start of the run. */
size_t hak__layout_carved_end(const hak_unit *slab);

/* The same, rounded up to the page. */
static inline size_t hak__slab_carved_pages(const hak_unit *slab)
{
    return (hak__layout_carved_end(slab) + HAK_PAGE - 1) & ~(HAK_PAGE - 1);
}

/* Bytes of pages in use of a slab. */
static inline size_t hak__slab_pages_in_use(const hak_unit *slab)
{
    return hak__slab_carved_pages(slab) - hak__bytes_of_pages(slab->purged);
}

#endif
