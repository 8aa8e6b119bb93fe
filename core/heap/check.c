#include "heap/check.h"

#ifdef HAK_DEBUG

#include "heap/bins.h"
#include "heap/holes.h"
#include "heap/layout.h"
#include "heap/nest.h"
#include "heap/partial.h"
#include "os/os.h"
#include "pages/pages.h"

#define CALLS_LEAST    1024
#define CALLS_PER_UNIT 32

/* What is found on the way over a heap, to be compared with its accounts. */
typedef struct sums {
    size_t footprint, retained, partial_bytes, vacant;
    size_t superslabs, partial, dry, current, unsearched;
} sums;

/* ------------------------------------------------------------------ slabs */

static void check_free_list(const hak_slab *slab)
{
    size_t count = 0;
    for (char *block = slab->free; block; block = *(char **)block) {
        size_t offset = (size_t)(block - slab->start);
        size_t index = hak__layout_end_within(slab, offset);
        HAK_ASSERT(index < slab->carved && hak__layout_offset(slab, index) == offset);
        HAK_ASSERT(!(hak__slab_pages(slab, offset) & slab->purged));
        HAK_ASSERT(++count <= slab->carved);
    }
}

static void add_slab(const hak_heap *heap, const hak_slab *slab, sums *found)
{
    check_free_list(slab);
    HAK_ASSERT(slab->block_size == hak__heap_class_size(heap, slab->size_class));
    HAK_ASSERT(slab->block_kind < hak__heap_sets(heap));
    switch (slab->state) {
    case HAK_SLAB_PARTIAL:
        found->partial++;
        found->partial_bytes += hak__slab_pages_in_use(slab);
        found->vacant += hak__bytes_of_pages(slab->vacant);
        found->unsearched += !slab->searched;
        if (!heap->pages.region)
            HAK_ASSERT(hak__holes_of(slab) >= hak__bytes_of_pages(slab->vacant));
        break;
    case HAK_SLAB_DRY: found->dry++; break;
    case HAK_SLAB_CURRENT:
        found->current++;
        HAK_ASSERT(hak__heap_current(heap, hak__class_of_slab(slab)) == slab);
        break;
    default: HAK_ASSERT(slab->state == HAK_SLAB_FULL);
    }
}

static size_t length_of(const hak_slab *first, hak_slab_state state, unsigned index)
{
    size_t length = 0;
    for (const hak_slab *slab = first; slab; slab = slab->next, length++) {
        HAK_ASSERT(slab->state == state && slab->size_class == index);
        HAK_ASSERT(slab->next ? slab->next->prev == slab : first->prev == slab);
        bool in_order = state != HAK_SLAB_DRY || !slab->next || slab->purged || !slab->next->purged;
        HAK_ASSERT(in_order);
    }
    return length;
}

/* Each slab that says it is in a list is in one, since there are as many in the lists. */
static void check_slab_lists(const hak_heap *heap, const sums *found)
{
    size_t partial = 0, dry = 0, current = 0;
    for (unsigned kind = 0; kind < hak__heap_sets(heap); kind++) {
        for (unsigned index = 1; index <= hak__heap_last_class(heap); index++) {
            hak_slab *slab = hak__heap_current(heap, hak__class_in(heap, kind, index));
            partial += length_of(heap->sets[kind]->lists->partial[index], HAK_SLAB_PARTIAL, index);
            if (slab == &hak__no_slab) continue;
            current++;
            dry += length_of(slab->next, HAK_SLAB_DRY, index);
        }
    }
    HAK_ASSERT(partial == found->partial);
    HAK_ASSERT(dry == found->dry);
    HAK_ASSERT(current == found->current);
}

/* ------------------------------------------------------------------ units */

/* One unit: its record against its superslab's bits. Returns the bytes of it in use. */
static size_t check_unit(const hak_heap *heap, const hak_superslab *super, size_t unit, sums *found)
{
    const hak_slab *record = &hak__superslab_slabs(super)[unit];
    const hak_slab *run = hak__unit_head((hak_slab *)record);
    uint64_t bit = (uint64_t)1 << unit;
    size_t unit_size = hak__pages_unit_size(&heap->pages);
    HAK_ASSERT(record->touched <= unit_size && record->touched % HAK_PAGE == 0);
    HAK_ASSERT(!record->touched == !(super->dirty & bit));
    HAK_ASSERT(!(super->free & bit) == (record->state != HAK_UNIT_FREE));
    HAK_ASSERT(hak__slab_valid(record));
    if (record->state == HAK_UNIT_FREE) return 0;
    HAK_ASSERT((size_t)(record - run) < run->units);
    if (record == run) {
        HAK_ASSERT(hak__unit_base(run) == hak__superslab_start(super) + unit * unit_size);
        if (run->block_size) add_slab(heap, run, found);
    }
    return hak__part_in_unit(hak__slab_used(run), (size_t)(record - run), unit_size);
}

static void add_superslab(const hak_heap *heap, const hak_superslab *super, sums *found)
{
    HAK_ASSERT(super->owner == &heap->pages && super->type == HAK_SUPERSLAB_SLABS && super->mapped);
    HAK_ASSERT(!((super->free | super->dirty | super->tails) & ~hak__superslab_all(super)));
    for (size_t unit = 0; unit < super->units; unit++) {
        const hak_slab *record = &hak__superslab_slabs(super)[unit];
        size_t used = check_unit(heap, super, unit, found);
        HAK_ASSERT(used <= record->touched);
        bool in_use = !(super->free >> unit & 1), tailed = super->tails >> unit & 1;
        HAK_ASSERT(in_use || !tailed);
        HAK_ASSERT(!in_use || record->touched == used || tailed);
        found->footprint += record->touched - hak__bytes_of_pages(record->purged);
        found->retained += record->touched - used - hak__unit_missing(record);
    }
    found->superslabs++;
}

/* ------------------------------------------------------------------ superslabs and huge blocks */

static void check_superslab_lists(const hak_heap *heap, const sums *found)
{
    size_t listed = 0, full = 0, tailed = 0, with_tails = 0;
    for (int list = 0; list < 2 * HAK_ROOMS; list++) {
        const hak_superslab *super = heap->pages.supers->with_room[list];
        for (; super; super = super->next, listed++) HAK_ASSERT(super->list == list);
    }
    for (const hak_superslab *super = heap->pages.supers->owned; super; super = super->next_owned) {
        HAK_ASSERT(hak__superslabs_in_place(super));
        full += !super->free;
        with_tails += super->tails != 0;
    }
    for (const hak_superslab *super = heap->pages.supers->tailed; super;
         super = super->next_tailed) {
        tailed++;
    }
    HAK_ASSERT(found->superslabs == heap->pages.super_count);
    HAK_ASSERT(listed + full == heap->pages.super_count);
    HAK_ASSERT(tailed == with_tails);
}

static void add_huge(const hak_heap *heap, const hak_superslab *list, bool retained, sums *found)
{
    for (const hak_superslab *huge = list; huge; huge = huge->next) {
        HAK_ASSERT(huge->owner == &heap->pages && huge->type == HAK_SUPERSLAB_HUGE);
        size_t size = huge->huge_size, spare = huge->huge_spare;
        HAK_ASSERT(huge->huge_retained == retained && size % HAK_PAGE == 0 &&
                   spare % HAK_PAGE == 0);
        HAK_ASSERT(size + spare <= huge->count * HAK_SUPERSLAB_SIZE);
        HAK_ASSERT(!spare || huge == heap->pages.huge);
        found->footprint += size + spare;
        found->retained += retained ? size : spare;
    }
}

/* ------------------------------------------------------------------ packs and the nest */

/* The blocks of a pack: in order, and apart. Returns the pages that they have, and the record. */
static hak_pack_bits check_blocks(const hak_pack *pack)
{
    hak_pack_bits used = {0};
    uint32_t end = HAK_PACK_FIRST;
    HAK_ASSERT(pack->count <= HAK_PACK_BLOCKS);
    if (pack->count) hak__pack_set_bits(&used, (hak_page_range){0, 1}, true);
    for (size_t i = 0; i < pack->count; i++) {
        hak_pack_block block = pack->blocks[i];
        HAK_ASSERT(block.begin >= end && block.end <= HAK_PACK_SIZE);
        HAK_ASSERT(block.end - block.begin > HAK_PACK_ABOVE);
        HAK_ASSERT(block.begin % HAK_PACK_STEP == 0 && block.end % HAK_PACK_STEP == 0);
        end = block.end;
        hak_page_range pages = {block.begin / HAK_PAGE, hak__up(end, HAK_PAGE) / HAK_PAGE};
        hak__pack_set_bits(&used, pages, true);
    }
    return used;
}

/* No page is resident that the record does not know of. */
static void check_pack_residence(const hak_superslab *super)
{
    static _Thread_local unsigned char resident[HAK_PACK_PAGES];
    const hak_pack *pack = hak__pack_of(super);
    hak_page_range rest = hak__pack_mapped(super);
    while (rest.first < rest.end) {
        hak_page_range run = hak__pack_next_bits(&pack->unmapped, rest, false);
        size_t count = run.end - run.first;
        rest.first = run.end;
        char *start = hak__superslab_start(super) + run.first * HAK_PAGE;
        if (!count || !hak__os_resident(start, count * HAK_PAGE, resident)) continue;
        for (size_t i = 0; i < count; i++) {
            HAK_ASSERT(!(resident[i] & 1) || hak__pack_bit(&pack->touched, run.first + i));
        }
    }
}

static void add_pack(const hak_heap *heap, const hak_superslab *super, sums *found)
{
    const hak_pack *pack = hak__pack_of(super);
    hak_pack_bits used = check_blocks(pack);
    size_t retained = 0, mapped = hak__pack_mapped(super).end;
    HAK_ASSERT(super->owner == &heap->pages && super->type == HAK_SUPERSLAB_HUGE);
    HAK_ASSERT(super->huge_packed && !super->huge_retained && !super->huge_spare);
    HAK_ASSERT(super->huge_mapped <= HAK_PACK_SIZE);
    HAK_ASSERT(hak__pack_lists_in_place(&heap->pages, super));
    for (size_t page = 0; page < HAK_PACK_PAGES; page++) {
        bool is_used = hak__pack_bit(&used, page), is_touched = hak__pack_bit(&pack->touched, page);
        HAK_ASSERT(is_touched || !is_used);
        HAK_ASSERT(!is_touched || !hak__pack_bit(&pack->unmapped, page));
        HAK_ASSERT(page < mapped || (!is_touched && !hak__pack_bit(&pack->unmapped, page)));
        found->footprint += is_touched ? HAK_PAGE : 0;
        retained += is_touched && !is_used ? HAK_PAGE : 0;
    }
    HAK_ASSERT(pack->retained == retained);
    found->retained += retained;
    if (!hak__os_huge_pages()) check_pack_residence(super);
}

static void add_packs(const hak_heap *heap, sums *found)
{
    const hak_superslab *first = heap->pages.supers->packs, *super;
    size_t with_gap = 0, retaining = 0;
    for (super = first; super; super = super->next_owned) {
        add_pack(heap, super, found);
        with_gap += super->list >= 0;
        retaining += hak__pack_of(super)->retained > 0;
    }
    if (!first) return;
    for (int list = 0; list < HAK_PACK_LISTS; list++) {
        super = hak__pack_of(first)->lists.by_gap[list];
        for (; super; super = super->next, with_gap--) HAK_ASSERT(super->list == list);
    }
    super = hak__pack_lists_retaining(&heap->pages);
    for (; super; super = super->next_tailed) retaining--;
    HAK_ASSERT(with_gap == 0 && retaining == 0);
}

/* The nest of a heap that does not live on a caller's memory. */
static void add_nest(const hak_heap *heap, sums *found)
{
    const hak_slab *run = heap->nest.run;
    size_t own = hak__nest_own_pages(heap), used = run->span_size ? run->span_size : own;
    HAK_ASSERT(run->state == HAK_UNIT_NEST && hak__slab_valid(run) && used <= run->touched);
    found->footprint += run->touched - (run->span_size ? 0 : own);
    found->retained += run->touched - used;
}

/* ------------------------------------------------------------------ against the kernel */

/* No page is resident that the records do not know of. Huge pages of the kernel's own accord and
 * pages that it may take when it wants them cannot be told apart from that. */
static void check_residence(const hak_heap *heap, const hak_superslab *super)
{
    enum { PAGES = HAK_SUPERSLAB_SIZE / HAK_PAGE, UNIT_PAGES = PAGES / HAK_SUPERSLAB_UNITS };
    static _Thread_local unsigned char resident[PAGES];
    if (heap->pages.may_be_dirty || hak__os_huge_pages()) return;
    size_t bytes = hak__superslab_bytes(super);
    if (!hak__os_resident(hak__superslab_start(super), bytes, resident)) return;
    for (size_t page = 0; page < bytes / HAK_PAGE; page++) {
        const hak_slab *record = &hak__superslab_slabs(super)[page / UNIT_PAGES];
        bool touched = page % UNIT_PAGES * HAK_PAGE < record->touched;
        bool purged = record->purged >> page % UNIT_PAGES & 1;
        HAK_ASSERT(!(resident[page] & 1) || (touched && !purged));
    }
}

/* ------------------------------------------------------------------ all */

void hak__heap_check(const hak_heap *heap)
{
    sums found = {0};
    for (const hak_superslab *super = heap->pages.supers->owned; super; super = super->next_owned) {
        add_superslab(heap, super, &found);
        if (!heap->pages.region) check_residence(heap, super);
    }
    check_superslab_lists(heap, &found);
    check_slab_lists(heap, &found);
    add_huge(heap, heap->pages.huge, false, &found);
    for (unsigned list = 0; list < HAK_KEPT; list++) {
        add_huge(heap, heap->pages.supers->kept[list], true, &found);
    }
    add_packs(heap, &found);
    if (!heap->pages.region) add_nest(heap, &found);
    HAK_ASSERT(found.footprint == heap->pages.footprint);
    HAK_ASSERT(found.retained == heap->pages.retained);
    HAK_ASSERT(found.partial_bytes == heap->partial_bytes);
    HAK_ASSERT(found.vacant == heap->vacant_pages * HAK_PAGE);
    HAK_ASSERT(found.unsearched == heap->unsearched);
    HAK_ASSERT(heap->pages.footprint <= heap->pages.footprint_peak);
}

void hak__heap_check_now_and_then(const hak_heap *heap)
{
    static _Thread_local size_t calls_left;
    if (calls_left-- > 0) return;
    hak__heap_check(heap);
    size_t calls = (size_t)heap->pages.super_count * HAK_SUPERSLAB_UNITS * CALLS_PER_UNIT;
    calls_left = calls > CALLS_LEAST ? calls : CALLS_LEAST;
}

#endif
