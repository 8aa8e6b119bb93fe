#include "heap/nest.h"

#include <string.h>

#include "heap/kinds.h"
#include "os/os.h"
#include "pages/pages.h"

#define STEP      ((size_t)8)
#define PAIR      (2 * STEP)
#define BLOCK_MAX HAK_PAGE
#define CUT_MIN   ((size_t)64) /* free blocks from this size on are cut for smaller ones */

/* Blocks that a class takes from its list before it counts as busy and moves on, and twice as many
 * before it does not come back for more. */
#define BUSY 1024

/* A heap of that many bytes can do without a nest. */
#define OUTGROWN ((size_t)4 << HAK_UNIT_SHIFT)

static uint64_t *word_of(hak_nest *nest, size_t offset)
{
    return &nest->starts[offset / STEP / 64];
}

static uint64_t bit_of(size_t offset)
{
    return (uint64_t)1 << offset / STEP % 64;
}

static size_t up(size_t n, size_t step)
{
    return (n + step - 1) & ~(step - 1);
}

/* Whether an offset or a size is no multiple of 16. Blocks whose size is one begin at one: where
 * blocks have a member that must, C makes their size a multiple, too. */
static bool is_odd(size_t n)
{
    return n % PAIR;
}

/* Bytes that the heap's lists take. */
static uint32_t lists_size(const hak_heap *heap)
{
    return (uint32_t)up(hak__kinds_lists_size(heap->kinds), 2 * STEP);
}

/* Where the block behind the one at `offset` begins. */
static size_t end_of(const hak_nest *nest, size_t offset)
{
    size_t word = offset / STEP / 64;
    uint64_t rest = nest->starts[word] & ~(bit_of(offset) | (bit_of(offset) - 1));
    size_t last = (nest->carved - 1) / STEP / 64;
    while (!rest && word < last) rest = nest->starts[++word];
    return rest ? (word * 64 + (size_t)__builtin_ctzll(rest)) * STEP : nest->carved;
}

static void begin_block(hak_nest *nest, size_t offset)
{
    *word_of(nest, offset) |= bit_of(offset);
}

static bool begins_at(const hak_nest *nest, size_t offset)
{
    if (offset < nest->begin || offset >= nest->carved || offset % STEP) return false;
    return nest->starts[offset / STEP / 64] & bit_of(offset);
}

/* The first class whose blocks are worth cutting, and the bit of a class in `to_cut`. */
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
    nest->free[index] = (uint16_t)(offset / STEP);
    return index;
}

static void push(hak_heap *heap, size_t offset, size_t size)
{
    unsigned index = push_uncut(heap, offset, size);
    heap->nest.to_cut |= cut_bit(heap, index);
}

/* Takes the first free block of a class, which has one. */
static size_t pop(hak_heap *heap, unsigned index)
{
    hak_nest *nest = &heap->nest;
    size_t offset = nest->free[index] * STEP;
    nest->free[index] = *(uint16_t *)(nest->start + offset);
    if (!nest->free[index]) nest->to_cut &= ~cut_bit(heap, index);
    return offset;
}

/* ------------------------------------------------------------------ opening and letting go */

void hak__nest_open(hak_heap *heap, hak_slab *run, size_t begin)
{
    hak_nest *nest = &heap->nest;
    nest->run = run;
    nest->start = run->start;
    if (!heap->pages.region) heap->pages.single = run;
    nest->begin = nest->carved = (uint32_t)begin;
    size_t size = run->units * hak__pages_unit_size(&heap->pages),
           most = (size_t)1 << HAK_UNIT_SHIFT;
    nest->end = (uint32_t)(size < most ? size : most);
    if (!hak__heap_has_lists(heap)) nest->end -= lists_size(heap);
}

/* On a caller's memory: an eighth of it, when the first block is asked for. */
__attribute__((noinline)) static bool open_run(hak_heap *heap)
{
    if (!heap->pages.region) return false;
    size_t unit = hak__unit_size(heap->pages.region), most = (size_t)1 << HAK_UNIT_SHIFT;
    size_t count = heap->pages.region->units / 8;
    if (count * unit > most) count = most / unit;
    hak_slab *run = count ? hak__units_take(&heap->pages, count, 1, HAK_UNIT_NEST) : NULL;
    if (run) hak__nest_open(heap, run, 2 * STEP);
    return run != NULL;
}

/* Where the lists are; 0: not among the blocks. */
static size_t lists_offset(const hak_heap *heap)
{
    size_t offset = (size_t)((char *)heap->pages.supers - heap->nest.start);
    if (!hak__heap_has_lists(heap)) return 0;
    return offset >= heap->nest.begin && offset < heap->nest.carved ? offset : 0;
}

/* Makes all room free again. The lists move in front of it. */
static void reset(hak_heap *heap)
{
    hak_nest *nest = &heap->nest;
    if (lists_offset(heap)) {
        char *front = nest->start + nest->begin;
        memmove(front, heap->pages.supers, hak__kinds_lists_size(heap->kinds));
        hak__kinds_set_lists(heap, front);
        nest->begin += lists_size(heap);
    }
    nest->carved = nest->begin;
    nest->gap = nest->gap_end = 0;
    nest->to_cut = 0;
    memset(nest->free, 0, sizeof nest->free);
    memset(nest->starts, 0, sizeof nest->starts);
}

size_t hak__nest_own_pages(const hak_heap *heap)
{
    return heap->pages.region ? 0 : up(heap->nest.begin, HAK_PAGE);
}

void hak__nest_trim(hak_heap *heap)
{
    hak_nest *nest = &heap->nest;
    hak_slab *run = nest->run;
    if (!run) return;
    if (nest->live == 0) {
        reset(heap);
        if (heap->pages.region) {
            hak__units_give(&heap->pages, run);
            nest->run = NULL;
            nest->end = 0;
            return;
        }
    }
    size_t used = up(nest->carved, HAK_PAGE);
    if (used < run->span_size) {
        hak__units_leave(&heap->pages, run, used, run->span_size);
        run->span_size = used;
    }
    if (nest->live == 0 && run->span_size) {
        hak__discharge(&heap->pages, used);
        run->span_size = 0;
    }
}

size_t hak__nest_unused(const hak_heap *heap)
{
    const hak_nest *nest = &heap->nest;
    if (!nest->run) return 0;
    size_t used = nest->live ? up(nest->carved, HAK_PAGE) : 0, in_use = nest->run->span_size;
    return used < in_use ? in_use - used : 0;
}

/* ------------------------------------------------------------------ blocks */

/* A heap that retains pages need not take more for its nest. */
static bool has_pages(const hak_heap *heap, size_t end)
{
    const hak_slab *run = heap->nest.run;
    if (end <= run->span_size) return false;
    size_t more = hak__units_untouched(&heap->pages, run, run->span_size, up(end, HAK_PAGE));
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

/* Brings the pages up to `end` into use. */
static bool use(hak_heap *heap, size_t end)
{
    return end <= heap->nest.run->span_size || use_more(heap, up(end, HAK_PAGE));
}

/* Opens the smallest free block that has `size` bytes to be cut. */
__attribute__((noinline)) static bool open_gap(hak_heap *heap, size_t size)
{
    hak_nest *nest = &heap->nest;
    unsigned index = hak__heap_class_of(heap, size > CUT_MIN ? size : CUT_MIN);
    uint64_t large_enough = nest->to_cut & -cut_bit(heap, index);
    if (!large_enough) return false;
    if (nest->gap < nest->gap_end) push(heap, nest->gap, nest->gap_end - nest->gap);
    index = cut_first(heap) + (unsigned)__builtin_ctzll(large_enough);
    size_t offset = pop(heap, index);
    nest->gap_end = (uint32_t)end_of(nest, offset);
    if (is_odd(offset)) {
        begin_block(nest, offset + STEP);
        push(heap, offset, STEP);
        offset += STEP;
    }
    nest->gap = (uint32_t)offset;
    return true;
}

/* Takes `size` bytes of the gap, which begins at a multiple of 16: what would not leave one, from
 * its end. */
static size_t cut(hak_nest *nest, size_t size)
{
    if (is_odd(size)) {
        nest->gap_end -= (uint32_t)size;
        begin_block(nest, nest->gap_end);
        return nest->gap_end;
    }
    size_t offset = nest->gap;
    nest->gap += (uint32_t)size;
    if (nest->gap < nest->gap_end) begin_block(nest, nest->gap);
    return offset;
}

/* Behind a block with an odd size another one, to be taken next: so that after both of them no
 * bytes are lost for a block that must not begin here. */
static void carve_twin(hak_heap *heap, size_t size)
{
    hak_nest *nest = &heap->nest;
    size_t offset = nest->carved, end = offset + size;
    if (!is_odd(offset) || end > nest->run->span_size || end > nest->end) return;
    nest->carved = (uint32_t)end;
    begin_block(nest, offset);
    uint16_t *reused = &nest->reused[push_uncut(heap, offset, size)];
    if (*reused) --*reused; /* its first use will count as one */
}

/* Takes `size` bytes behind all blocks; 0 if there is no room. */
static size_t carve(hak_heap *heap, size_t size)
{
    hak_nest *nest = &heap->nest;
    if (nest->end - nest->carved < size && nest->live == 0) reset(heap);
    size_t before = nest->carved;
    size_t offset = is_odd(before) && !is_odd(size) ? before + STEP : before, end = offset + size;
    if (end > nest->end || has_pages(heap, end) || !use(heap, end)) return 0;
    nest->carved = (uint32_t)end;
    begin_block(nest, offset);
    if (offset > before) {
        begin_block(nest, before);
        push(heap, before, STEP);
    } else if (is_odd(size)) {
        carve_twin(heap, size);
    }
    return offset;
}

bool hak__nest_come_back(hak_heap *heap)
{
    hak_nest *nest = &heap->nest;
    /* It would take pages as slabs do, and the heap's own page beside them. */
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
    if (nest->live == 0) reset(heap);
    size_t end = nest->carved + lists_size(heap);
    if (end > HAK_PAGE && !use(heap, end)) return false;
    hak__kinds_clear_lists(heap, nest->start + nest->carved);
    hak__kinds_set_lists(heap, nest->start + nest->carved);
    begin_block(nest, nest->carved);
    nest->carved = (uint32_t)end;
    nest->end += lists_size(heap);
    return true;
}

/* A block that was not one before; NULL if there is no room. */
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
    void *block = size <= BLOCK_MAX && (nest->run || open_run(heap)) ? alloc_new(heap, size) : NULL;
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
    } else if (!nest->to_cut && !is_odd(offset | size) && end <= nest->run->span_size &&
               end <= nest->end) {
        nest->carved = (uint32_t)end;
        begin_block(nest, offset);
    } else {
        return NULL;
    }
    nest->live++;
    return nest->start + offset;
}

static size_t offset_of(const hak_heap *heap, const void *p)
{
    return (size_t)((const char *)p - heap->nest.start);
}

void *hak__nest_alloc(hak_heap *heap, hak_bin_class class)
{
    if (!heap->kinds) return alloc(heap, class.index, class.size);
    if (class.size < HAK_KINDS_NEST_STEP) {
        class.size = HAK_KINDS_NEST_STEP;
        class.index = hak__heap_class_of(heap, class.size);
    }
    void *block = alloc(heap, class.index, class.size);
    if (block) hak__kinds_set_in_nest(heap, offset_of(heap, block), class.kind);
    return block;
}

#ifdef HAK_DEBUG
static void check_not_free(const hak_heap *heap, size_t offset, size_t size)
{
    const hak_nest *nest = &heap->nest;
    for (size_t at = nest->free[hak__heap_class_within(heap, size)] * STEP; at;) {
        const char *block = nest->start + at;
        if (at == offset) hak__fatal("free", block, "this block is free already");
        at = *(const uint16_t *)block * STEP;
    }
}
#else
static void check_not_free(const hak_heap *heap, size_t offset, size_t size)
{
    (void)heap, (void)offset, (void)size;
}
#endif

/* Whether the heap has slabs for whatever it needs, many times the nest. */
static bool outgrown(const hak_heap *heap)
{
    return heap->pages.super_count > 0 && heap->pages.footprint >= OUTGROWN;
}

/* Its last block is gone, and no class comes back for more unless memory runs out: the pages go. */
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
    size_t offset = offset_of(heap, block);
    if (!begins_at(nest, offset)) {
        hak__fatal("free", block, "no block begins there, or it is free already");
    }
    size_t size = end_of(nest, offset) - offset;
    check_not_free(heap, offset, size);
    nest->live--;
    if (offset + size == nest->carved) {
        uint16_t *reused = &nest->reused[hak__heap_class_within(heap, size)];
        if (*reused < BUSY) ++*reused; /* its place will be */
        *word_of(nest, offset) &= ~bit_of(offset);
        nest->carved = (uint32_t)offset;
    } else {
        push(heap, offset, size);
    }
    if (nest->live == 0 && outgrown(heap)) close_nest(heap);
}

size_t hak__nest_block_size(const hak_heap *heap, const void *p)
{
    size_t offset = offset_of(heap, p);
    if (!begins_at(&heap->nest, offset)) return 0;
    size_t size = end_of(&heap->nest, offset) - offset;
    return hak__heap_class_size(heap, hak__heap_class_within(heap, size));
}

bool hak__nest_holds(const hak_heap *heap, const void *p)
{
    size_t offset = offset_of(heap, p);
    return offset >= heap->nest.begin && offset < heap->nest.carved;
}

bool hak__nest_extend(hak_heap *heap, void *block, size_t size)
{
    hak_nest *nest = &heap->nest;
    size_t offset = offset_of(heap, block);
    if (size > BLOCK_MAX || end_of(nest, offset) != nest->carved) return false;
    size_t whole = hak__heap_class_size(heap, hak__heap_class_of(heap, size));
    size_t end = offset + whole;
    if (is_odd(offset) && !is_odd(whole)) return false;
    if (end > nest->end || !use(heap, end)) return false;
    nest->carved = (uint32_t)end;
    return true;
}

/* ------------------------------------------------------------------ for statistics */

static unsigned kind_at(const hak_heap *heap, size_t offset)
{
    return heap->kinds ? hak__kinds_in_nest(heap, offset) : 0;
}

unsigned hak__nest_block_kind(const hak_heap *heap, const void *block)
{
    return kind_at(heap, offset_of(heap, block));
}

/* A rest of a block that was cut may begin in the same step as the next one, and be taken for its
 * kind. It is free, so that it counts once and is taken away once as that. */
void hak__nest_visit(const hak_heap *heap, hak_nest_visitor *visit, void *context)
{
    const hak_nest *nest = &heap->nest;
    size_t lists = lists_offset(heap);
    for (size_t at = nest->begin, end; at < nest->carved; at = end) {
        end = end_of(nest, at);
        if (at != lists) visit(context, end - at, kind_at(heap, at), 1);
    }
    if (nest->gap < nest->gap_end) {
        visit(context, nest->gap_end - nest->gap, kind_at(heap, nest->gap), -1);
    }
    for (unsigned index = 1; index < HAK_CLASSES; index++) {
        for (size_t at = nest->free[index] * STEP; at;) {
            visit(context, end_of(nest, at) - at, kind_at(heap, at), -1);
            at = *(const uint16_t *)(nest->start + at) * STEP;
        }
    }
}
