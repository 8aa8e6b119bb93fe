/* The kind of a block: what the VM uses it for, such as a string or a table, if it says so. In a
 * heap made with the option `kinds` each kind has its own slabs. A block's kind is read from the
 * record of its slab, and statistics by kind from all records. So nothing is counted, and freeing
 * is the same. The cost is memory: partly filled pages for each kind and size, not only for each
 * size.
 *
 * A kind is a number below HAK_KINDS. Kind 0: nothing is known. An adapter names the others. */
#ifndef HAK_KINDS_H
#define HAK_KINDS_H

#include "heap/blocks.h"

/* The nest has three bits for each 32 bytes, the kind of the block that begins there. No block is
 * smaller, so that no two live blocks share these bits. */
#define HAK_KINDS_NEST_STEP ((size_t)32)

typedef struct hak_kinds {
    const char *const *names; /* `count` names; NULL: not named */
    unsigned count;
    uint32_t in_nest[HAK_NEST_STEPS * 8 / HAK_KINDS_NEST_STEP / 32][3];
} hak_kinds;

/* The bins of a further kind. */
typedef struct hak_set {
    hak_bins bins;
    hak_lists lists;
} hak_set;

/* The lists of a heap. `sets` exist if it keeps kinds apart. */
typedef struct hak_all_lists {
    hak_superslab_lists supers;
    hak_lists lists; /* of kind 0 */
    hak_set sets[];
} hak_all_lists;

/* Bytes of memory for hak__kinds_set_lists. */
static inline size_t hak__kinds_lists_size(bool kinds)
{
    return sizeof(hak_all_lists) + (kinds ? (HAK_KINDS - 1) * sizeof(hak_set) : 0);
}

/* What a heap that keeps kinds apart has behind it. */
static inline hak_kinds *hak__kinds_of(const hak_heap *heap)
{
    return (hak_kinds *)(heap + 1);
}

/* Makes a new heap keep kinds apart, or not. */
void hak__kinds_open(hak_heap *heap, bool kinds);

/* Empties the bins that the hot path looks into. Another place must have what was in them. */
void hak__kinds_close_bins(hak_heap *heap);

/* Fills `memory` with empty lists and, if the heap keeps kinds apart, empty sets; makes the lists
 * there, which may have been moved, the heap's. */
void hak__kinds_clear_lists(const hak_heap *heap, void *memory);
void hak__kinds_set_lists(hak_heap *heap, void *memory);

/* Names the kinds of a heap that keeps them apart and has no names yet. `names` is not copied. */
void hak__kinds_name(hak_heap *heap, const char *const *names, unsigned count);

/* The name of a kind. */
const char *hak__kinds_name_of(const hak_heap *heap, unsigned kind);

/* The kind of the block `offset` bytes behind the start of the nest. */
unsigned hak__kinds_in_nest(const hak_heap *heap, size_t offset);
void hak__kinds_set_in_nest(hak_heap *heap, size_t offset, unsigned kind);

/* The hot path of hak__heap_alloc for a block of a kind; NULL: take the slow path. If the heap does
 * not keep kinds apart, all kinds share the bins of kind 0. */
static inline void *hak__heap_take_kind(hak_heap *heap, unsigned kind, size_t size)
{
    if (HAK_UNLIKELY(size > HAK_SMALL_MAX)) return NULL;
    hak_slab *slab = heap->open[kind]->bin[(size + 7) / 8];
    return HAK_LIKELY(slab->free != NULL) ? hak__slab_pop(slab) : NULL;
}

/* Allocates a block of a kind. */
static inline void *hak__heap_alloc_kind(hak_heap *heap, unsigned kind, size_t size)
{
    void *block = hak__heap_take_kind(heap, kind, size);
    return HAK_LIKELY(block != NULL) ? block : hak__heap_alloc_kind_slow(heap, kind, size);
}

#endif
