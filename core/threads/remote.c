#include "threads/remote.h"

#include "threads/hold.h"

#define ADDRESS_BITS 48
#define WEIGHT_MAX   ((uintptr_t)UINT16_MAX)
#define STEP         ((size_t)256) /* bytes */

/* Weights from which who pushes takes the list in: of a heap with a thread, and of one without,
 * which nobody else may ever do. */
#define MUCH      ((uintptr_t)4096) /* 1 MiB */
#define MUCH_IDLE ((uintptr_t)256)  /* 64 KiB */

/* The address of a block, or of a bundle and BUNDLE. */
#define BUNDLE ((uintptr_t)1)

static uintptr_t address_of(uintptr_t head)
{
    return head & (((uintptr_t)1 << ADDRESS_BITS) - 1);
}

static uintptr_t weight_of(uintptr_t head)
{
    return head >> ADDRESS_BITS;
}

static uintptr_t weight_with(uintptr_t weight, size_t size)
{
    size_t steps = size / STEP + 1;
    return steps < WEIGHT_MAX - weight ? weight + steps : WEIGHT_MAX;
}

/* Whether the weight has passed a multiple of `much`, or cannot grow. */
static bool is_much(uintptr_t before, uintptr_t after, uintptr_t much)
{
    return after / much != before / much || after == WEIGHT_MAX;
}

/* Takes the list in for its owner, if the heap can be held at once. */
static void take_for(hak_thread_heap *heap)
{
    if (!hak__hold_try(heap)) return;
    hak__remote_take(heap);
    hak__hold_end(heap);
}

void hak__remote_free(hak_thread_heap *to, void *block, size_t size)
{
    uintptr_t head = atomic_load_explicit(&to->remote, memory_order_relaxed), with;
    do {
        *(uintptr_t *)block = address_of(head);
        with = (uintptr_t)block | weight_with(weight_of(head), size) << ADDRESS_BITS;
    } while (!atomic_compare_exchange_weak_explicit(&to->remote, &head, with, memory_order_release,
                                                    memory_order_relaxed));
    uintptr_t before = weight_of(head), after = weight_of(with);
    if (HAK_UNLIKELY(is_much(before, after, MUCH_IDLE))) {
        bool is_idle = !atomic_load_explicit(&to->owner, memory_order_relaxed);
        if (is_idle || is_much(before, after, MUCH)) take_for(to);
    }
}

/* ------------------------------------------------------------------ bundles */

/* The weight stays. */
static void send(hak_bundle *bundle)
{
    hak_thread_heap *to = bundle->to;
    uintptr_t head = atomic_load_explicit(&to->remote, memory_order_relaxed), with;
    atomic_store_explicit(&bundle->is_sent, 1, memory_order_relaxed);
    do {
        bundle->next = address_of(head);
        with = (uintptr_t)bundle | BUNDLE | weight_of(head) << ADDRESS_BITS;
    } while (!atomic_compare_exchange_weak_explicit(&to->remote, &head, with, memory_order_release,
                                                    memory_order_relaxed));
}

static bool is_in_use(const hak_thread_heap *own, const hak_bundle *bundle)
{
    for (size_t i = 0; i < HAK_OUTGOING; i++) {
        if (own->outgoing[i].owner && own->outgoing[i].bundle == bundle) return true;
    }
    return false;
}

/* One that is neither being filled nor on the way. They are taken in about as they were sent. */
static hak_bundle *unused(hak_thread_heap *own)
{
    for (size_t i = 0; i <= HAK_OUTGOING; i++) {
        hak_bundle *bundle = &own->bundles[own->next_bundle++ % HAK_BUNDLES];
        if (is_in_use(own, bundle)) continue;
        return atomic_load_explicit(&bundle->is_sent, memory_order_acquire) ? NULL : bundle;
    }
    return NULL;
}

static void send_from(hak_outgoing *place)
{
    if (place->owner) send(place->bundle);
    place->owner = NULL;
}

bool hak__remote_bundle(hak_thread_heap *own, hak_thread_heap *to, void *block)
{
    const hak_pages *owner = &to->heap->pages;
    hak_outgoing *place = hak__remote_place(own, owner);
    if (place->owner != owner) {
        send_from(place);
        hak_bundle *bundle = unused(own);
        if (!bundle) return false;
        bundle->to = to;
        bundle->count = 0;
        *place = (hak_outgoing){owner, bundle};
    }
    place->bundle->blocks[place->bundle->count++] = block;
    if (place->bundle->count == HAK_BUNDLE_BLOCKS) send_from(place);
    return true;
}

void hak__remote_flush(hak_thread_heap *own)
{
    for (size_t i = 0; i < HAK_OUTGOING; i++) send_from(&own->outgoing[i]);
}

/* ------------------------------------------------------------------ taking in */

static uintptr_t take_block(hak_heap *heap, void *block)
{
    uintptr_t next = *(uintptr_t *)block;
    hak__heap_free(heap, block);
    return next;
}

static uintptr_t take_bundle(hak_heap *heap, hak_bundle *bundle)
{
    uintptr_t next = bundle->next;
    for (size_t i = 0; i < bundle->count; i++) hak__heap_free(heap, bundle->blocks[i]);
    atomic_store_explicit(&bundle->is_sent, 0, memory_order_release);
    return next;
}

void hak__remote_take(hak_thread_heap *heap)
{
    uintptr_t at = address_of(atomic_exchange_explicit(&heap->remote, 0, memory_order_acquire));
    while (at) {
        hak_bundle *bundle = at & BUNDLE ? (hak_bundle *)(at - BUNDLE) : NULL;
        heap->remote_frees += bundle ? bundle->count : 1;
        at = bundle ? take_bundle(heap->heap, bundle) : take_block(heap->heap, (void *)at);
    }
}
