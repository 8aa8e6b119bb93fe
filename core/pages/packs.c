#include "pages/packs.h"

#include <string.h>

#include "os/os.h"
#include "pages/accounts.h"
#include "pages/hugespace.h"
#include "pages/pack_holes.h"
#include "pages/pack_lists.h"
#include "pages/pack_purge.h"

/* Bytes of a range of pages: all of them, and those touched. */
typedef struct page_bytes {
    size_t all, touched;
} page_bytes;

static page_bytes bytes_in(const hak_pack *pack, hak_page_range range)
{
    return (page_bytes){(range.end - range.first) * HAK_PAGE,
                        hak__pack_count_bits(&pack->touched, range) * HAK_PAGE};
}

static void set_retained(hak_pages *pages, hak_pack *pack, size_t bytes)
{
    pages->retained += bytes - pack->retained;
    pack->retained = (uint32_t)bytes;
}

/* Takes a range of pages into use: maps them and accounts for them. False, and no change, when
 * memory or the limit is exhausted. */
static bool use(hak_pages *pages, hak_superslab *super, hak_page_range range)
{
    hak_pack *pack = hak__pack_of(super);
    page_bytes bytes = bytes_in(pack, range);
    pages->short_of = hak__short_of(pages, bytes.all - bytes.touched);
    if (pages->short_of || !hak__pack_map(super, range)) return false;
    hak__pack_set_bits(&pack->touched, range, true);
    set_retained(pages, pack, pack->retained - bytes.touched);
    hak__charge_always(pages, bytes.all - bytes.touched);
    return true;
}

/* ------------------------------------------------------------------ taking */

/* Maps a pack for a block of `size` bytes. Its record is retained as long as it has none. */
static hak_superslab *open_pack(hak_pages *pages, size_t size)
{
    size_t bytes = hak__up(HAK_PACK_FIRST + size, HAK_PAGE);
    pages->short_of = hak__short_of(pages, bytes);
    if (pages->short_of) return NULL;
    hak_superslab *super = hak__hugespace_take(pages, bytes, HAK_PAGE);
    if (!super) return NULL;
    hak_pack *pack = hak__pack_of(super);
    super->huge_packed = true;
    hak__pack_set_bits(&pack->touched, (hak_page_range){0, 1}, true);
    set_retained(pages, pack, HAK_PAGE);
    hak__charge_always(pages, HAK_PAGE);
    hak__pack_lists_add(pages, super);
    return super;
}

/* Zeroes what earlier blocks have left in pages that were touched before this one came. */
static void zero_block(hak_pack *pack, hak_pack_block block, const hak_pack_bits *touched)
{
    for (size_t begin = block.begin, end; begin < block.end; begin = end) {
        size_t page = begin / HAK_PAGE;
        end = (page + 1) * HAK_PAGE < block.end ? (page + 1) * HAK_PAGE : block.end;
        if (hak__pack_bit(touched, page)) memset((char *)pack + begin, 0, end - begin);
    }
}

/* Puts a block into a pack; NULL if it does not fit. */
static void *put(hak_pages *pages, hak_superslab *super, size_t size, size_t align, bool zero)
{
    hak_pack *pack = hak__pack_of(super);
    hak_pack_block block;
    size_t index;
    pages->short_of = 0;
    if (!hak__pack_place(pack, size, align, &block, &index)) return NULL;
    hak_pack_bits touched = pack->touched;
    if (!use(pages, super, hak__pack_own_pages(block, hak__pack_gap(pack, index)))) return NULL;
    if (pack->count == 0) set_retained(pages, pack, pack->retained - HAK_PAGE);
    hak__pack_insert(pack, index, block);
    hak__pack_lists_changed(pages, super);
    if (zero) zero_block(pack, block, &touched);
    return (char *)pack + block.begin;
}

void *hak__packs_take(hak_pages *pages, size_t size, size_t align, bool zero)
{
    size = hak__up(size, HAK_PACK_STEP);
    hak_superslab *super = hak__pack_lists_find(pages, size, align);
    void *block = super ? put(pages, super, size, align, zero) : NULL;
    if (block || (super && pages->short_of)) return block;
    super = open_pack(pages, size);
    if (!super) return NULL;
    block = put(pages, super, size, align, zero);
    if (!block) hak__packs_purge_one(pages, super);
    return block;
}

hak_packs_need hak__packs_need(const hak_pages *pages, size_t size, size_t align)
{
    hak_pack_block block;
    size_t index;
    size = hak__up(size, HAK_PACK_STEP);
    const hak_superslab *super = hak__pack_lists_find(pages, size, align);
    const hak_pack *pack = super ? hak__pack_of(super) : NULL;
    if (!pack || !hak__pack_place(pack, size, align, &block, &index))
        return (hak_packs_need){hak__up(size, HAK_PAGE) + HAK_PAGE, true};
    hak_page_range own = hak__pack_own_pages(block, hak__pack_gap(pack, index));
    page_bytes bytes = bytes_in(pack, own);
    bool maps =
        own.end > hak__pack_mapped(super).end || hak__pack_count_bits(&pack->unmapped, own) > 0;
    return (hak_packs_need){bytes.all - bytes.touched, maps};
}

/* ------------------------------------------------------------------ giving and resizing */

void hak__packs_give(hak_pages *pages, hak_superslab *super, size_t index)
{
    hak_pack *pack = hak__pack_of(super);
    hak_pack_block around = hak__pack_around(pack, index);
    hak_page_range own = hak__pack_own_pages(pack->blocks[index], around);
    hak__pack_remove(pack, index);
    size_t record = pack->count == 0 ? HAK_PAGE : 0;
    set_retained(pages, pack, pack->retained + (own.end - own.first) * HAK_PAGE + record);
    hak__pack_lists_changed(pages, super);
}

/* The pages that a block has now, and with `size` bytes. False if the next block is in the way. */
static bool pages_of(const hak_pack *pack, size_t index, size_t size, hak_page_range *had,
                     hak_page_range *has)
{
    hak_pack_block block = pack->blocks[index], around = hak__pack_around(pack, index);
    *had = hak__pack_own_pages(block, around);
    if (block.begin + size > around.end) return false;
    block.end = (uint32_t)(block.begin + size);
    *has = hak__pack_own_pages(block, around);
    return true;
}

size_t hak__packs_grow_lack(const hak_superslab *super, size_t index, size_t size)
{
    const hak_pack *pack = hak__pack_of(super);
    hak_page_range had, has;
    if (!pages_of(pack, index, hak__up(size, HAK_PACK_STEP), &had, &has)) return SIZE_MAX;
    if (has.end <= had.end) return 0;
    page_bytes bytes = bytes_in(pack, (hak_page_range){had.end, has.end});
    return bytes.all - bytes.touched;
}

bool hak__packs_resize(hak_pages *pages, hak_superslab *super, size_t index, size_t size)
{
    hak_pack *pack = hak__pack_of(super);
    hak_page_range had, has;
    pages->short_of = 0;
    size = hak__up(size, HAK_PACK_STEP);
    if (!pages_of(pack, index, size, &had, &has)) return false;
    if (has.end > had.end && !use(pages, super, (hak_page_range){had.end, has.end})) return false;
    if (has.end < had.end)
        set_retained(pages, pack, pack->retained + (had.end - has.end) * HAK_PAGE);
    pack->blocks[index].end = (uint32_t)(pack->blocks[index].begin + size);
    hak__pack_lists_changed(pages, super);
    return true;
}

size_t hak__packs_size(const hak_superslab *super, const void *p)
{
    const hak_pack *pack = hak__pack_of(super);
    size_t index = hak__packs_index(super, p);
    size_t offset = (size_t)((const char *)p - (const char *)pack);
    if (index == pack->count || pack->blocks[index].begin > offset) return 0;
    return pack->blocks[index].end - pack->blocks[index].begin;
}
