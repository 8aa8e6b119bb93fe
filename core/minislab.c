#include "minislab.h"

#include "units.h"

#define CELLS_MAX ((size_t)64) /* in one word of bits */

_Static_assert((size_t)1 << HAK_UNIT_SHIFT <= CELLS_MAX * HAK_CELL, "a unit is one run");

/* Bytes of the run: one unit of the shared region, or an eighth of a caller's memory. */
static size_t run_size(const hak_heap *heap)
{
    if (!heap->region) return (size_t)1 << HAK_UNIT_SHIFT;
    size_t unit = hak__unit_size(heap->region);
    size_t size = heap->region->units * unit / 8 / unit * unit;
    return size < CELLS_MAX * HAK_CELL ? size : CELLS_MAX * HAK_CELL;
}

/* Takes the run. */
static bool open_run(hak_heap *heap)
{
    size_t size = run_size(heap);
    size_t unit = hak__heap_unit_size(heap);
    hak_slab *run = hak__units_take(heap, (size + unit - 1) / unit, HAK_UNIT_MINI);
    if (!run) return false;
    heap->mini_run = run;
    for (size_t cell = 0; cell < size / HAK_CELL; cell++) {
        if (cell % HAK_CELL_GROUP) heap->mini_all |= (uint64_t)1 << cell;
    }
    heap->mini_free = heap->mini_all;
    return true;
}

hak_slab *hak__mini_take(hak_heap *heap, unsigned index)
{
    size_t block_size = hak__class_size(index, heap->granularity);
    if (heap->mini_had[index] == HAK_MINIS || block_size > HAK_CELL) return NULL;
    if (!heap->mini_run && !open_run(heap)) return NULL;
    if (!heap->mini_free) return NULL;

    hak_slab *run = heap->mini_run;
    size_t cell = (size_t)__builtin_ctzll(heap->mini_free);
    size_t end = ((cell + 1) * HAK_CELL + HAK_PAGE - 1) & ~(HAK_PAGE - 1);
    if (end > run->span_size) {
        if (!hak__units_use(heap, run, run->span_size, end)) {
            hak__mini_trim(heap);
            return NULL;
        }
        run->span_size = end;
    }
    heap->mini_free &= heap->mini_free - 1;
    heap->mini_had[index]++;

    hak_slab *mini = hak__mini_record(run, cell);
    *mini = (hak_slab){
        .left = HAK_LEFT_FAR,
        .block_size = (uint32_t)block_size,
        .start = run->start + cell * HAK_CELL,
        .capacity = (uint32_t)(HAK_CELL / block_size),
        .kind = HAK_SLAB_CURRENT,
        .size_class = (uint8_t)index,
        .mini = true,
    };
    hak__slab_carve(mini, HAK_CELL);
    return mini;
}

hak_slab *hak__mini_of(const hak_heap *heap, const void *p)
{
    size_t cell = (size_t)((const char *)p - heap->mini_run->start) / HAK_CELL;
    if (!((heap->mini_all & ~heap->mini_free) >> cell & 1)) return (hak_slab *)&hak__no_slab;
    return hak__mini_record(heap->mini_run, cell);
}

void hak__mini_give(hak_heap *heap, hak_slab *mini)
{
    heap->mini_free |= (uint64_t)1 << (size_t)(mini->start - heap->mini_run->start) / HAK_CELL;
}

bool hak__mini_drain(hak_slab *mini)
{
    size_t live = hak__slab_live(mini);
    mini->kind = HAK_SLAB_FULL;
    mini->asleep = (uint16_t)mini->capacity; /* wakes when it is empty, and then retires */
    mini->left = (uint32_t)live;
    return live > 0;
}

void hak__mini_trim(hak_heap *heap)
{
    if (!heap->mini_run || heap->mini_free != heap->mini_all) return;
    hak__units_give(heap, heap->mini_run);
    heap->mini_run = NULL;
    heap->mini_free = heap->mini_all = 0;
}
