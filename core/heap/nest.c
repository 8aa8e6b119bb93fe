#include "heap/nest.h"

#include <string.h>

#include "heap/kinds.h"
#include "heap/nest_map.h"
#include "os/os.h"
#include "pages/pages.h"

#define BLOCK_MAX HAK_PAGE
#define CUT_MIN   ((size_t)64) /* bytes; free blocks of this size and above are cut */

/* A class that has taken BUSY blocks from its free list gets no new blocks in the nest. After 2 *
 * BUSY it does not take from its free list either. */
#define BUSY 1024

/* Bytes of footprint from which on an empty nest is closed. */
#define OUTGROWN ((size_t)4 << HAK_UNIT_SHIFT)

/* The first class whose blocks are cut; the bit of a class in `to_cut`, 0 below that class. */
static unsigned cut_first(const hak_heap *heap)
{
    return hak__heap_spacing(heap)->granularity == 8 ? CUT_MIN / 8 : CUT_MIN / 16;
}

static uint64_t cut_bit(const hak_heap *heap, unsigned index)
{
    unsigned first = cut_first(heap);
    return index < first ? 0 : (uint64_t)1 << (index - first);
}

static unsigned push_uncut(hak_heap *heap, size_t offset, size_t size)
{
    hak_nest *nest = &heap->nest;
    unsigned index = hak__heap_class_within(heap, size);
    *(uint16_t *)(nest->start + offset) = nest->free[index];
    nest->free[index] = (uint16_t)(offset / HAK_NEST_STEP);
    return index;
}

static void push(hak_heap *heap, size_t offset, size_t size)
{
    unsigned index = push_uncut(heap, offset, size);
    heap->nest.to_cut |= cut_bit(heap, index);
}

/* Takes the first free block of a class. There must be one. */
static size_t pop(hak_heap *heap, unsigned index)
{
    hak_nest *nest = &heap->nest;
    size_t offset = nest->free[index] * HAK_NEST_STEP;
    nest->free[index] = *(uint16_t *)(nest->start + offset);
    if (!nest->free[index]) nest->to_cut &= ~cut_bit(heap, index);
    return offset;
}

/* ------------------------------------------------------------------ blocks */

/* Whether the pages up to `end` would have to be touched although the heap retains
 * as many elsewhere. */
static bool has_pages(const hak_heap *heap, size_t end)
{
    const hak_slab *run = heap->nest.run;
    if (end <= run->span_size) return false;
    size_t more = hak__units_untouched(&heap->pages, run, run->span_size, hak__up(end, HAK_PAGE));
    return more > 0 && heap->pages.retained >= more;
}

static bool use_first(hak_heap *heap)
{
    size_t own = hak__nest_own_pages(heap);
    if (!hak__charge(&heap->pages, own)) return false;
    heap->nest.run->span_size = own;
    return true;
}

__attribute__((noinline)) static bool use_more(hak_heap *heap, size_t end)
{
    hak_slab *run = heap->nest.run;
    if (!heap->pages.region && run->span_size == 0 && !use_first(heap)) return false;
    if (!hak__units_use(&heap->pages, run, run->span_size, end)) return false;
    run->span_size = end;
    return true;
}

/* Brings the pages up to `end` into use. False: they would pass the limit. */
static bool use(hak_heap *heap, size_t end)
{
    return end <= heap->nest.run->span_size || use_more(heap, hak__up(end, HAK_PAGE));
}

/* Opens the smallest free block of at least `size` bytes as the gap. The gap begins at
 * a multiple of 16. */
__attribute__((noinline)) static bool open_gap(hak_heap *heap, size_t size)
{
    hak_nest *nest = &heap->nest;
    unsigned index = hak__heap_class_of(heap, size > CUT_MIN ? size : CUT_MIN);
    uint64_t large_enough = nest->to_cut & -cut_bit(heap, index);
    if (!large_enough) return false;
    if (nest->gap < nest->gap_end) push(heap, nest->gap, nest->gap_end - nest->gap);
    index = cut_first(heap) + (unsigned)__builtin_ctzll(large_enough);
    size_t offset = pop(heap, index);
    nest->gap_end = (uint32_t)hak__nest_end_of(nest, offset);
    if (hak__nest_is_odd(offset)) {
        hak__nest_begin_block(nest, offset + HAK_NEST_STEP);
        push(heap, offset, HAK_NEST_STEP);
        offset += HAK_NEST_STEP;
    }
    nest->gap = (uint32_t)offset;
    return true;
}

/* Takes `size` bytes of the gap: from its front if they are a multiple of 16, else from its end, so
 * that the gap still begins at a multiple of 16. */
static size_t cut(hak_nest *nest, size_t size)
{
    if (hak__nest_is_odd(size)) {
        nest->gap_end -= (uint32_t)size;
        hak__nest_begin_block(nest, nest->gap_end);
        return nest->gap_end;
    }
    size_t offset = nest->gap;
    nest->gap += (uint32_t)size;
    if (nest->gap < nest->gap_end) hak__nest_begin_block(nest, nest->gap);
    return offset;
}

/* After a block with an odd size: carves a second one and puts it on the free list. Together they
 * end at a multiple of 16, so that no bytes are lost in front of a block that has to begin at
 * one. */
static void carve_twin(hak_heap *heap, size_t size)
{
    hak_nest *nest = &heap->nest;
    size_t offset = nest->carved, end = offset + size;
    if (!hak__nest_is_odd(offset) || end > nest->run->span_size || end > nest->end) return;
    hak__nest_set_carved(nest, end);
    hak__nest_begin_block(nest, offset);
    uint16_t *reused = &nest->reused[push_uncut(heap, offset, size)];
    if (*reused) --*reused; /* its first use will be counted */
}

/* Takes `size` bytes behind all blocks; 0 if there is no room. */
static size_t carve(hak_heap *heap, size_t size)
{
    hak_nest *nest = &heap->nest;
    if (nest->end - nest->carved < size && nest->live == 0) hak__nest_reset(heap);
    size_t before = nest->carved;
    size_t offset = hak__nest_is_odd(before) && !hak__nest_is_odd(size) ? before + HAK_NEST_STEP
                                                                        : before,
           end = offset + size;
    if (end > nest->end || has_pages(heap, end) || !use(heap, end)) return 0;
    hak__nest_set_carved(nest, end);
    hak__nest_begin_block(nest, offset);
    if (offset > before) {
        hak__nest_begin_block(nest, before);
        push(heap, before, HAK_NEST_STEP);
    } else if (hak__nest_is_odd(size)) {
        carve_twin(heap, size);
    }
    return offset;
}

bool hak__nest_come_back(hak_heap *heap)
{
    hak_nest *nest = &heap->nest;
    /* It would take as many pages as slabs, and the heap's own page too. */
    if (heap->pages.super_count && nest->run && !nest->run->span_size) return false;
    bool found = nest->gap < nest->gap_end || nest->to_cut;
    for (unsigned index = 1; index < HAK_CLASSES; index++) {
        nest->reused[index] = 0;
        if (nest->free[index]) found = true;
    }
    return found;
}

void hak__nest_settle(hak_heap *heap)
{
    for (unsigned index = 1; index < HAK_CLASSES; index++) {
        uint16_t *reused = &heap->nest.reused[index];
        if (*reused < BUSY) *reused /= 2;
    }
}

bool hak__nest_give_lists(hak_heap *heap)
{
    hak_nest *nest = &heap->nest;
    if (nest->live == 0) hak__nest_reset(heap);
    size_t end = nest->carved + hak__nest_lists_size(heap);
    if (end > HAK_PAGE && !use(heap, end)) return false;
    hak__kinds_clear_lists(heap, nest->start + nest->carved);
    hak__kinds_set_lists(heap, nest->start + nest->carved);
    hak__nest_begin_block(nest, nest->carved);
    hak__nest_set_carved(nest, end);
    nest->end += hak__nest_lists_size(heap);
    return true;
}

/* A block that is in no free list: cut or carved. NULL: there is no room. */
__attribute__((noinline)) static void *alloc_new(hak_heap *heap, size_t size)
{
    hak_nest *nest = &heap->nest;
    size_t offset;
    if (nest->gap_end - nest->gap >= size || (nest->to_cut && open_gap(heap, size)))
        offset = cut(nest, size);
    else offset = carve(heap, size);
    if (!offset) return NULL;
    nest->live++;
    return nest->start + offset;
}

static void *alloc(hak_heap *heap, unsigned index, size_t size)
{
    hak_nest *nest = &heap->nest;
    uint16_t *reused = &nest->reused[index];
    if (nest->free[index]) {
        if (*reused == 2 * BUSY) return NULL;
        ++*reused;
        nest->live++;
        return nest->start + pop(heap, index);
    }
    if (*reused >= BUSY) return NULL;
    void *block =
        size <= BLOCK_MAX && (nest->run || hak__nest_open_run(heap)) ? alloc_new(heap, size) : NULL;
    if (!block) *reused = BUSY;
    return block;
}

void *hak__nest_take(hak_heap *heap, unsigned index, size_t size)
{
    hak_nest *nest = &heap->nest;
    uint16_t *reused = &nest->reused[index];
    if (*reused >= BUSY || !nest->run) return NULL;
    size_t offset = nest->carved, end = offset + size;
    if (nest->free[index]) {
        ++*reused;
        offset = pop(heap, index);
    } else if (nest->gap_end - nest->gap >= size) {
        offset = cut(nest, size);
    } else if (!nest->to_cut && !hak__nest_is_odd(offset | size) && end <= nest->run->span_size &&
               end <= nest->end) {
        hak__nest_set_carved(nest, end);
        hak__nest_begin_block(nest, offset);
    } else {
        return NULL;
    }
    nest->live++;
    return nest->start + offset;
}

void *hak__nest_alloc(hak_heap *heap, hak_bin_class class)
{
    if (!hak__heap_keeps_kinds(heap)) return alloc(heap, class.index, class.size);
    if (class.size < HAK_KINDS_NEST_STEP) {
        class.size = HAK_KINDS_NEST_STEP;
        class.index = hak__heap_class_of(heap, class.size);
    }
    void *block = alloc(heap, class.index, class.size);
    if (block) hak__kinds_set_in_nest(heap, hak__nest_offset(heap, block), class.kind);
    return block;
}

#ifdef HAK_DEBUG
static void check_not_free(const hak_heap *heap, size_t offset, size_t size)
{
    const hak_nest *nest = &heap->nest;
    for (size_t at = nest->free[hak__heap_class_within(heap, size)] * HAK_NEST_STEP; at;) {
        const char *block = nest->start + at;
        if (at == offset) hak__fatal("free", block, "this block is free already");
        at = *(const uint16_t *)block * HAK_NEST_STEP;
    }
}
#else
static void check_not_free(const hak_heap *heap, size_t offset, size_t size)
{
    (void)heap, (void)offset, (void)size;
}
#endif

/* Whether the heap has slabs, and many times the nest's size. */
static bool outgrown(const hak_heap *heap)
{
    return heap->pages.super_count > 0 && heap->pages.footprint >= OUTGROWN;
}

/* Closes an empty nest: no class uses it again unless memory runs out, and its pages are purged. */
__attribute__((noinline)) static void close_nest(hak_heap *heap)
{
    for (unsigned index = 1; index < HAK_CLASSES; index++) heap->nest.reused[index] = 2 * BUSY;
    hak__nest_trim(heap);
    if (!heap->pages.region && hak__policy(heap)->decommit != HAK_DECOMMIT_OFF)
        hak__purge_single(&heap->pages);
}

void hak__nest_free(hak_heap *heap, void *block)
{
    hak_nest *nest = &heap->nest;
    size_t offset = hak__nest_offset(heap, block);
    if (!hak__nest_begins_at(nest, offset)) {
        hak__fatal("free", block, "no block begins there, or it is free already");
    }
    size_t size = hak__nest_end_of(nest, offset) - offset;
    check_not_free(heap, offset, size);
    nest->live--;
    if (offset + size == nest->carved) {
        uint16_t *reused = &nest->reused[hak__heap_class_within(heap, size)];
        if (*reused < BUSY) ++*reused; /* its place will be */
        *hak__nest_word(nest, offset) &= ~hak__nest_bit(offset);
        hak__nest_set_carved(nest, offset);
    } else {
        push(heap, offset, size);
    }
    if (nest->live == 0 && outgrown(heap)) close_nest(heap);
}

bool hak__nest_extend(hak_heap *heap, void *block, size_t size)
{
    hak_nest *nest = &heap->nest;
    size_t offset = hak__nest_offset(heap, block);
    if (size > BLOCK_MAX || hak__nest_end_of(nest, offset) != nest->carved) return false;
    size_t whole = hak__heap_class_size(heap, hak__heap_class_of(heap, size));
    size_t end = offset + whole;
    if (hak__nest_is_odd(offset) && !hak__nest_is_odd(whole)) return false;
    if (end > nest->end || !use(heap, end)) return false;
    hak__nest_set_carved(nest, end);
    return true;
}
