/* Giving memory back to the OS, by policy. Called where slabs retire and blocks are refused, never
 * on the hot path. */
#ifndef HAK_PURGE_H
#define HAK_PURGE_H

#include "heap.h"

/* Purges when more is retained than the profile allows, and then well below that bound, so that a
 * program that swings around it does not call the OS each time. */
void hak__purge_excess(hak_heap *heap);

/* Whether a heap about to touch `bytes` more should first see what it can do without: at a new
 * peak, a sixty-fourth or so above the last, that it has reached by growing in earnest. So what is
 * retained adds little to a peak, and a program that creeps up in a steady state makes no calls. */
bool hak__purge_is_due(hak_heap *heap, size_t bytes);

/* Purges until at most `keep` bytes are retained; returns how many were given back. */
size_t hak__purge_to(hak_heap *heap, size_t keep);

/* The bytes the heap may retain now. */
size_t hak__purge_bound(const hak_heap *heap);

#endif
