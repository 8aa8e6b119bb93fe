/* The slabs of each class that have blocks to give beside the current one, in two lists: partial
 * slabs, which have free blocks, and dry ones, which would first have to take pages. A slab that is
 * freed from goes from the second to the first, so that choosing one never passes over slabs that
 * have nothing. The dry ones hang on the current slab, which itself may be dry. First come those
 * with purged pages: such a page brings more blocks than one at the slab's end does, since those
 * that lie in it in part are whole again.
 *
 * Linking and unlinking keeps the record in step with its state: kind, countdown, and what the
 * search for holes has noted. */
#ifndef HAK_PARTIAL_H
#define HAK_PARTIAL_H

#include "heap/blocks.h"

/* Makes a slab with `live` blocks, and free ones, the last partial slab of its class. */
void hak__partial_link(hak_heap *heap, hak_slab *slab, size_t live);

/* Makes one without free blocks dry; or current, where its class has no current slab. */
void hak__partial_link_dry(hak_heap *heap, hak_slab *slab);

/* The dry slab to use next of the class that allocates from `current`; NULL when there is none. */
static inline hak_slab *hak__partial_first_dry(const hak_slab *current)
{
    return current->next;
}

/* Takes a slab out of its list. Its countdown is its live blocks then. */
void hak__partial_unlink(hak_heap *heap, hak_slab *slab);
void hak__partial_unlink_dry(hak_heap *heap, hak_slab *slab);

/* The partial slab of a class to use next; NULL when there is none. */
hak_slab *hak__partial_choose(const hak_heap *heap, hak_bin_class class);

/* Notes what a search has found: the pages in which no block lives, and that before there can be
 * another, `frees` blocks must be freed. */
void hak__partial_set_searched(hak_heap *heap, hak_slab *slab, uint32_t vacant, size_t frees);

/* Notes that of the pages found only these are still there. */
void hak__partial_set_vacant(hak_heap *heap, hak_slab *slab, uint32_t vacant);

/* Makes a slab one that is to be searched again. */
void hak__partial_set_changed(hak_heap *heap, hak_slab *slab);

/* The lists that a slab is in, or may be. */
static inline hak_lists *hak__lists_of(const hak_heap *heap, const hak_slab *slab)
{
    return heap->sets[slab->block_kind]->lists;
}

#endif
