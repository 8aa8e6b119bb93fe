#include "heap/holes.h"

#include "heap/bins.h"
#include "heap/layout.h"
#include "heap/partial.h"
#include "os/os.h"
#include "pages/pages.h"

/* Adds a block's bytes to those that are free in each page. */
static void add_block(uint32_t *bytes, size_t begin, size_t size)
{
    for (size_t end = begin + size; begin < end;) {
        size_t page = begin / HAK_PAGE, rest = HAK_PAGE - begin % HAK_PAGE;
        size_t part = rest < end - begin ? rest : end - begin;
        bytes[page] += (uint32_t)part;
        begin += part;
    }
}

/* The pages present in which no block lives, as bits of `purged`; `*frees` is how many blocks must
 * be freed at least before there can be another, SIZE_MAX: all of them. */
static uint32_t pages_without_block(const hak_slab *slab, size_t *frees)
{
    size_t size = slab->block_size, colour = hak__unit_colour(slab);
    size_t end = hak__layout_carved_end(slab);
    const char *base = hak__unit_base(slab);
    uint32_t bytes[HAK_UNIT_PAGES] = {(uint32_t)colour};
    for (size_t i = hak__layout_group(slab); slab->has_gaps && i < slab->carved;
         i += hak__layout_group(slab)) {
        add_block(bytes, colour + hak__layout_offset(slab, i) - HAK_GAP, HAK_GAP);
    }
    for (void *block = slab->free; block; block = *(void **)block) {
        add_block(bytes, (size_t)((char *)block - base), size);
    }
    for (size_t i = 0; slab->purged && i < slab->carved; i++) {
        size_t offset = hak__layout_offset(slab, i);
        if (hak__slab_pages(slab, offset) & slab->purged) add_block(bytes, offset + colour, size);
    }
    uint32_t pages = 0;
    *frees = SIZE_MAX;
    /* The last page may be where carving goes on; then it is not for giving back. */
    size_t last = slab->carved == slab->capacity ? end : end & ~(HAK_PAGE - 1);
    for (size_t begin = 0; begin < last; begin += HAK_PAGE) {
        uint32_t page = (uint32_t)1 << begin / HAK_PAGE;
        if (page & slab->purged) continue;
        size_t whole = last - begin < HAK_PAGE ? last - begin : HAK_PAGE;
        size_t live = (whole - bytes[begin / HAK_PAGE] + size - 1) / size;
        if (live == 0) pages |= page;
        else if (live < *frees) *frees = live;
    }
    return pages;
}

size_t hak__holes_of(const hak_slab *slab)
{
    size_t frees;
    return hak__bytes_of_pages(pages_without_block(slab, &frees));
}

static void drop_blocks(hak_slab *slab, uint32_t pages)
{
    void **link = &slab->free;
    for (void *block = *link; block; block = *link) {
        if (hak__slab_pages(slab, (size_t)((char *)block - slab->start)) & pages) {
            *link = *(void **)block;
        } else {
            link = block;
        }
    }
}

/* Gives pages of a slab back; returns those that the OS has refused. */
static uint32_t punch(hak_heap *heap, hak_slab *slab, uint32_t pages)
{
    drop_blocks(slab, pages);
    slab->purged |= (uint16_t)pages;
    uint32_t kept = 0;
    for (uint32_t rest = pages, run; rest; rest &= ~run) {
        run = (uint32_t)hak__bits_lowest_run(rest);
        char *start = hak__unit_base(slab) + (size_t)__builtin_ctz(run) * HAK_PAGE;
        if (!hak__give_pages(&heap->pages, start, hak__bytes_of_pages(run))) kept |= run;
    }
    if (kept) hak__slab_restore(slab, kept);
    hak__discharge(&heap->pages, hak__bytes_of_pages(pages & ~kept));
    return kept;
}

static size_t punch_current(hak_heap *heap, hak_slab *slab)
{
    size_t frees;
    uint32_t pages = pages_without_block(slab, &frees);
    if (!pages || hak__purge_gave_up(&heap->pages)) return 0;
    return hak__bytes_of_pages(pages & ~punch(heap, slab, pages));
}

static size_t punch_partial(hak_heap *heap, hak_slab *slab)
{
    uint32_t pages = slab->vacant;
    if (!pages || hak__purge_gave_up(&heap->pages)) return 0;
    uint32_t kept = punch(heap, slab, pages);
    size_t given = hak__bytes_of_pages(pages & ~kept);
    heap->partial_bytes -= given;
    hak__partial_set_vacant(heap, slab, kept);
    if (!slab->free) {
        hak__partial_unlink(heap, slab);
        hak__partial_link_dry(heap, slab);
    }
    return given;
}

/* Of a slab with fewer free blocks than one in so many it is taken for granted that it has no such
 * page, unless a search is thorough. */
#define FEW_PART 4

static uint32_t live_if_few(const hak_slab *slab)
{
    return (uint32_t)slab->carved - slab->carved / FEW_PART;
}

static void search(hak_heap *heap, hak_slab *slab, bool thorough)
{
    size_t frees = hak__slab_partial_live(slab);
    uint32_t pages = 0, few = live_if_few(slab);
    if (frees > few && !thorough) frees -= few;
    else pages = pages_without_block(slab, &frees);
    hak__partial_set_searched(heap, slab, pages, frees);
}

/* Goes over the lists of partial slabs: each time, *kind and *index are where the last one was, 0
 * and 0 to begin with. NULL at the end. */
static hak_slab *next_list(const hak_heap *heap, unsigned *kind, unsigned *index)
{
    for (; *kind < hak__heap_sets(heap); ++*kind, *index = 0) {
        while (++*index < HAK_CLASSES) {
            hak_slab *first = heap->sets[*kind]->lists->partial[*index];
            if (first) return first;
        }
    }
    return NULL;
}

/* Searches the changed slabs at the end of a list, and gives back the pages found or not; returns
 * how many bytes. */
static size_t search_end(hak_heap *heap, hak_slab *first, bool punches, bool thorough)
{
    size_t given = 0;
    for (hak_slab *slab = first->prev, *previous; !slab->searched; slab = previous) {
        previous = slab->prev;
        bool was_first = slab == first;
        search(heap, slab, thorough);
        if (punches) given += punch_partial(heap, slab);
        if (was_first) break;
    }
    return given;
}

/* Has slabs be searched again that were left out for having few free blocks. */
static void forget_few(hak_heap *heap)
{
    unsigned kind = 0, index = 0;
    for (hak_slab *slab; (slab = next_list(heap, &kind, &index)) != NULL;) {
        for (hak_slab *next; slab; slab = next) {
            next = slab->next;
            if (slab->searched && hak__slab_partial_live(slab) > live_if_few(slab))
                hak__partial_set_changed(heap, slab);
        }
    }
}

/* Searches all slabs that have changed: the last ones of each list; and where some lie between
 * others, lists are gone through as a whole. */
static size_t search_all(hak_heap *heap, bool punches, bool thorough)
{
    size_t given = 0;
    if (hak__heap_starved(heap)) thorough = true;
    else if (thorough) forget_few(heap);
    unsigned kind = 0, index = 0;
    for (hak_slab *slab; heap->unsearched && (slab = next_list(heap, &kind, &index));) {
        given += search_end(heap, slab, punches, thorough);
    }
    kind = index = 0;
    for (hak_slab *slab; heap->unsearched && (slab = next_list(heap, &kind, &index));) {
        for (; slab; slab = slab->next) {
            if (!slab->searched) search(heap, slab, thorough);
        }
    }
    return given;
}

size_t hak__holes_of_current(const hak_heap *heap, size_t *read)
{
    size_t bytes = 0;
    if (heap->pages.region) return 0;
    hak_bin_class at = {0};
    for (hak_slab *slab; (slab = hak__bins_next(heap, &at)) != NULL;) {
        *read += slab->carved;
        bytes += hak__holes_of(slab);
    }
    return bytes;
}

size_t hak__holes_find(hak_heap *heap, bool thorough)
{
    if (heap->pages.region) return 0;
    search_all(heap, false, thorough);
    size_t read = 0;
    return heap->vacant_pages * HAK_PAGE + hak__holes_of_current(heap, &read);
}

size_t hak__holes_punch_current(hak_heap *heap)
{
    size_t given = 0;
    if (heap->pages.region) return 0;
    hak_bin_class at = {0};
    for (hak_slab *slab; (slab = hak__bins_next(heap, &at)) != NULL;) {
        given += punch_current(heap, slab);
    }
    return given;
}

size_t hak__holes_punch(hak_heap *heap, bool thorough)
{
    if (heap->pages.region) return 0;
    size_t given = search_all(heap, true, thorough) + hak__holes_punch_current(heap);
    unsigned kind = 0, index = 0;
    for (hak_slab *slab; heap->vacant_pages && (slab = next_list(heap, &kind, &index));) {
        for (hak_slab *next; slab && !hak__purge_gave_up(&heap->pages); slab = next) {
            next = slab->next;
            given += punch_partial(heap, slab);
        }
    }
    return given;
}

/* Searches a partial slab, if it has changed; returns how many free blocks were read. */
static size_t search_again(hak_heap *heap, hak_slab *slab)
{
    if (slab->searched) return 0;
    size_t free = slab->carved - hak__slab_partial_live(slab);
    search(heap, slab, hak__heap_starved(heap));
    return free;
}

size_t hak__holes_find_some(hak_heap *heap, size_t reads, size_t *read, uint32_t *left)
{
    if (heap->pages.region) *left = 0;
    for (; *left && *read < reads; ++*read) {
        hak_slab *slab = heap->unsearched ? hak__superslabs_step(&heap->pages) : NULL;
        if (slab && slab->state == HAK_SLAB_PARTIAL) *read += search_again(heap, slab);
        *left = heap->unsearched ? *left - 1 : 0;
    }
    return heap->vacant_pages * HAK_PAGE;
}

size_t hak__holes_punch_some(hak_heap *heap, size_t bytes, size_t reads, size_t *read,
                             uint32_t *left)
{
    size_t given = 0;
    if (heap->pages.region) *left = 0;
    for (; *left && *read < reads && given < bytes; ++*read) {
        bool may_find =
            (heap->unsearched || heap->vacant_pages) && !hak__purge_gave_up(&heap->pages);
        hak_slab *slab = may_find ? hak__superslabs_step(&heap->pages) : NULL;
        if (slab && slab->state == HAK_SLAB_PARTIAL) {
            *read += search_again(heap, slab);
            given += punch_partial(heap, slab);
        }
        *left = may_find ? *left - 1 : 0;
    }
    return given;
}

bool hak__holes_fill(hak_heap *heap, hak_slab *slab)
{
    size_t page = (size_t)__builtin_ctz(slab->purged);
    size_t begin = page * HAK_PAGE, colour = hak__unit_colour(slab);
    size_t block = begin > colour ? hak__layout_end_within(slab, begin - colour) : 0;
    uint32_t pages = hak__slab_pages(slab, hak__layout_offset(slab, block)) & slab->purged;
    if (!hak__charge(&heap->pages, hak__bytes_of_pages(pages))) return false;
    hak__slab_restore(slab, pages);
    return true;
}
