/* Blocks in packs. Under a limit of address space (RLIMIT_AS), blocks above 16 KiB that whole units
 * would waste much of lie in packs (pack.h). Their pages are accounted for as those of units are:
 * what no block has is retained until it is purged (pack_purge.h). */
#ifndef HAK_PACKS_H
#define HAK_PACKS_H

#include "pages/held.h"
#include "pages/pack.h"

/* Whether a block may lie in a pack. */
static inline bool hak__packs_suit(size_t size, size_t align)
{
    return size > HAK_PACK_ABOVE && size <= HAK_PACK_MOST && align <= HAK_PAGE;
}

/* What a new block needs. */
typedef struct hak_packs_need {
    size_t lack; /* bytes that it adds to the footprint */
    bool maps;   /* more has to be mapped for it */
} hak_packs_need;
hak_packs_need hak__packs_need(const hak_pages *pages, size_t size, size_t align);

/* The bytes that a block adds to the footprint if it grows to `size` bytes where it is; SIZE_MAX:
 * it cannot. */
size_t hak__packs_grow_lack(const hak_superslab *super, size_t index, size_t size);

/* Takes room for a block that hak__packs_suit says may lie in a pack, at a multiple of `align`; at
 * least of HAK_PACK_STEP. NULL, and no change, when memory or the limit is exhausted. */
void *hak__packs_take(hak_pages *pages, size_t size, size_t align, bool zero);

/* Gives the block with that index back. Its pages are retained. */
void hak__packs_give(hak_pages *pages, hak_superslab *super, size_t index);

/* Makes that block `size` bytes long where it is. False, and no change, if the next block is in the
 * way, or when memory or the limit is exhausted. */
bool hak__packs_resize(hak_pages *pages, hak_superslab *super, size_t index, size_t size);

/* The index of the block at `p`, an address in a pack; `count` or the next one, if none is there.
 */
static inline size_t hak__packs_index(const hak_superslab *super, const void *p)
{
    return hak__pack_index(hak__pack_of(super),
                           (size_t)((const char *)p - hak__superslab_start(super)));
}

/* Whether the block with that index begins at `p`. */
static inline bool hak__packs_begins(const hak_superslab *super, size_t index, const void *p)
{
    return hak__superslab_start(super) + hak__pack_of(super)->blocks[index].begin == p;
}

/* The bytes of the block at `p`, any address of it; 0 if there is none. */
size_t hak__packs_size(const hak_superslab *super, const void *p);

/* Whether `p` lies in a page of a pack that has a block, or is retained. Any thread may ask about a
 * block that it keeps alive. */
static inline bool hak__packs_has_page(const hak_superslab *super, const void *p)
{
    size_t offset = (size_t)((const char *)p - hak__superslab_start(super));
    return hak__pack_bit(&hak__pack_of(super)->touched, offset / HAK_PAGE);
}

#endif
