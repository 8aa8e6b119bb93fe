/* Address space for huge blocks: runs of whole superslabs, with room behind them to grow. Every
 * function takes the region's lock. */
#ifndef HAK_HUGESPACE_H
#define HAK_HUGESPACE_H

#include "pages/region.h"

/* Takes address space for a huge block of `size` bytes, a multiple of the page, at a multiple of
 * `align` bytes, a power of two; committed and all zero, with room to grow behind it as far as
 * there is any. Once there are many huge blocks they lie side by side, since each of them that lies
 * apart is a mapping of the kernel's. NULL when memory is exhausted. */
hak_superslab *hak__hugespace_take(struct hak_pages *pages, size_t size, size_t align);

/* Takes a huge block of `size` to `most` bytes that waits to be given back, with what it holds;
 * NULL when there is none. */
hak_superslab *hak__hugespace_take_waiting(struct hak_pages *pages, size_t size, size_t align,
                                           size_t most);

/* Gives a huge block and its address space back. */
void hak__hugespace_give(hak_superslab *super);

/* The same in two steps, the lock being held: it belongs to no heap; it goes. */
void hak__hugespace_orphan(hak_superslab *super);
void hak__hugespace_drop(hak_superslab *super);

/* Makes a huge block reach `size` bytes where it is. False when its room is used up. One that grows
 * is mapped for some more than that. */
bool hak__hugespace_extend(hak_superslab *super, size_t size, bool grows);

/* Unmaps the first `bytes` of a huge block, which are all that its owner has not unmapped, and
 * gives its addresses back. False, and no change, when the OS refuses. */
bool hak__hugespace_unmap(hak_superslab *super, size_t bytes);

/* Gives up a huge block, whose addresses are never used again. */
void hak__hugespace_lose(hak_superslab *super);

/* Cuts a huge block down to `size` bytes, giving back what lies behind. False, and no change, when
 * the OS refuses. */
bool hak__hugespace_cut(hak_superslab *super, size_t size);

/* Makes a larger huge block out of `super` by moving its pages, and gives the old address space
 * back. NULL when that cannot be done, or not without one mapping more where there are many; then
 * nothing has changed. */
hak_superslab *hak__hugespace_move(hak_superslab *super, size_t size);

/* What is known here of the process. The lock is held. */
typedef struct hak_hugespace_counts {
    size_t taken, refused; /* blocks */
} hak_hugespace_counts;
hak_hugespace_counts hak__hugespace_counts(void);

#endif
