/* Spans that were freed, each kept whole for the next one of as many units. A program that frees
 * large blocks soon allocates others like them. So their units are not marked as free, and joined
 * with those beside them, until somebody wants units with pages, or pages go back: that is deferred
 * coalescing, as in the quick lists of dlmalloc (Lea, 1996).
 *
 * What lies here counts as retained. units.c puts it here, takes it, and frees all of it. */
#ifndef HAK_SHELF_H
#define HAK_SHELF_H

#include "pages/held.h"

/* Puts a span of the shared region there, in which nothing is in use any more. False: it is too
 * long, or enough of its length are there. */
bool hak__shelf_put(hak_pages *pages, hak_unit *run);

/* The span of `count` units that was put there last; NULL: there is none. */
hak_unit *hak__shelf_take(hak_pages *pages, size_t count);

/* One of any length. */
hak_unit *hak__shelf_take_any(hak_pages *pages);

static inline bool hak__shelf_is_empty(const hak_pages *pages)
{
    uint32_t any = 0;
    for (size_t i = 0; i < HAK_SHELF; i++) any |= pages->supers->shelf[i];
    return any == 0;
}

#endif
