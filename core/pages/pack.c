#include "pages/pack.h"

#include <string.h>

/* ------------------------------------------------------------------ bits */

void hak__pack_set_bits(hak_pack_bits *bits, hak_page_range range, bool set)
{
    for (size_t page = range.first, count; page < range.end; page += count) {
        count = 64 - page % 64 < range.end - page ? 64 - page % 64 : range.end - page;
        uint64_t mask = hak__bits(page % 64, count);
        uint64_t word = bits->words[page / 64];
        __atomic_store_n(&bits->words[page / 64], set ? word | mask : word & ~mask,
                         __ATOMIC_RELAXED);
    }
}

size_t hak__pack_count_bits(const hak_pack_bits *bits, hak_page_range range)
{
    size_t found = 0;
    for (size_t page = range.first, count; page < range.end; page += count) {
        count = 64 - page % 64 < range.end - page ? 64 - page % 64 : range.end - page;
        uint64_t here = bits->words[page / 64] & hak__bits(page % 64, count);
        found += (size_t)__builtin_popcountll(here);
    }
    return found;
}

/* The first page of a range whose bit is set, or not set; its end if there is none. */
static size_t next_bit(const hak_pack_bits *bits, hak_page_range range, bool set)
{
    for (size_t page = range.first; page < range.end; page = (page / 64 + 1) * 64) {
        uint64_t word = bits->words[page / 64];
        uint64_t found = (set ? word : ~word) >> page % 64;
        if (found) page += (size_t)__builtin_ctzll(found);
        if (found) return page < range.end ? page : range.end;
    }
    return range.end;
}

hak_page_range hak__pack_next_bits(const hak_pack_bits *bits, hak_page_range range, bool set)
{
    size_t first = next_bit(bits, range, set);
    return (hak_page_range){first, next_bit(bits, (hak_page_range){first, range.end}, !set)};
}

/* ------------------------------------------------------------------ blocks and gaps */

size_t hak__pack_index(const hak_pack *pack, size_t offset)
{
    size_t low = 0, high = pack->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (pack->blocks[middle].end > offset) high = middle;
        else low = middle + 1;
    }
    return low;
}

/* The end of the block before `index`. */
static uint32_t end_before(const hak_pack *pack, size_t index)
{
    return index > 0 ? pack->blocks[index - 1].end : (uint32_t)HAK_PACK_FIRST;
}

/* The beginning of block `index`, or the end of the pack. */
static uint32_t begin_of(const hak_pack *pack, size_t index)
{
    return index < pack->count ? pack->blocks[index].begin : (uint32_t)HAK_PACK_SIZE;
}

hak_pack_block hak__pack_gap(const hak_pack *pack, size_t index)
{
    return (hak_pack_block){end_before(pack, index), begin_of(pack, index)};
}

hak_pack_block hak__pack_around(const hak_pack *pack, size_t index)
{
    return (hak_pack_block){end_before(pack, index), begin_of(pack, index + 1)};
}

size_t hak__pack_longest_gap(const hak_pack *pack)
{
    size_t longest = 0;
    for (size_t i = 0; i <= pack->count; i++) {
        hak_pack_block gap = hak__pack_gap(pack, i);
        if (gap.end - gap.begin > longest) longest = gap.end - gap.begin;
    }
    return longest;
}

/* The pages of a block that were never touched, or have been purged. */
static size_t lacking(const hak_pack *pack, hak_pack_block block)
{
    hak_page_range pages = {block.begin / HAK_PAGE, hak__up(block.end, HAK_PAGE) / HAK_PAGE};
    return pages.end - pages.first - hak__pack_count_bits(&pack->touched, pages);
}

bool hak__pack_place(const hak_pack *pack, size_t size, size_t align, hak_pack_block *place,
                     size_t *index)
{
    size_t smallest = SIZE_MAX, fewest = SIZE_MAX;
    for (size_t i = 0; i <= pack->count; i++) {
        hak_pack_block gap = hak__pack_gap(pack, i);
        size_t begin = hak__up(gap.begin, align), length = gap.end - gap.begin;
        if (begin + size > gap.end) continue;
        hak_pack_block block = {(uint32_t)begin, (uint32_t)(begin + size)};
        size_t lack = pack->retained ? lacking(pack, block) : 0;
        if (lack > fewest || (lack == fewest && length >= smallest)) continue;
        smallest = length;
        fewest = lack;
        *place = block;
        *index = i;
    }
    return smallest < SIZE_MAX;
}

void hak__pack_insert(hak_pack *pack, size_t index, hak_pack_block block)
{
    memmove(&pack->blocks[index + 1], &pack->blocks[index],
            (pack->count - index) * sizeof *pack->blocks);
    pack->blocks[index] = block;
    pack->count++;
}

void hak__pack_remove(hak_pack *pack, size_t index)
{
    pack->count--;
    memmove(&pack->blocks[index], &pack->blocks[index + 1],
            (pack->count - index) * sizeof *pack->blocks);
}

/* ------------------------------------------------------------------ pages */

hak_page_range hak__pack_own_pages(hak_pack_block block, hak_pack_block between)
{
    size_t first = block.begin / HAK_PAGE, end = hak__up(block.end, HAK_PAGE) / HAK_PAGE;
    if (between.begin > first * HAK_PAGE) first++;
    if (between.end < end * HAK_PAGE) end--;
    return (hak_page_range){first, end};
}

hak_page_range hak__pack_gap_pages(const hak_pack *pack, size_t index)
{
    hak_pack_block gap = hak__pack_gap(pack, index);
    size_t first = hak__up(gap.begin, HAK_PAGE) / HAK_PAGE, end = gap.end / HAK_PAGE;
    return (hak_page_range){first, first < end ? end : first};
}
