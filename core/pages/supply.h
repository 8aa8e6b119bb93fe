/* The supply of superslabs: heaps take them whole, and single units, nests, to begin in. What
 * destroyed heaps leave is pooled for the next ones. Every function takes the region's lock. */
#ifndef HAK_SUPPLY_H
#define HAK_SUPPLY_H

#include "pages/region.h"

/* Takes a superslab for a heap. Its mapped units are free. A new superslab has at least `least` of
 * them, and they are clean. One from the pool may have fewer, and its records say what is touched.
 * NULL if memory is exhausted. */
hak_superslab *hak__supply_take(struct hak_pages *pages, size_t least);

/* Maps more units of a heap's superslab, which are free: at least `least` in all. HAK_TAKEN: others
 * have mapped something there, so that it cannot grow. */
hak_mapped hak__supply_grow(hak_superslab *super, size_t least);

/* Gives a superslab of free units back, `touched` bytes of which are in use by no one. Up to
 * `pool_max` bytes of the process stay in the pool; what is more goes to the OS. */
void hak__supply_give(hak_superslab *super, size_t touched, size_t pool_max);

/* The same in two steps, the lock being held: it belongs to no heap; its pages go to the OS. */
void hak__supply_orphan(hak_superslab *super);
void hak__supply_drop(hak_superslab *super, size_t touched);

/* Takes a unit for a heap to begin in, likewise, as a run in state HAK_UNIT_NEST. NULL when memory
 * is exhausted. */
hak_unit *hak__supply_take_nest(void);

/* Gives it back, likewise. Beyond `pool_max`, nests go to the OS until half of that is left: by few
 * calls, since nests of heaps that are destroyed together lie side by side. */
void hak__supply_give_nest(hak_unit *nest, size_t pool_max);

/* Gives pages of the pool to the OS until at most `keep` bytes are left; returns how many. */
size_t hak__supply_shrink(size_t keep);

/* What is known here of the process. The lock is held. */
typedef struct hak_supply_counts {
    size_t pooled; /* bytes, with those that wait */
    size_t superslabs_taken, superslabs_given;
} hak_supply_counts;
hak_supply_counts hak__supply_counts(void);

#endif
