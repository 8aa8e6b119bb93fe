/* The blocks of a thread heap that other threads have freed: a list that anybody may push to, and
 * that who has the heap's token takes whole and frees block by block.
 *
 * The head is one word. To push is one compare-and-exchange, to take all one exchange, so that a
 * head that comes back with another list behind it (ABA) does no harm.
 *
 * What is pushed is a bundle, in the usual case. The freeing thread collects the addresses of small
 * blocks of the same heap in a bundle of its own heap, and touches neither the blocks nor their
 * slabs, whose lines are in the owner's cache. The owner gets many addresses with two lines.
 *
 * Large blocks are pushed singly, linked through their first word; and any block if the freeing
 * thread has no heap now, or all its bundles are on the way. The head counts their bytes, in steps,
 * in the bits above an address.
 *
 * An owner takes the list in on its slow path. One that is idle does not. So who pushes a block,
 * and sees from the weight that much waits, holds the heap and takes the list in itself. Of bundles
 * only so many can be on the way. */
#ifndef HAK_REMOTE_H
#define HAK_REMOTE_H

#include "threads/thread.h"

/* Frees a small block of another heap `to`: it joins a bundle of `own`, whose token the calling
 * thread has. False: all bundles are on the way. */
bool hak__remote_bundle(hak_thread_heap *own, hak_thread_heap *to, void *block);

/* Where the bundle for a heap with these pages is. They lie in the heap's nest. */
static inline hak_outgoing *hak__remote_place(hak_thread_heap *own, const hak_pages *owner)
{
    return &own->outgoing[((uintptr_t)owner >> HAK_UNIT_SHIFT) % HAK_OUTGOING];
}

/* The usual case of that: such a bundle is being filled, and this block is not its last. */
static inline bool hak__remote_join(hak_thread_heap *own, const hak_pages *owner, void *block)
{
    const hak_outgoing *place = hak__remote_place(own, owner);
    if (HAK_UNLIKELY(place->owner != owner)) return false;
    hak_bundle *bundle = place->bundle;
    if (HAK_UNLIKELY(bundle->count == HAK_BUNDLE_BLOCKS - 1)) return false;
    bundle->blocks[bundle->count++] = block;
    return true;
}

/* Sends all bundles that are being filled. The caller has the token. */
void hak__remote_flush(hak_thread_heap *own);

/* Frees a block of a heap that the calling thread may not use. `size`: bytes that it holds. */
void hak__remote_free(hak_thread_heap *to, void *block, size_t size);

/* Whether blocks wait. */
static inline bool hak__remote_waits(const hak_thread_heap *heap)
{
    return atomic_load_explicit(&heap->remote, memory_order_relaxed) != 0;
}

/* Frees what waits. The caller has the token. */
void hak__remote_take(hak_thread_heap *heap);

#endif
