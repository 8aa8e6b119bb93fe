#include "heap/slab.h"

#include <string.h>

#include "heap/layout.h"

const hak_slab hak__no_slab;

/* Blocks to carve: those of one group that end within the pages that `bytes` more would touch. A
 * colour does not make them touch a further page. */
static uint32_t carve_count(const hak_slab *slab, size_t bytes)
{
    size_t offset = hak__layout_offset(slab, slab->carved), begin = hak__unit_colour(slab) + offset;
    size_t end = (offset + bytes + HAK_PAGE - 1) & ~(HAK_PAGE - 1);
    size_t count = end > begin ? (end - begin) / slab->block_size : 0;
    size_t room = slab->capacity - slab->carved;
    if (slab->has_gaps) {
        size_t group = hak__layout_group(slab), of_group = group - slab->carved % group;
        if (of_group < room) room = of_group;
    }
    if (count == 0) count = 1;
    return (uint32_t)(count < room ? count : room);
}

size_t hak__slab_carve_end(const hak_slab *slab, size_t bytes)
{
    size_t begin = hak__unit_colour(slab) + hak__layout_offset(slab, slab->carved);
    size_t end = begin + carve_count(slab, bytes) * slab->block_size;
    return (end + HAK_PAGE - 1) & ~(HAK_PAGE - 1);
}

size_t hak__slab_used(const hak_slab *slab)
{
    switch (slab->state) {
    case HAK_SLAB_CURRENT:
    case HAK_SLAB_PARTIAL:
    case HAK_SLAB_DRY:
    case HAK_SLAB_FULL: return hak__slab_carved_pages(slab);
    case HAK_SPAN:
    case HAK_UNIT_NEST: return slab->span_size;
    default: return 0;
    }
}

void hak__slab_carve(hak_slab *slab, size_t bytes)
{
    HAK_ASSERT(!slab->free && slab->carved < slab->capacity);
    uint32_t count = carve_count(slab, bytes);
    size_t size = slab->block_size;
    char *block = slab->start + hak__layout_offset(slab, slab->carved);
    char *last = block + (count - 1) * size;
    slab->free = block;
    slab->carved = (uint16_t)(slab->carved + count);
    for (; block != last; block += size) *(void **)block = block + size;
    *(void **)last = NULL;
}

uint32_t hak__slab_pages(const hak_slab *slab, size_t offset)
{
    offset += hak__unit_colour(slab);
    size_t first = offset / HAK_PAGE, last = (offset + slab->block_size - 1) / HAK_PAGE;
    return ((uint32_t)2 << last) - ((uint32_t)1 << first);
}

/* The carved blocks [*first, *end) that lie in a page, wholly or in part. */
static void blocks_in_page(const hak_slab *slab, unsigned page, size_t *first, size_t *end)
{
    size_t colour = hak__unit_colour(slab), begin = page * HAK_PAGE;
    *first = begin > colour ? hak__layout_end_within(slab, begin - colour) : 0;
    *end = hak__layout_begin_within(slab, begin + HAK_PAGE - colour);
    if (*end > slab->carved) *end = slab->carved;
}

size_t hak__slab_lost_in_pages(const hak_slab *slab)
{
    size_t count = 0, done = 0;
    for (uint32_t rest = slab->purged; rest; rest &= rest - 1) {
        size_t first, end;
        blocks_in_page(slab, (unsigned)__builtin_ctz(rest), &first, &end);
        if (first < done) first = done;
        if (first < end) count += end - first;
        done = end;
    }
    return count;
}

void hak__slab_restore(hak_slab *slab, uint32_t pages)
{
    slab->purged &= (uint16_t)~pages;
    size_t done = slab->carved;
    while (pages) {
        unsigned page = 31 - (unsigned)__builtin_clz(pages);
        pages ^= (uint32_t)1 << page;
        size_t first, end;
        blocks_in_page(slab, page, &first, &end);
        size_t last = end - 1;
        if (end > done) end = done;
        for (size_t i = end; i-- > first;) {
            size_t offset = hak__layout_offset(slab, i);
            /* Only the first and the last block can extend into another page. */
            bool is_inside = i > first && i < last;
            if (!is_inside && hak__slab_pages(slab, offset) & slab->purged) continue;
            *(void **)(slab->start + offset) = slab->free;
            slab->free = slab->start + offset;
        }
        if (first < done) done = first;
    }
}

void hak__slab_sort(hak_slab *slab)
{
    if (slab->units > 1) return;
    uint64_t is_free[HAK_SLAB_BLOCKS_MAX / 64];
    size_t size = slab->block_size, words = (slab->carved + 63) / 64;
    memset(is_free, 0, words * sizeof *is_free);
    /* Division by multiplication: exact for a dividend below 2^32 / size, as
     * offsets in a unit are. */
    uint64_t inverse = ((uint64_t)1 << 32) / size + 1;
    for (void *block = slab->free; block; block = *(void **)block) {
        uint64_t offset = (uint64_t)((char *)block - slab->start);
        uint64_t i = slab->has_gaps ? hak__layout_end_within(slab, offset) : offset * inverse >> 32;
        is_free[i / 64] |= (uint64_t)1 << i % 64;
    }
    void **link = &slab->free;
    for (size_t i = 0; i < words; i++) {
        for (uint64_t rest = is_free[i]; rest; rest &= rest - 1) {
            size_t block = i * 64 + (size_t)__builtin_ctzll(rest);
            *link = slab->start + hak__layout_offset(slab, block);
            link = *link;
        }
    }
    *link = NULL;
}

size_t hak__slab_free_count(const hak_slab *slab)
{
    size_t count = 0;
    for (void *block = slab->free; block; block = *(void **)block) count++;
    return count;
}

size_t hak__slab_live(const hak_slab *slab)
{
    switch (slab->state) {
    case HAK_SLAB_CURRENT: return slab->carved - hak__slab_free_count(slab) - hak__slab_lost(slab);
    case HAK_SLAB_DRY: return hak__slab_dry_live(slab);
    case HAK_SLAB_FULL: return hak__slab_full_live(slab);
    case HAK_SLAB_PARTIAL: return hak__slab_partial_live(slab);
    case HAK_SPAN: return 1;
    default: return 0;
    }
}

/* Whether each carved block is live, free, or in a purged page. */
static bool counts_agree(const hak_slab *slab)
{
    return hak__slab_live(slab) + hak__slab_free_count(slab) + hak__slab_lost(slab) == slab->carved;
}

bool hak__slab_valid(const hak_slab *slab)
{
    size_t left = hak__slab_left(slab);
    if (slab->state != HAK_SLAB_PARTIAL && slab->searched) return false;
    switch (slab->state) {
    case HAK_UNIT_FREE:
    case HAK_UNIT_INTERIOR: return left == 1 && !slab->free;
    case HAK_UNIT_REMNANT: return left == 1 && !slab->free && slab->purged && slab->units == 1;
    case HAK_UNIT_NEST:
    case HAK_SPAN:
    case HAK_SPAN_SHELVED: return left == 1 && !slab->free && slab->units > 0;
    case HAK_SLAB_FULL: return left > 0 && left <= slab->asleep && counts_agree(slab);
    case HAK_SLAB_DRY:
        return left == 1 && !slab->free && hak__slab_live(slab) > 0 &&
               (slab->carved < slab->capacity || slab->purged);
    case HAK_SLAB_PARTIAL:
        return left > 0 && slab->free && !(slab->vacant & slab->purged) && counts_agree(slab);
    case HAK_SLAB_CURRENT:
        return left <= HAK_LEFT_FAR && slab->carved <= slab->capacity &&
               hak__slab_free_count(slab) + hak__slab_lost(slab) <= slab->carved;
    default: return false;
    }
}
