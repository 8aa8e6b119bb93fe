#include "holes.h"

#include "os.h"
#include "units.h"

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

/* The pages present in which no block lives, as bits of `absent`. */
static uint32_t pages_without_block(const hak_slab *slab)
{
    size_t size = slab->block_size, end = slab->carved * size;
    uint32_t bytes[HAK_UNIT_PAGES] = {0};
    for (void *block = slab->free; block; block = *(void **)block) {
        add_block(bytes, (size_t)((char *)block - slab->start), size);
    }
    for (size_t offset = 0; slab->absent && offset < end; offset += size) {
        if (hak__slab_pages(slab, offset) & slab->absent) add_block(bytes, offset, size);
    }
    uint32_t pages = 0;
    /* The last page may be where carving goes on; then it is not for giving back. */
    size_t last = slab->carved == slab->capacity ? end : end & ~(HAK_PAGE - 1);
    for (size_t begin = 0; begin < last; begin += HAK_PAGE) {
        size_t whole = last - begin < HAK_PAGE ? last - begin : HAK_PAGE;
        if (bytes[begin / HAK_PAGE] == whole) pages |= (uint32_t)1 << begin / HAK_PAGE;
    }
    return pages & ~(uint32_t)slab->absent;
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

static size_t bytes_of(uint32_t pages)
{
    return (size_t)__builtin_popcount(pages) * HAK_PAGE;
}

/* The lowest run of adjacent bits. */
static uint32_t first_run(uint32_t bits)
{
    return bits & ~(bits + (bits & -bits));
}

static size_t punch(hak_heap *heap, hak_slab *slab, uint32_t pages)
{
    drop_blocks(slab, pages);
    slab->absent |= (uint16_t)pages;
    uint32_t kept = 0;
    for (uint32_t rest = pages, run; rest; rest &= ~run) {
        run = first_run(rest);
        char *start = slab->start + (size_t)__builtin_ctz(run) * HAK_PAGE;
        if (!hak__give_pages(heap, start, bytes_of(run))) kept |= run;
    }
    if (kept) hak__slab_restore(slab, kept);
    hak__discharge(heap, bytes_of(pages & ~kept));
    if (slab->kind == HAK_SLAB_PARTIAL) heap->loose -= bytes_of(pages & ~kept);
    return bytes_of(pages & ~kept);
}

/* Whether to read the free blocks of a slab. Where few are free there is hardly a page of them. */
static bool is_of_interest(const hak_slab *slab, bool thorough)
{
    if (slab->kind == HAK_SLAB_CURRENT) return true;
    if (slab->kind != HAK_SLAB_PARTIAL) return false;
    return thorough || hak__slab_left(slab) < slab->carved - slab->carved / 4;
}

/* Goes over the holes, and punches them or not; returns how many bytes. */
static size_t visit(hak_heap *heap, bool thorough, bool punches)
{
    size_t bytes = 0;
    hak_superslab *lists[] = {heap->supers, heap->supers_full};
    for (size_t i = 0; i < 2 && !heap->region; i++) {
        for (hak_superslab *super = lists[i]; super; super = super->next) {
            hak_slab *slabs = hak__superslab_slabs(super);
            for (uint64_t rest = ~super->free & super->dirty; rest; rest &= rest - 1) {
                hak_slab *slab = &slabs[__builtin_ctzll(rest)];
                if (!is_of_interest(slab, thorough)) continue;
                uint32_t pages = pages_without_block(slab);
                bytes += punches && pages ? punch(heap, slab, pages) : bytes_of(pages);
            }
        }
    }
    return bytes;
}

size_t hak__holes_find(hak_heap *heap)
{
    return visit(heap, false, false);
}

size_t hak__holes_punch(hak_heap *heap, bool thorough)
{
    return visit(heap, thorough, true);
}

bool hak__holes_fill(hak_heap *heap, hak_slab *slab)
{
    size_t page = (size_t)__builtin_ctz(slab->absent);
    size_t block = page * HAK_PAGE / slab->block_size;
    uint32_t pages = hak__slab_pages(slab, block * slab->block_size) & slab->absent;
    if (!hak__charge(heap, bytes_of(pages))) return false;
    hak__slab_restore(slab, pages);
    return true;
}
