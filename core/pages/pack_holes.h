/* Holes: pages of a pack that lie in its gaps and are unmapped, so that their address space is
 * there for others. Other threads may map there: what is not ours is never unmapped. */
#ifndef HAK_PACK_HOLES_H
#define HAK_PACK_HOLES_H

#include "pages/pack.h"

/* The pages before the end of what is mapped of a pack. */
static inline hak_page_range hak__pack_mapped(const hak_superslab *super)
{
    return (hak_page_range){0, super->huge_mapped / HAK_PAGE};
}

/* Bytes that are mapped of a pack. */
size_t hak__pack_mapped_bytes(const hak_superslab *super);

/* Maps what is not mapped of a range. On refusal nothing has changed. */
bool hak__pack_map(hak_superslab *super, hak_page_range range);

/* Unmaps a range that is mapped. False, and no change, when the OS refuses, or if there are many
 * holes. */
bool hak__pack_unmap(hak_superslab *super, hak_page_range range);

/* Unmaps all of a pack, whatever it holds, and gives its addresses back. False when the OS refuses:
 * its first page, the record, is there still, and says what else is mapped. */
bool hak__pack_unmap_all(hak_superslab *super);

/* Gives up a pack that the OS does not unmap. */
void hak__pack_lose(hak_superslab *super);

#endif
