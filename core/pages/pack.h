/* A pack: blocks above 16 KiB side by side, not in whole units. It is a huge block (hugespace.h)
 * that is cut into blocks: up to 4 MiB of address space, of which only what has blocks is mapped.
 * Blocks begin and end at multiples of 64 bytes, so two of them may share a page. The record of a
 * pack lies in its first page. This file knows one pack: its blocks, and which pages they have. */
#ifndef HAK_PACK_H
#define HAK_PACK_H

#include "pages/superslab.h"

#define HAK_PACK_SIZE   ((size_t)4 << 20)
#define HAK_PACK_STEP   ((size_t)64)       /* bytes; blocks begin and end at multiples of it */
#define HAK_PACK_ABOVE  ((size_t)16 << 10) /* bytes; all blocks are larger */
#define HAK_PACK_BLOCKS (HAK_PACK_SIZE / HAK_PACK_ABOVE)
#define HAK_PACK_PAGES  (HAK_PACK_SIZE / HAK_PAGE)
#define HAK_PACK_LISTS  8 /* by longest gap: from 16 KiB, 32 KiB … 2 MiB on */

/* The packs of a heap. This lies in the record of the first one of them. */
typedef struct hak_pack_lists {
    hak_superslab *by_gap[HAK_PACK_LISTS];
    hak_superslab *retaining; /* those with retained pages, linked as superslabs with tails are */
} hak_pack_lists;

/* Offsets are bytes from the start of the pack. */
typedef struct hak_pack_block {
    uint32_t begin, end;
} hak_pack_block;

/* A bit for each page of a pack. */
typedef struct hak_pack_bits {
    uint64_t words[HAK_PACK_PAGES / 64];
} hak_pack_bits;

typedef struct hak_pack {
    hak_pack_lists lists;   /* of the heap's first pack */
    hak_pack_bits touched;  /* pages in the footprint: of blocks, and retained ones */
    hak_pack_bits unmapped; /* pages before the end of what is mapped that are not */
    uint32_t retained;      /* bytes */
    uint32_t count;
    hak_pack_block blocks[HAK_PACK_BLOCKS]; /* in the order of their addresses */
} hak_pack;

_Static_assert(sizeof(hak_pack) <= HAK_PAGE, "the record of a pack lies in one page");

/* Where the first block may begin. */
#define HAK_PACK_FIRST ((sizeof(hak_pack) + HAK_PACK_STEP - 1) & ~(HAK_PACK_STEP - 1))

/* The largest block in a pack, so that three fit. Larger ones waste little as huge blocks. */
#define HAK_PACK_MOST (((HAK_PACK_SIZE - HAK_PACK_FIRST) / 3) & ~(HAK_PACK_STEP - 1))

/* Pages [first, end). */
typedef struct hak_page_range {
    size_t first, end;
} hak_page_range;

static inline hak_pack *hak__pack_of(const hak_superslab *super)
{
    return (hak_pack *)hak__superslab_start(super);
}

static inline bool hak__pack_bit(const hak_pack_bits *bits, size_t page)
{
    return __atomic_load_n(&bits->words[page / 64], __ATOMIC_RELAXED) >> page % 64 & 1;
}

/* Bits outside the range do not change, not even for a moment: other threads may read them. */
void hak__pack_set_bits(hak_pack_bits *bits, hak_page_range range, bool set);

/* How many bits of a range are set. */
size_t hak__pack_count_bits(const hak_pack_bits *bits, hak_page_range range);

/* The first pages of a range whose bits are set, or not set; [end, end) if there are none. */
hak_page_range hak__pack_next_bits(const hak_pack_bits *bits, hak_page_range range, bool set);

/* The index of the first block that ends behind `offset`; `count` if there is none. */
size_t hak__pack_index(const hak_pack *pack, size_t offset);

/* The gap before the block `index`, or behind the last one, where that is `count`. */
hak_pack_block hak__pack_gap(const hak_pack *pack, size_t index);

/* The longest gap. */
size_t hak__pack_longest_gap(const hak_pack *pack);

/* Finds a gap for `size` bytes at a multiple of `align`, with as many retained pages as can be had,
 * then the smallest: the block's place in it, and the index that it would have. False if there is
 * none. */
bool hak__pack_place(const hak_pack *pack, size_t size, size_t align, hak_pack_block *place,
                     size_t *index);

void hak__pack_insert(hak_pack *pack, size_t index, hak_pack_block block);
void hak__pack_remove(hak_pack *pack, size_t index);

/* The pages of a block that no other block and not the record has too. `between`: from the end of
 * the block before to the beginning of the next. */
hak_page_range hak__pack_own_pages(hak_pack_block block, hak_pack_block between);

/* From the end of the block before `index` to the beginning of the one behind. */
hak_pack_block hak__pack_around(const hak_pack *pack, size_t index);

/* The whole pages of a gap. */
hak_page_range hak__pack_gap_pages(const hak_pack *pack, size_t index);

#endif
