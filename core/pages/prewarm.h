/* Prewarming: pages that are touched before the heap needs them. */
#ifndef HAK_PREWARM_H
#define HAK_PREWARM_H

#include "pages/held.h"

/* Touches free units without pages, of a superslab of the heap or of a new one. They are retained.
 * Up to `bytes`, a multiple of the page, and as far as the limit allows. Returns the bytes touched;
 * 0 if there is no more memory. The heap has lists. */
size_t hak__prewarm(hak_pages *pages, size_t bytes);

#endif
