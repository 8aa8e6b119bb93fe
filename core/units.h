/* The units of a heap: runs of them are taken for slabs and spans and given back, and every page is
 * accounted for on the way. This is where the limit is checked.
 *
 * A unit that nobody uses keeps the pages it has touched until they are purged; they stay in the
 * heap's footprint and count as retained. */
#ifndef HAK_UNITS_H
#define HAK_UNITS_H

#include "heap.h"

/* Takes `count` adjacent units, from the heap's superslabs or a new one, as a run of kind `kind`:
 * records are set, nothing is touched. NULL when there is no such run to be had. */
hak_slab *hak__units_take(hak_heap *heap, size_t count, hak_slab_kind kind);

/* Gives a run back. Its touched pages are retained. */
void hak__units_give(hak_heap *heap, hak_slab *run);

/* Accounts for the bytes of a run from `begin` to `end`, multiples of the page, coming into use:
 * those that were never touched join the footprint, the others are no longer retained. False, and
 * no change, when that would pass the limit. */
bool hak__units_use(hak_heap *heap, hak_slab *run, size_t begin, size_t end);

/* How much of that would join the footprint. */
size_t hak__units_untouched(const hak_heap *heap, const hak_slab *run, size_t begin, size_t end);

/* Accounts for the bytes of a run from `begin` to `end` being of no use any more. They are
 * retained. */
void hak__units_leave(hak_heap *heap, hak_slab *run, size_t begin, size_t end);

/* Makes a run `count` units long where it is. Growing fails when the next units are not free. */
bool hak__units_resize(hak_heap *heap, hak_slab *run, size_t count);

/* Adds a superslab's pages to what the heap holds, and takes them away again. A superslab whose
 * pages pass the limit, and cannot be purged, is given back: false. `hak__units_drop` returns the
 * bytes touched in it. */
bool hak__units_adopt(hak_heap *heap, hak_superslab *super);
size_t hak__units_drop(hak_heap *heap, hak_superslab *super);

/* Takes a superslab and touches up to `bytes` of it; returns how many. They are retained. */
size_t hak__units_prewarm(hak_heap *heap, size_t bytes);

/* Takes a superslab of free units from the heap and gives it to the supply, whose pool may keep
 * `pool_max` bytes; returns the bytes touched in it. */
size_t hak__units_return(hak_heap *heap, hak_superslab *super, size_t pool_max);

/* Gives a retained huge block back; returns its bytes. */
size_t hak__units_drop_huge(hak_heap *heap, hak_superslab *huge);

/* Gives the end of a retained huge block back, so that `size` bytes are left, a multiple of the
 * page; returns how many. */
size_t hak__units_cut_huge(hak_heap *heap, hak_superslab *huge, size_t size);

/* Bytes of a superslab's free units that have been touched. */
size_t hak__units_retained(const hak_superslab *super);

/* Purges what is retained in a superslab, until that is at least `most` bytes, by as few calls as
 * possible; returns the bytes given back. */
size_t hak__units_purge(hak_heap *heap, hak_superslab *super, size_t most);

/* Gives pages of a heap's superslabs back as its policy says. */
bool hak__give_pages(hak_heap *heap, void *start, size_t size);

/* Whether `bytes` more are within the limit. */
bool hak__may_charge(const hak_heap *heap, size_t bytes);

/* Accounts for `bytes` more, or less. */
bool hak__charge(hak_heap *heap, size_t bytes);
void hak__discharge(hak_heap *heap, size_t bytes);

/* Bytes of one of the heap's units. */
static inline size_t hak__heap_unit_size(const hak_heap *heap)
{
    return heap->region ? hak__unit_size(heap->region) : (size_t)1 << HAK_UNIT_SHIFT;
}

/* The region a run lies in. */
static inline hak_region *hak__region_of_run(const hak_heap *heap, const hak_slab *run)
{
    return heap->region ? heap->region : hak__region_of(run->start);
}

#endif
