/* Retained pages of packs go back to the OS. They are unmapped, so that their address space is
 * there for the rest of the program; if there are many holes already, only purged. */
#ifndef HAK_PACK_PURGE_H
#define HAK_PACK_PURGE_H

#include "pages/held.h"

/* Purges at least `bytes` of what packs retain, if there is so much; returns how many. */
size_t hak__packs_purge_some(hak_pages *pages, size_t bytes);

/* Purges all that one pack retains; returns how many bytes. A pack without blocks is gone then. */
size_t hak__packs_purge_one(hak_pages *pages, hak_superslab *super);

/* Gives all packs back, with the blocks in them: the heap is destroyed. */
void hak__packs_destroy(hak_pages *pages);

#endif
