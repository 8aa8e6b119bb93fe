/* Kinds: what a VM wants its blocks for, such as strings or tables, where it says so. A heap that
 * is made with the option `kinds` gives each kind slabs of its own, so that a block's kind is known
 * from its slab's record, and statistics by kind are read off the records like all others: nothing
 * is counted, and freeing is as in any heap. What it costs is memory: pages that are filled in
 * part, by kind and size rather than by size.
 *
 * Here a kind is a number below HAK_KINDS; 0 are blocks of which nothing is known. An adapter that
 * knows more gives names to the others. */
#ifndef HAK_KINDS_H
#define HAK_KINDS_H

#include "heap/blocks.h"

/* In the nest, where blocks of all kinds lie side by side, there are three bits for each 32 bytes,
 * and no block takes less, so that no two in use begin in the same ones. */
#define HAK_KINDS_NEST_STEP ((size_t)32)

typedef struct hak_kinds {
    const char *const *names; /* `count` of them; NULL: nobody has said what they are */
    unsigned count;
    uint32_t in_nest[HAK_NEST_STEPS * 8 / HAK_KINDS_NEST_STEP / 32][3];
} hak_kinds;

/* The bins of one further kind. */
typedef struct hak_set {
    hak_bins bins;
    hak_lists lists;
} hak_set;

/* The lists of a heap; with further sets if it keeps kinds apart. */
typedef struct hak_all_lists {
    hak_superslab_lists supers;
    hak_lists lists; /* of kind 0 */
    hak_set sets[];
} hak_all_lists;

/* Bytes of what hak__kinds_set_lists takes. */
static inline size_t hak__kinds_lists_size(bool kinds)
{
    return sizeof(hak_all_lists) + (kinds ? (HAK_KINDS - 1) * sizeof(hak_set) : 0);
}

/* Makes the heap one that keeps kinds apart, from its beginning, or not, with `kinds` NULL. */
void hak__kinds_open(hak_heap *heap, hak_kinds *kinds);

/* Fills `memory` with empty lists, and further bins if the heap keeps kinds apart; and makes what
 * lies there, perhaps moved from elsewhere, the heap's. */
void hak__kinds_clear_lists(const hak_heap *heap, void *memory);
void hak__kinds_set_lists(hak_heap *heap, void *memory);

/* Names the kinds of a heap, if it keeps them apart and nobody has; `names` is not copied. */
void hak__kinds_name(hak_heap *heap, const char *const *names, unsigned count);

/* The name of a kind. */
const char *hak__kinds_name_of(const hak_heap *heap, unsigned kind);

/* The kind of the block that begins so many bytes from the start of the nest. */
unsigned hak__kinds_in_nest(const hak_heap *heap, size_t offset);
void hak__kinds_set_in_nest(hak_heap *heap, size_t offset, unsigned kind);

/* The short way of hak__heap_alloc for a block of that kind; NULL: take the long one. Where kinds
 * do not lie apart, all are 0. */
static inline void *hak__heap_take_kind(hak_heap *heap, unsigned kind, size_t size)
{
    if (HAK_UNLIKELY(size > HAK_SMALL_MAX)) return NULL;
    hak_slab *slab = heap->sets[kind]->bin[(size + 7) / 8];
    return HAK_LIKELY(slab->free != NULL) ? hak__slab_pop(slab) : NULL;
}

/* Both. */
static inline void *hak__heap_alloc_kind(hak_heap *heap, unsigned kind, size_t size)
{
    void *block = hak__heap_take_kind(heap, kind, size);
    return HAK_LIKELY(block != NULL) ? block : hak__heap_alloc_kind_slow(heap, kind, size);
}

#endif
