/* Giving memory back to the OS, by policy. Called where slabs retire and blocks are refused, never
 * on the hot path. */
#ifndef HAK_PURGE_H
#define HAK_PURGE_H

#include "heap/blocks.h"

/* Purges when more is retained than the profile allows, and then well below that bound, so that a
 * program that swings around it does not call the OS each time. */
void hak__purge_excess(hak_heap *heap);

/* Gives back holes when the pages of partial slabs have become more than the profile would retain:
 * what a burst leaves behind where a few of its blocks live on. */
void hak__purge_loose(hak_heap *heap);

/* Whether a heap has come to a new `peak` by taking new pages, and not by a rare extreme of a
 * steady state. */
bool hak__purge_is_in_earnest(const hak_heap *heap, size_t peak);

/* How many bytes a heap about to touch `bytes` more must find to give back first, for it to be
 * worth the calls; SIZE_MAX: not worth looking. It looks before a new peak: while it grows in
 * earnest, at each sixty-fourth, so that what is retained adds little to the peak; and otherwise
 * when the program has done enough work since the last time to pay for it, and if there is much. So
 * a program in a steady state makes hardly any calls. A large block pays for itself: its pages are
 * as many faults as those given back for it. */
size_t hak__purge_worth(hak_heap *heap, size_t bytes);

/* A look for holes round all slabs, some of it at a time, so that no call takes long however many
 * there are. It is over when nothing is left of it in `round_left`. To begin one, which only
 * searches, or gives back what it finds. */
void hak__purge_begin_round(hak_heap *heap, bool searches);

/* Goes on with a search until so many free blocks have been read and units passed. True when there
 * are `worth` bytes to be had, with what is retained and, at its end, with the slabs in use. */
bool hak__purge_search_round(hak_heap *heap, size_t worth, size_t reads);

/* Goes on with one that gives back, until it has given `bytes`, or as above; returns how many. */
size_t hak__purge_go_round(hak_heap *heap, size_t bytes, size_t reads);

/* How many bytes to give back then: what is above the last peak and, unless a large block is what
 * takes it there, some more, so that it is not reached again at once. */
size_t hak__purge_share(const hak_heap *heap, size_t bytes);

/* The work that a program does with `count` new blocks of `size` bytes. */
size_t hak__purge_work(const hak_heap *heap, size_t size, size_t count);

/* Puts off the next look until the program's work has paid for this one: for the bytes given back
 * and the free blocks read. */
void hak__purge_pay(hak_heap *heap, size_t given, size_t read);

/* Much has been freed: if the last look was in vain, the next need not be. */
void hak__purge_hope(hak_heap *heap);

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
