#include "heap/purge.h"

#include "heap/holes.h"
#include "heap/nest.h"
#include "os/os.h"
#include "pages/pages.h"
#include "policy/retain.h"

#define PEAK_STEP    ((size_t)32 * 1024)
#define IN_EARNEST   64 /* a heap that grows takes new pages in one refill of that many */
#define WORTH_A_STEP ((size_t)16 * 1024)
#define WORTH_LEAST  ((size_t)32 * 1024)
#define PASSING      HAK_SUPERSLAB_SIZE  /* may be too much for a moment */
#define LARGE        ((size_t)64 * 1024) /* growing by so much at once pays for itself */

/* Free blocks that are read, and units that are passed, by one free that looks for holes: few, so
 * that it does not take long, however many there are. */
#define READS_AT_A_FREE 256

/* Giving a byte back, with the page fault when it is used again, is paid for by work on one, or by
 * growing by one above the last peak: a new byte is a page fault too. Looking takes time as well:
 * to read a free block, or to pass a unit, is paid for by work on a few bytes. */
#define WORK_PER_READ 64
#define WORK_LEAST    ((size_t)32 * 1024)

/* Whether what is beyond the bound stays for a moment: superslabs that are being emptied can wait
 * as a whole when they are empty, a program that works in bursts takes them again, and a block that
 * grows takes its spare. */
static bool may_pass(hak_heap *heap, size_t bound)
{
    size_t wait = hak__retain_wait(heap);
    if (!wait || heap->pages.retained > bound + PASSING + hak__kept_spare(&heap->pages))
        return false;
    uint32_t now = (uint32_t)hak__os_clock();
    if (!heap->pages.released.over) heap->pages.released.over = now ? now : 1;
    return now - heap->pages.released.over <= wait;
}

static bool is_within(hak_heap *heap, size_t bound)
{
    if (heap->pages.retained > bound) return false;
    heap->pages.released.over = 0;
    return true;
}

void hak__purge_excess(hak_heap *heap)
{
    size_t bound = hak__retain_bound(heap);
    if (is_within(heap, bound) || !hak__purge_may_begin(&heap->pages)) return;
    hak__purge_let_wait(heap, bound / 2 + hak__kept_spare(&heap->pages));
    if (is_within(heap, bound) || may_pass(heap, bound)) return;
    hak__retain_learn(heap);
    /* What was in use at the peak matters less with every purge. */
    size_t in_use = heap->pages.footprint - heap->pages.retained;
    heap->pages.recent_peak -= heap->pages.recent_peak / 8;
    if (heap->pages.recent_peak < in_use) heap->pages.recent_peak = in_use;
    size_t before = heap->pages.footprint;
    hak__purge_to(heap, hak__retain_bound(heap) / 2);
    hak__retain_released(heap, before);
}

/* Looks again when there is a quarter more, so that a program with many partial slabs does not look
 * at all of them for each. */
void hak__purge_loose(hak_heap *heap)
{
    size_t bound = hak__retain_bound(heap);
    if (heap->loose >= heap->loose_at && heap->loose > bound &&
        hak__purge_may_begin(&heap->pages)) {
        hak__retain_learn(heap);
        heap->loose_at = SIZE_MAX;
        if (!heap->round_left || heap->round_searches) hak__purge_begin_round(heap, false);
    }
    if (heap->round_left && !heap->round_searches) {
        size_t before = heap->pages.footprint;
        hak__purge_go_round(heap, SIZE_MAX, READS_AT_A_FREE);
        hak__retain_released(heap, before);
    }
    size_t more = heap->loose / 4 > bound ? heap->loose / 4 : bound;
    if (heap->loose_at > heap->loose + more) heap->loose_at = heap->loose + more;
}

bool hak__purge_is_in_earnest(const hak_heap *heap, size_t peak)
{
    size_t pages = peak > heap->stepped_peak ? (peak - heap->stepped_peak) / HAK_PAGE : 0;
    uint32_t refills = (uint32_t)heap->refills - heap->stepped_refills;
    return refills <= pages * IN_EARNEST;
}

/* Whether `peak` is a step, a sixty-fourth or so, above the last that was; and, if it is, the heap
 * grows in earnest. */
static bool grows_by_a_step(hak_heap *heap, size_t peak)
{
    size_t step = (peak / 4 < PEAK_STEP ? peak / 4 : PEAK_STEP) + peak / 64;
    if (peak < heap->stepped_peak + step) return false;
    bool in_earnest = hak__purge_is_in_earnest(heap, peak);
    heap->stepped_peak = peak;
    heap->stepped_refills = (uint32_t)heap->refills;
    return in_earnest;
}

size_t hak__purge_worth(hak_heap *heap, size_t bytes)
{
    size_t peak = heap->pages.footprint + bytes;
    if (peak <= heap->pages.footprint_peak) return SIZE_MAX;
    if (hak__policy(heap)->decommit == HAK_DECOMMIT_OFF) return SIZE_MAX;
    if (heap->pages.prewarmed) return SIZE_MAX; /* memory is kept on purpose */
    if (grows_by_a_step(heap, peak) && heap->pages.retained >= WORTH_A_STEP) return WORTH_A_STEP;
    if (bytes >= LARGE) return HAK_PAGE;
    if (heap->work < heap->look_at && !heap->round_left) return SIZE_MAX;
    return peak / 32 + WORTH_LEAST;
}

size_t hak__purge_share(const hak_heap *heap, size_t bytes)
{
    size_t peak = heap->pages.footprint + bytes, above = peak - heap->pages.footprint_peak;
    size_t least = peak / 32 + WORTH_LEAST;
    return bytes >= LARGE || above > least ? above : least;
}

size_t hak__purge_work(const hak_heap *heap, size_t size, size_t count)
{
    size_t most = heap->traits->work_most;
    return (size < most ? size : most) * count;
}

void hak__purge_pay(hak_heap *heap, size_t given, size_t read)
{
    if (heap->look_at < heap->work + WORK_LEAST) heap->look_at = heap->work + WORK_LEAST;
    heap->look_at += given + read * WORK_PER_READ;
}

/* A heap in which there was nothing to be found, again and again, is looked at less and less: after
 * twice as much work each time, up to what it has. */
static void pay_for_nothing(hak_heap *heap)
{
    size_t wait = WORK_LEAST << heap->looks_in_vain;
    if (wait < heap->pages.footprint) heap->looks_in_vain++;
    heap->look_at += wait < heap->pages.footprint ? wait : heap->pages.footprint;
}

void hak__purge_hope(hak_heap *heap)
{
    if (!heap->looks_in_vain) return;
    heap->looks_in_vain = 0;
    if (heap->look_at > heap->work) heap->look_at = heap->work;
}

void hak__purge_begin_round(hak_heap *heap, bool searches)
{
    heap->round_searches = searches;
    heap->round_left = heap->pages.region ? 0 : hak__superslabs_round(&heap->pages);
}

bool hak__purge_search_round(hak_heap *heap, size_t worth, size_t reads)
{
    size_t read = 0;
    size_t there = heap->pages.retained;
    there += hak__holes_find_some(heap, reads, &read, &heap->round_left);
    if (there < worth && !heap->round_left) there += hak__holes_of_current(heap, &read);
    hak__purge_pay(heap, 0, read);
    if (there >= worth) heap->looks_in_vain = 0;
    else if (!heap->round_left) pay_for_nothing(heap);
    return there >= worth;
}

size_t hak__purge_go_round(hak_heap *heap, size_t bytes, size_t reads)
{
    size_t read = 0;
    size_t given = hak__holes_punch_some(heap, bytes, reads, &read, &heap->round_left);
    hak__purge_pay(heap, given, read);
    return given;
}

/* Superslabs without a block go back to the supply, or wait for so many milliseconds. */
static void purge_superslabs(hak_heap *heap, size_t keep, size_t wait)
{
    hak_superslab *super, *next;
    for (super = hak__superslabs_unused(&heap->pages, true); super && heap->pages.retained > keep;
         super = next) {
        next = super->next;
        size_t touched = wait ? hak__units_let_wait(&heap->pages, super, wait)
                              : hak__units_return(&heap->pages, super, 0);
        heap->pages.retained -= touched;
        hak__discharge(&heap->pages, touched);
        heap->pages.purges++;
    }
}

void hak__purge_unused(hak_heap *heap)
{
    for (hak_superslab *super; (super = hak__superslabs_unused(&heap->pages, false)) != NULL;) {
        hak__units_return(&heap->pages, super, 0);
    }
}

/* Pages of free units, and then those behind blocks, until `bytes` have been given back. */
static size_t purge_units(hak_heap *heap, size_t bytes)
{
    size_t given = 0;
    hak_superslab *super = hak__superslabs_next_dirty(&heap->pages, NULL), *next;
    for (; super && given < bytes && !hak__purge_gave_up(&heap->pages); super = next) {
        next = hak__superslabs_next_dirty(&heap->pages, super);
        given += hak__units_purge(&heap->pages, super, bytes - given);
    }
    super = heap->pages.supers->tailed;
    for (; super && given < bytes && !hak__purge_gave_up(&heap->pages); super = next) {
        next = super->next_tailed;
        given += hak__units_purge(&heap->pages, super, bytes - given);
    }
    return given;
}

size_t hak__purge_some(hak_heap *heap, size_t bytes)
{
    if (heap->pages.retained == 0) return 0;
    size_t given = purge_units(heap, bytes);
    if (given < bytes && !heap->pages.region)
        given += hak__kept_purge_some(&heap->pages, bytes - given);
    return given;
}

static void purge_whole(hak_heap *heap, size_t keep, size_t wait)
{
    hak__kept_purge_to(&heap->pages, keep, wait);
    purge_superslabs(heap, keep, wait);
}

void hak__purge_let_wait(hak_heap *heap, size_t keep)
{
    size_t wait = hak__retain_wait(heap), before = heap->pages.footprint;
    if (!wait || heap->pages.region) return;
    purge_whole(heap, keep, wait);
    /* What comes back from there costs nothing, and tells nothing of what else was given back. */
    if (heap->pages.footprint < before) heap->pages.released.given = 0;
}

void hak__purge_to(hak_heap *heap, size_t keep)
{
    if (heap->pages.retained <= keep) return;
    if (!heap->pages.region) purge_whole(heap, keep, 0);
    if (heap->pages.retained > keep) purge_units(heap, heap->pages.retained - keep);
    if (!heap->pages.region && heap->pages.retained > keep) hak__nest_purge(heap);
}
