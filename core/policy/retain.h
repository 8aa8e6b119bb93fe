/* How much free memory a heap retains: what its profile says, and what the heap learns from giving
 * back. What is kept too long is a resident size that creeps, and what goes too soon comes back as
 * page faults. */
#ifndef HAK_RETAIN_H
#define HAK_RETAIN_H

#include "heap/blocks.h"

/* The bytes the heap may retain now; SIZE_MAX: it gives nothing back by itself. */
size_t hak__retain_bound(const hak_heap *heap);

/* How many milliseconds whole superslabs and huge blocks beyond it wait before they go, in case
 * they are needed again; 0: not at all. */
size_t hak__retain_wait(const hak_heap *heap);

/* Before a purge: learns from the last release. A heap that has taken its pages again too soon
 * keeps as many more from now on; one that has not keeps fewer with every purge. */
void hak__retain_learn(hak_heap *heap);

/* After a purge: the footprint was `before`. */
void hak__retain_released(hak_heap *heap, size_t before);

/* How many bytes of what is retained the program has come to use lately, and so may need; SIZE_MAX:
 * it has not done enough work to tell. */
size_t hak__retain_needed(hak_heap *heap);

#endif
