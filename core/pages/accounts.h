/* A heap's footprint and its limit. */
#ifndef HAK_ACCOUNTS_H
#define HAK_ACCOUNTS_H

#include "pages/held.h"

/* The bytes of the limit that are reserved for classes without a slab. A VM that has reached its
 * limit reports that, and needs a few blocks of other sizes for it. */
size_t hak__class_reserve(const hak_pages *pages);

/* The bytes by which `bytes` more would pass the limit; 0: they may be charged. */
size_t hak__short_of(const hak_pages *pages, size_t bytes);

/* Accounts for `bytes` more. False, and no change, when that would pass the limit; then the heap
 * knows what it was short of: heap/reclaim.h. */
bool hak__charge(hak_pages *pages, size_t bytes);

/* The same for bytes that are there already, limit or not. */
void hak__charge_always(hak_pages *pages, size_t bytes);

/* Accounts for `bytes` less. */
void hak__discharge(hak_pages *pages, size_t bytes);

#endif
