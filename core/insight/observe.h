/* The observer of a heap. It counts requests, their source and the lifetimes of blocks.
 *
 * It is not on the path of a heap that is not observed. An adapter exchanges its functions for
 * others that tell the observer of each operation and then call the first. In an OBSERVE build
 * (-DHAK_OBSERVE) the functions of hakmem.h do so (observed.c).
 *
 * An observer has its own memory and is destroyed with the heap. It has the heap's one user. */
#ifndef HAK_OBSERVE_H
#define HAK_OBSERVE_H

#include "heap/heap.h"
#include "insight/births.h"
#include "insight/trace.h"

/* Whether heaps are observed from their creation on. */
#ifdef HAK_OBSERVE
enum { HAK_OBSERVE_BUILD = true };
#else
enum { HAK_OBSERVE_BUILD = false };
#endif

/* Slot 0: blocks of whole pages. Other slots: the size class of that index. */
#define HAK_CLASS_SLOTS HAK_CLASSES
_Static_assert(HAK_CLASS_SLOTS <= HAK_CLASS_STATS_MAX, "each slot has a place in hak_observations");

typedef struct hak_observer {
    hak_destroy_hook destroy_hook; /* must be first: the heap has a pointer to it */
    bool on;
    hak_births births;
    hak_trace trace;
    hak_observations counts;   /* running counts; class_observations by slot */
    hak_observations snapshot; /* the last snapshot */
    size_t sizes[HAK_SMALL_MAX / 8 + 1], sizes_by_class[HAK_CLASSES], sizes_by_power[HAK_POWERS];
} hak_observer;

_Static_assert(HAK_SMALL_MAX / 8 + 1 + HAK_CLASSES + HAK_POWERS <= HAK_SIZE_RANGES_MAX,
               "each size that there can be has a place in hak_observations");

/* Entry `power` of a histogram by powers of two counts the numbers from hak__power_from to
 * hak__power_to: 0, 1, 2 to 3, 4 to 7 and so on. */
static inline uint64_t hak__power_from(unsigned power)
{
    return power ? UINT64_C(1) << (power - 1) : 0;
}

static inline uint64_t hak__power_to(unsigned power)
{
    return power ? hak__power_from(power) - 1 + hak__power_from(power) : 0;
}

static inline hak_range hak__power_range(unsigned power, size_t count)
{
    return (hak_range){hak__power_from(power), hak__power_to(power), count};
}

static inline unsigned hak__power_of(uint64_t number)
{
    return number ? 64 - (unsigned)__builtin_clzll(number) : 0;
}

/* Bytes of memory of an observer. */
size_t hak__observe_memory(const hak_observer *observer);

/* Begins to observe, with all counts 0. Changes nothing if the heap is observed. False
 * with errno ENOMEM. */
bool hak__observe_begin(hak_heap *heap);

/* Ends observing; the counts can still be read. */
void hak__observe_end(hak_heap *heap);

/* The observer of a heap; NULL: never observed. */
static inline hak_observer *hak__observer_of(const hak_heap *heap)
{
    return (hak_observer *)heap->destroy_hook;
}

static inline bool hak__observing(const hak_heap *heap)
{
    return heap->destroy_hook && hak__observer_of(heap)->on;
}

/* The state before an operation. */
typedef struct hak_probe {
    void *block; /* block to be resized, or NULL */
    size_t size; /* bytes requested */
    size_t had;  /* bytes that the block can hold; 0: not a block of this heap */
    size_t refills;
    bool hit; /* the bin has a free block */
} hak_probe;

/* To be called before `size` bytes of a kind (heap/kinds.h) are allocated, or `block`, which has
 * its kind, is resized to them. */
hak_probe hak__observe_before(hak_heap *heap, void *block, unsigned kind, size_t size);

/* To be called after it with its result. Tells the observer of the heap, if it is observed. */
void hak__observe_after(hak_heap *heap, const hak_probe *before, const void *result);

/* To be called before a block is freed; not NULL. */
void hak__observe_free(hak_heap *heap, const void *block);

/* Whether the current slab of a class has a free block. */
bool hak__observe_hit(const hak_heap *heap, unsigned kind, unsigned index);

#endif
