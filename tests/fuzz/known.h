/* Faults of the core that are known and being mended: where one of these is 1, the fuzz target does
 * not do, or not check, what would meet it. To be set to 0, and removed, with the fault. */
#ifndef FUZZ_KNOWN_H
#define FUZZ_KNOWN_H

#define KNOWN_REFUSED_LIMIT_TRIMS      1 /* a set_limit refused with ERANGE has trimmed the heap */
#define KNOWN_PREWARM_UNDER_LIMIT      1 /* prewarm under a limit breaks the accounts */
#define KNOWN_PUNCHED_SLAB_STAYS       1 /* an empty slab with all its pages given back stays */
#define KNOWN_SHRINK_SETS_ERRNO        1 /* a realloc that shrinks at the limit sets errno */
#define KNOWN_ALIGNED_ABOVE_SUPER      1 /* no alignment above a superslab, at small units */
#define KNOWN_HALF_MOVED_BLOCK_DIES    1 /* realloc aborts where mremap is refused half way */
#define KNOWN_NEW_ABOVE_LIMIT          1 /* a new heap is above its limit where madvise is refused */
#define KNOWN_LOST_COUNTS_AS_COMMITTED 1 /* addresses lost by a move, in process statistics */
#define KNOWN_HOLES_COUNT_AGAIN        1 /* where madvise is refused as a slab with holes retires */
#define KNOWN_EMPTY_SUPERSLAB_STAYS    1 /* after a trim, one of which no page was ever touched */

#endif
