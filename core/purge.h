/* Giving memory back to the OS, by policy. Called where slabs retire and blocks are refused, never
 * on the hot path. */
#ifndef HAK_PURGE_H
#define HAK_PURGE_H

#include "heap.h"

/* Purges when more is retained than the profile allows, and then well below that bound, so that a
 * program that swings around it does not call the OS each time. */
void hak__purge_excess(hak_heap *heap);

/* Gives back holes when the pages of partial slabs have become more than the profile would retain:
 * what a burst leaves behind where a few of its blocks live on. */
void hak__purge_loose(hak_heap *heap);

/* How many bytes a heap about to touch `bytes` more must find to give back first, for it to be
 * worth the calls; SIZE_MAX: not worth looking. It looks before a new peak: while it grows in
 * earnest, at each sixty-fourth, so that what is retained adds little to the peak; and otherwise
 * when the program has done enough work since the last time to pay for it, and if there is much. So
 * a program in a steady state makes hardly any calls. A large block pays for itself: its pages are
 * as many faults as those given back for it. */
size_t hak__purge_worth(hak_heap *heap, size_t bytes);

/* A look for holes round all slabs, some of it at a time, so that no call takes long however many
 * there are. To begin one, which only searches, or gives back what it finds; and to go on with it
 * until `bytes` have been given back, or so many free blocks read and units passed: returns how
 * many bytes. When it is over nothing is left of it in `round_left`, and the next is to be paid
 * for. */
void hak__purge_begin_round(hak_heap *heap, bool searches);
size_t hak__purge_go_round(hak_heap *heap, size_t bytes, size_t reads);

/* How many bytes to give back then: what is above the last peak and, unless a large block is what
 * takes it there, some more, so that it is not reached again at once. */
size_t hak__purge_share(const hak_heap *heap, size_t bytes);

/* The work that a program does with `count` new blocks of `size` bytes. */
size_t hak__purge_work(const hak_heap *heap, size_t size, size_t count);

/* The work that pays for giving back `bytes`. */
size_t hak__purge_price(size_t bytes);

/* To be told of each look, and the bytes that were given back. */
void hak__purge_looked(hak_heap *heap, size_t given);

/* Purges at least `bytes` of what is retained, units first, if there is so much; returns how many.
 */
size_t hak__purge_some(hak_heap *heap, size_t bytes);

/* Gives superslabs of which nothing is in use or retained back to the supply. Not on a caller's
 * memory. */
void hak__purge_unused(hak_heap *heap);

/* Lets whole superslabs and huge blocks that are retained wait until they go, if the heap has any
 * wait, as long as more than `keep` bytes are retained. */
void hak__purge_let_wait(hak_heap *heap, size_t keep);

/* Purges until at most `keep` bytes are retained. */
void hak__purge_to(hak_heap *heap, size_t keep);

#endif
