#include "purge.h"

#include "holes.h"
#include "nest.h"
#include "retain.h"
#include "units.h"

#define PEAK_STEP    ((size_t)32 * 1024)
#define IN_EARNEST   64 /* a heap that grows takes new pages in one refill of that many */
#define WORTH_A_STEP ((size_t)16 * 1024)
#define WORTH_LEAST  ((size_t)32 * 1024)
#define LARGE        ((size_t)64 * 1024) /* growing by so much at once pays for itself */
#define HUGE_LEAST   ((size_t)64 * 1024) /* a huge block cut below this goes whole */

/* Giving a byte back, with the page fault when it is used again, is paid for by work on eight, or
 * by growing by one above the last peak: a new byte is a page fault too. */
#define WORK_PER_BYTE 8
#define WORK_LEAST    ((size_t)256 * 1024)

/* Looking takes time too, so that a look that found little is not repeated soon. */
#define WORK_FOR_NOTHING 2 /* times the footprint */

void hak__purge_excess(hak_heap *heap)
{
    if (heap->retained <= hak__retain_bound(heap)) return;
    size_t before = heap->footprint;
    hak__retain_learn(heap);
    /* What was in use at the peak matters less with every purge. */
    size_t in_use = heap->footprint - heap->retained;
    heap->recent_peak -= heap->recent_peak / 8;
    if (heap->recent_peak < in_use) heap->recent_peak = in_use;
    hak__purge_to(heap, hak__retain_bound(heap) / 2);
    hak__retain_released(heap, before);
}

/* Looks again when there is a quarter more, so that a program with many partial slabs does not look
 * at all of them for each. */
void hak__purge_loose(hak_heap *heap)
{
    size_t bound = hak__retain_bound(heap);
    if (heap->loose >= heap->loose_at && heap->loose > bound) {
        size_t before = heap->footprint;
        hak__retain_learn(heap);
        hak__holes_punch(heap, false);
        hak__retain_released(heap, before);
        heap->loose_at = SIZE_MAX;
    }
    size_t more = heap->loose / 4 > bound ? heap->loose / 4 : bound;
    if (heap->loose_at > heap->loose + more) heap->loose_at = heap->loose + more;
}

/* Whether `peak` is a step, a sixty-fourth or so, above the last that was; and, if it is, the heap
 * got there by taking new pages, and not by a rare extreme of a steady state. */
static bool grows_in_earnest(hak_heap *heap, size_t peak)
{
    size_t step = (peak / 4 < PEAK_STEP ? peak / 4 : PEAK_STEP) + peak / 64;
    if (peak < heap->stepped_peak + step) return false;
    size_t pages = (peak - heap->stepped_peak) / HAK_PAGE;
    size_t refills = heap->refills - heap->stepped_refills;
    heap->stepped_peak = peak;
    heap->stepped_refills = heap->refills;
    return refills <= pages * IN_EARNEST;
}

size_t hak__purge_worth(hak_heap *heap, size_t bytes)
{
    size_t peak = heap->footprint + bytes;
    if (peak <= heap->footprint_peak) return SIZE_MAX;
    if (hak__policy(heap)->decommit == HAK_DECOMMIT_OFF) return SIZE_MAX;
    if (heap->prewarmed) return SIZE_MAX; /* memory is kept on purpose */
    if (grows_in_earnest(heap, peak) && heap->retained >= WORTH_A_STEP) return WORTH_A_STEP;
    if (bytes >= LARGE) return HAK_PAGE;
    return heap->work < heap->look_at ? SIZE_MAX : peak / 32 + WORTH_LEAST;
}

size_t hak__purge_share(const hak_heap *heap, size_t bytes)
{
    size_t peak = heap->footprint + bytes, above = peak - heap->footprint_peak;
    size_t least = peak / 32 + WORTH_LEAST;
    return bytes >= LARGE || above > least ? above : least;
}

size_t hak__purge_work(const hak_heap *heap, size_t size, size_t count)
{
    size_t most = heap->traits->work_most;
    return (size < most ? size : most) * count;
}

size_t hak__purge_price(size_t bytes)
{
    return bytes * WORK_PER_BYTE;
}

void hak__purge_looked(hak_heap *heap, size_t given)
{
    size_t wait = given ? hak__purge_price(given) : heap->footprint * WORK_FOR_NOTHING;
    heap->look_at = heap->work + (wait > WORK_LEAST ? wait : WORK_LEAST);
}

/* Retained huge blocks, the latest freed last. */
static size_t purge_huge(hak_heap *heap, size_t keep)
{
    size_t given = 0;
    hak_superslab *next;
    for (hak_superslab *super = heap->huge; super && heap->retained > keep; super = next) {
        next = super->next;
        if (super->huge_retained) given += hak__units_drop_huge(heap, super);
    }
    return given;
}

/* Superslabs without a block go back to the supply. */
static size_t purge_superslabs(hak_heap *heap, size_t keep)
{
    size_t given = 0;
    hak_superslab *next;
    for (hak_superslab *super = heap->supers; super && heap->retained > keep; super = next) {
        next = super->next;
        if (super->free != ~(uint64_t)0) continue;
        size_t touched = hak__units_return(heap, super, 0);
        heap->retained -= touched;
        hak__discharge(heap, touched);
        if (touched) heap->purges++;
        given += touched;
    }
    return given;
}

/* Retained huge blocks, cut or whole. */
static size_t purge_some_huge(hak_heap *heap, size_t bytes)
{
    size_t given = 0;
    hak_superslab *next;
    for (hak_superslab *super = heap->huge; super && given < bytes; super = next) {
        next = super->next;
        if (!super->huge_retained) continue;
        size_t rest = (bytes - given + HAK_PAGE - 1) & ~(HAK_PAGE - 1);
        if (super->huge_size < rest + HUGE_LEAST) given += hak__units_drop_huge(heap, super);
        else given += hak__units_cut_huge(heap, super, super->huge_size - rest);
    }
    return given;
}

size_t hak__purge_some(hak_heap *heap, size_t bytes)
{
    size_t given = 0;
    hak_superslab *lists[] = {heap->supers, heap->supers_full};
    for (size_t i = 0; i < 2; i++) {
        for (hak_superslab *super = lists[i]; super && given < bytes; super = super->next) {
            given += hak__units_purge(heap, super, bytes - given);
        }
    }
    if (given < bytes && !heap->region) given += purge_some_huge(heap, bytes - given);
    return given;
}

size_t hak__purge_to(hak_heap *heap, size_t keep)
{
    size_t given = heap->region ? 0 : purge_huge(heap, keep) + purge_superslabs(heap, keep);
    hak_superslab *lists[] = {heap->supers, heap->supers_full};
    for (size_t i = 0; i < 2; i++) {
        for (hak_superslab *super = lists[i]; super && heap->retained > keep; super = super->next) {
            given += hak__units_purge(heap, super, heap->retained - keep);
        }
    }
    if (!heap->region && heap->retained > keep) given += hak__nest_purge(heap);
    return given;
}
