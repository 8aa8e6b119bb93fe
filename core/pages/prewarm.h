/* Pages that a heap has before it needs them. */
#ifndef HAK_PREWARM_H
#define HAK_PREWARM_H

#include "pages/held.h"

/* Touches some of the units that are free and have no pages, of a superslab of the heap or a new
 * one: up to `bytes`, a multiple of the page, as far as the limit allows; returns how many. They
 * are retained. The heap has lists. 0: there is no more to be had. */
size_t hak__prewarm(hak_pages *pages, size_t bytes);

#endif
