/* Pages that are retained go back to the OS, or to the supply: as many as somebody says. Whole
 * superslabs and huge blocks first where all beyond a bound is to go, since they take one call. */
#ifndef HAK_PURGE_H
#define HAK_PURGE_H

#include "pages/held.h"

/* Purges at least `bytes` of what is retained, units first, if there is so much; returns how many.
 */
size_t hak__purge_some(hak_pages *pages, size_t bytes);

/* Purges until at most `keep` bytes are retained. */
void hak__purge_to(hak_pages *pages, size_t keep);

/* Lets whole superslabs and huge blocks that are retained wait for so many milliseconds until they
 * go, as long as more than `keep` bytes are retained. 0: nothing waits. */
void hak__purge_let_wait(hak_pages *pages, size_t keep, size_t milliseconds);

/* Gives superslabs of which nothing is in use or retained back to the supply. Not on a caller's
 * memory. */
void hak__purge_unused(hak_pages *pages);

/* Gives what the single unit retains back to the OS; returns how many bytes. */
size_t hak__purge_single(hak_pages *pages);

#endif
