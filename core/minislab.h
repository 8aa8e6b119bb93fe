/* Minislabs: where the first blocks of each size class live, so that a small heap does not spend a
 * page on each class it has touched once.
 *
 * One run of units, 64 KiB in the shared region, is cut into cells of 1 KiB. A minislab is one cell
 * with a slab record of its own; the first cell of every sixteen holds the records of the others.
 * Each class gets a few minislabs before anything else. When the last has run dry, or one has seen
 * many frees, the class moves on to slabs for good and its minislabs only drain: frees in them take
 * the slow path, which a busy class must not. */
#ifndef HAK_MINISLAB_H
#define HAK_MINISLAB_H

#include "heap.h"

#define HAK_CELL       ((size_t)1024)
#define HAK_CELL_GROUP (HAK_CELL / sizeof(hak_slab))

/* Minislabs of a class: a page would be the same. */
#define HAK_MINIS 3

/* Frees in a current minislab before its class moves on. */
#define HAK_MINI_FREES 128

/* A minislab for class `index`, carved and current. NULL if the class has moved on, its blocks do
 * not fit, or there is no cell or memory left. */
hak_slab *hak__mini_take(hak_heap *heap, unsigned index);

/* Gives a minislab's cell back. */
void hak__mini_give(hak_heap *heap, hak_slab *mini);

/* Makes a current minislab one that only drains. False if nothing is left in it to drain. */
bool hak__mini_drain(hak_slab *mini);

/* Gives the run back when no cell is in use. */
void hak__mini_trim(hak_heap *heap);

/* The record of the minislab around `p`, a pointer into the heap's run; hak__no_slab where there is
 * none. */
hak_slab *hak__mini_of(const hak_heap *heap, const void *p);

/* The record of a cell that is in use. */
static inline hak_slab *hak__mini_record(const hak_slab *run, size_t cell)
{
    size_t group = cell / HAK_CELL_GROUP * HAK_CELL_GROUP;
    return (hak_slab *)(run->start + group * HAK_CELL) + cell % HAK_CELL_GROUP;
}

#endif
