#include "heap/large.h"

#include <string.h>

#include "heap/excess.h"
#include "heap/nest.h"
#include "heap/reclaim.h"
#include "os/os.h"
#include "pages/pages.h"

#define SPAN_MAX    (HAK_SUPERSLAB_SIZE / 2)
#define GROWING_MIN ((size_t)256 * 1024)
#define HUGE_KEEP   ((size_t)64 * 1024) /* a huge block cut below this becomes a span */

static size_t up_to_page(size_t size)
{
    return (size + HAK_PAGE - 1) & ~(HAK_PAGE - 1);
}

/* ------------------------------------------------------------------ spans */

/* Zeroes what earlier users of the units left; the rest reads as zero anyway, but on a caller's
 * memory, and where pages went back lazily. */
static void zero_span(const hak_heap *heap, hak_slab *run, size_t size, size_t unit_size)
{
    for (size_t i = 0; i < run->units; i++) {
        size_t begin = i * unit_size;
        size_t dirty = heap->pages.region || heap->pages.may_be_dirty ? unit_size : run[i].touched;
        if (begin >= size) break;
        if (dirty > size - begin) dirty = size - begin;
        memset(run->start + begin, 0, dirty);
    }
}

static size_t units_for(const hak_heap *heap, size_t size)
{
    size_t unit_size = hak__pages_unit_size(&heap->pages);
    return (size + unit_size - 1) / unit_size;
}

/* The units of a span: if `maps`, more are mapped for it if necessary. */
static hak_slab *take_units(hak_heap *heap, size_t size, size_t align, bool maps)
{
    if (!hak__nest_ensure_lists(heap)) return NULL;
    heap->rests_until = 0;
    size_t unit_size = hak__pages_unit_size(&heap->pages), count = units_for(heap, size),
           units = align > unit_size ? align / unit_size : 1;
    return maps ? hak__units_take(&heap->pages, count, units, HAK_SPAN)
                : hak__units_take_mapped(&heap->pages, count, units, HAK_SPAN);
}

/* A block in units that have been taken. */
static void *begin_span(hak_heap *heap, unsigned kind, hak_slab *span, size_t size, bool zero)
{
    span->span_size = size; /* so that its own pages stay */
    span->block_kind = (uint8_t)kind;
    size_t more = hak__units_untouched(&heap->pages, span, 0, size);
    if (more) hak__reclaim_before_peak(heap, more);
    if (zero) zero_span(heap, span, size, hak__pages_unit_size(&heap->pages));
    if (hak__units_use_with(&heap->pages, span, 0, size, more)) return span->start;
    span->span_size = 0;
    hak__units_give(&heap->pages, span);
    return NULL;
}

void hak__span_free(hak_heap *heap, hak_slab *span, void *block)
{
    if (block != span->start) hak__fatal("free", block, "points into a block, not at its start");
    hak__units_shelve(&heap->pages, span);
    hak__excess_purge(heap);
}

void *hak__span_resize(hak_heap *heap, hak_slab *span, size_t size)
{
    size = up_to_page(size);
    heap->rests_until = 0;
    if (!heap->pages.region && size > SPAN_MAX) return NULL;
    size_t count = units_for(heap, size);
    size_t had_units = span->units, had = span->span_size;
    if (size < had) {
        hak__units_leave(&heap->pages, span, size, had);
        span->span_size = size;
        hak__units_resize(&heap->pages, span, count);
        hak__excess_purge(heap);
        return span->start;
    }
    if (count != had_units && !hak__units_resize(&heap->pages, span, count)) return NULL;
    hak__reclaim_before_peak(heap, hak__units_untouched(&heap->pages, span, had, size));
    if (!hak__units_use(&heap->pages, span, had, size) &&
        !(hak__reclaim_short(heap) && hak__units_use(&heap->pages, span, had, size))) {
        hak__units_resize(&heap->pages, span, had_units);
        return NULL;
    }
    span->span_size = size;
    return span->start;
}

/* ------------------------------------------------------------------ huge blocks */

/* First, but behind one that has some spare. */
static void link_huge(hak_heap *heap, hak_superslab *huge)
{
    hak_superslab *before =
        heap->pages.huge && heap->pages.huge->huge_spare ? heap->pages.huge : NULL;
    huge->prev = before;
    huge->next = before ? before->next : heap->pages.huge;
    if (huge->next) huge->next->prev = huge;
    if (before) before->next = huge;
    else heap->pages.huge = huge;
}

static void zero_huge(hak_superslab *huge)
{
    char *start = hak__superslab_start(huge);
    if (!hak__region_purge(start, huge->huge_size)) memset(start, 0, huge->huge_size);
}

/* How large a block may be that is used again for one of `size` bytes. */
static size_t large_enough(size_t size)
{
    return up_to_page(size + size / 4);
}

/* One that was kept, cut if it is much too large. */
static hak_superslab *take_kept(hak_heap *heap, size_t size, size_t align, bool zero)
{
    hak_superslab *huge = hak__kept_take(&heap->pages, size, align, large_enough(size));
    if (!huge) return NULL;
    if (zero) zero_huge(huge);
    hak__charge_always(&heap->pages, 0);
    return huge;
}

/* One that waits; only of that size, where there is a limit. */
static hak_superslab *take_waiting(hak_heap *heap, size_t size, size_t align, bool zero)
{
    size_t most = heap->pages.limit == SIZE_MAX ? large_enough(size) : size;
    hak_superslab *huge = hak__hugespace_take_waiting(&heap->pages, size, align, most);
    if (!huge) return NULL;
    if (zero) zero_huge(huge);
    hak__charge_always(&heap->pages, huge->huge_size);
    return huge;
}

/* One that waits to be given back, or a new one. */
static hak_superslab *take_new(hak_heap *heap, size_t size, size_t align, bool zero)
{
    hak__reclaim_before_peak(heap, size);
    heap->pages.short_of = hak__short_of(&heap->pages, size);
    if (heap->pages.short_of) return NULL;
    hak_superslab *huge = take_waiting(heap, size, align, zero);
    if (huge) return huge;
    hak__reaper_make_room(size, false);
    huge = hak__hugespace_take(&heap->pages, size, align);
    if (huge) hak__charge_always(&heap->pages, size);
    return huge;
}

static void *begin_huge(hak_heap *heap, unsigned kind, hak_superslab *huge)
{
    heap->rests_until = 0;
    huge->block_kind = (uint8_t)kind;
    link_huge(heap, huge);
    return hak__superslab_start(huge);
}

static void *huge_alloc(hak_heap *heap, unsigned kind, size_t size, size_t align, bool zero)
{
    if (!hak__nest_ensure_lists(heap)) return NULL;
    hak_superslab *huge = take_kept(heap, size, align, zero);
    if (!huge) huge = take_new(heap, size, align, zero);
    return huge ? begin_huge(heap, kind, huge) : NULL;
}

void hak__huge_free(hak_heap *heap, hak_superslab *huge, void *block)
{
    if (block != hak__superslab_start(huge)) {
        hak__fatal("free", block, "points into a block, not at its start");
    }
    if (huge->huge_retained) hak__fatal("free", block, "this block is free already");
    hak__superslab_remove(&heap->pages.huge, huge);
    hak__kept_put(&heap->pages, huge);
    hak__excess_purge(heap);
}

static void *shrink_huge(hak_heap *heap, hak_superslab *huge, size_t size)
{
    size_t had = huge->huge_size;
    if (had - size >= had / 8 && hak__kept_drop_spare(&heap->pages, huge) &&
        hak__hugespace_cut(huge, size))
        hak__discharge(&heap->pages, had - size);
    return hak__superslab_start(huge);
}

/* Where it is, or by moving its pages. */
static hak_superslab *extend_huge(hak_heap *heap, hak_superslab *huge, size_t size)
{
    size_t more = size - huge->huge_size;
    hak__reclaim_before_peak(heap, more);
    heap->pages.short_of = hak__short_of(&heap->pages, more);
    if (heap->pages.short_of && !hak__reclaim_short(heap)) return NULL;
    if (!hak__hugespace_extend(huge, size, true)) {
        hak__superslab_remove(&heap->pages.huge, huge);
        hak_superslab *moved = hak__hugespace_move(huge, size);
        link_huge(heap, moved ? moved : huge);
        huge = moved;
    }
    if (huge) hak__charge_always(&heap->pages, more);
    return huge;
}

void *hak__huge_resize(hak_heap *heap, hak_superslab *huge, size_t size)
{
    size = up_to_page(size);
    heap->rests_until = 0;
    if (size < HUGE_KEEP) return NULL;
    if (size <= huge->huge_size) return shrink_huge(heap, huge, size);
    size_t got = hak__kept_grow(&heap->pages, huge, size);
    if (got) hak__charge_always(&heap->pages, 0);
    if (huge->huge_size == size) return hak__superslab_start(huge);
    hak_superslab *extended = extend_huge(heap, huge, size);
    if (extended) return hak__superslab_start(extended);
    hak__kept_ungrow(&heap->pages, huge, got);
    return NULL;
}

/* ------------------------------------------------------------------ packed blocks */

static void *packed_alloc(hak_heap *heap, size_t size, size_t align, bool zero, size_t lack)
{
    if (!hak__nest_ensure_lists(heap)) return NULL;
    heap->rests_until = 0;
    hak__reclaim_before_peak(heap, lack);
    return hak__packs_take(&heap->pages, size, align, zero);
}

void hak__packed_free(hak_heap *heap, hak_superslab *pack, void *block)
{
    size_t index = hak__packs_index(pack, block);
    if (!hak__packs_size(pack, block))
        hak__fatal("free", block, "no block lives there, or it is free already");
    if (!hak__packs_begins(pack, index, block))
        hak__fatal("free", block, "points into a block, not at its start");
    hak__packs_give(&heap->pages, pack, index);
    hak__excess_purge(heap);
}

void *hak__packed_resize(hak_heap *heap, hak_superslab *pack, void *block, size_t size)
{
    size_t index = hak__packs_index(pack, block);
    size_t lack = hak__packs_grow_lack(pack, index, size);
    heap->rests_until = 0;
    if (lack == SIZE_MAX) return NULL;
    hak__reclaim_before_peak(heap, lack);
    if (!hak__packs_resize(&heap->pages, pack, index, size) &&
        !(heap->pages.short_of && hak__reclaim_short(heap) &&
          hak__packs_resize(&heap->pages, pack, index, size)))
        return NULL;
    hak__excess_purge(heap);
    return block;
}

/* ------------------------------------------------------------------ all */

/* Whether a run of units can begin at a multiple of `align` bytes: their superslabs do. */
static bool fits_span(const hak_heap *heap, size_t size, size_t align)
{
    return heap->pages.region || (size <= SPAN_MAX && align <= HAK_SUPERSLAB_SIZE);
}

static bool may_pack(const hak_heap *heap, size_t size, size_t align)
{
    return !hak__heap_keeps_kinds(heap) && hak__packs_suit(size, align);
}

/* Whether a block may take hardly more address space than it has bytes: in a pack, or as a huge
 * block if it is large enough. */
static bool may_be_dense(const hak_heap *heap, size_t size, size_t align)
{
    bool as_huge = size > HAK_PACK_MOST && size <= SPAN_MAX && !hak__mapping_crowded();
    return !heap->pages.region && (may_pack(heap, size, align) || as_huge);
}

/* Such a block. If more has to be mapped for it, only with a limit of address space; then *limited
 * is set. To ask for the limit is a system call. */
static void *dense_alloc(hak_heap *heap, unsigned kind, size_t size, size_t align, bool zero,
                         bool *limited)
{
    hak_packs_need need = {.maps = true};
    heap->pages.short_of = 0;
    if (may_pack(heap, size, align)) need = hak__packs_need(&heap->pages, size, align);
    if (need.maps) *limited = hak__os_address_limit() != SIZE_MAX;
    if (need.maps && !*limited) return NULL;
    if (may_pack(heap, size, align)) return packed_alloc(heap, size, align, zero, need.lack);
    return huge_alloc(heap, kind, up_to_page(size), align, zero);
}

/* A span like one that was freed. */
static void *shelved_alloc(hak_heap *heap, unsigned kind, size_t size, bool zero)
{
    hak_slab *span = hak__units_take_shelved(&heap->pages, units_for(heap, size));
    if (!span) return NULL;
    heap->rests_until = 0;
    return begin_span(heap, kind, span, up_to_page(size), zero);
}

/* What is mapped is used first: a shelved span, then packs, then units. */
void *hak__large_alloc(hak_heap *heap, unsigned kind, size_t size, size_t align, bool zero)
{
    if (align <= HAK_LARGE_ALIGN) {
        void *block = shelved_alloc(heap, kind, size, zero);
        if (block) return block;
    }
    size_t whole = up_to_page(size);
    bool spans = fits_span(heap, size, align), may = may_be_dense(heap, size, align),
         limited = false;
    if (may && (heap->pages.supers->packs || !spans)) {
        void *block = dense_alloc(heap, kind, size, align, zero, &limited);
        if (block || heap->pages.short_of) return block;
    }
    if (!spans) return huge_alloc(heap, kind, whole, align, zero);
    hak_slab *span = take_units(heap, whole, align, false);
    if (!span && may && !limited) {
        void *block = dense_alloc(heap, kind, size, align, zero, &limited);
        if (limited) return block;
    }
    if (!span && !limited) span = take_units(heap, whole, align, true);
    return span ? begin_span(heap, kind, span, whole, zero) : NULL;
}

void *hak__large_alloc_growing(hak_heap *heap, unsigned kind, size_t size)
{
    if (heap->pages.region || size < GROWING_MIN)
        return hak__large_alloc(heap, kind, size, HAK_LARGE_ALIGN, false);
    /* It takes the pages of a block that was there before, and grows into them without a fault. */
    hak_superslab *huge = hak__kept_take_to_grow(&heap->pages, up_to_page(size));
    if (huge) {
        hak__charge_always(&heap->pages, 0);
        return begin_huge(heap, kind, huge);
    }
    /* Where a span of it fits into pages that are there already, copying once more costs less than
     * as many page faults. */
    bool fits = size <= SPAN_MAX && size <= heap->pages.retained;
    if (fits || hak__mapping_crowded())
        return hak__large_alloc(heap, kind, size, HAK_LARGE_ALIGN, false);
    return huge_alloc(heap, kind, up_to_page(size), HAK_PAGE, false);
}
