#include "pages/plan.h"

#include <stdatomic.h>

#include "os/os.h"

#define SPAN_MOST     ((size_t)1 << 40)
#define SPAN_PART     8 /* the region is at most 1/SPAN_PART of the address space */
#define TRIES         16
#define STEP          ((size_t)64 * 1024) /* bytes of records mapped at a time */
#define SUPERS_A_STEP (STEP / sizeof(hak_superslab))
#define STEPS_MOST    (SPAN_MOST / HAK_SUPERSLAB_SIZE / SUPERS_A_STEP)
#define UNITS_BYTES   (HAK_SUPERSLAB_UNITS * sizeof(hak_unit)) /* unit records of a superslab */

/* Bit set for each mapped step of superslab records. */
static atomic_uint_fast64_t mapped_steps[STEPS_MOST / 64];

/* Bytes of the three tables of records, in the order of their addresses. */
typedef struct tables {
    size_t room, supers, units;
} tables;

static tables tables_for(size_t superslabs)
{
    return (tables){
        .room = hak__up(hak__room_size(superslabs, HAK_SUPERS_A_LEAF), HAK_PAGE),
        .supers = hak__up(superslabs * sizeof(hak_superslab), STEP),
        .units = superslabs * UNITS_BYTES,
    };
}

size_t hak__plan_span(size_t end)
{
    size_t span = end / SPAN_PART;
    return span < SPAN_MOST ? span : SPAN_MOST;
}

uintptr_t hak__plan_base(size_t end, size_t records, uint64_t number)
{
    size_t first = end / 4 + records, last = end / 8 * 5 - hak__plan_span(end);
    size_t places = (last - first) / HAK_SUPERSLAB_SIZE;
    return hak__up(first, HAK_SUPERSLAB_SIZE) + number % places * HAK_SUPERSLAB_SIZE;
}

static void note_step(size_t step)
{
    atomic_fetch_or_explicit(&mapped_steps[step / 64], (uint64_t)1 << step % 64,
                             memory_order_release);
}

static bool has_step(size_t step)
{
    return atomic_load_explicit(&mapped_steps[step / 64], memory_order_acquire) >> step % 64 & 1;
}

/* Maps the room, the first step of superslab records behind it, and the first
 * step of unit records. */
static hak_mapped map_first(char *room, const tables *size)
{
    hak_mapped mapped = hak__os_map_at(room, size->room + STEP);
    if (mapped != HAK_MAPPED) return mapped;
    mapped = hak__os_map_at(room + size->room + size->supers, STEP);
    if (mapped != HAK_MAPPED) hak__os_unmap(room, size->room + STEP);
    return mapped;
}

hak_mapped hak__plan_open(hak_region *region)
{
    size_t end = hak__os_address_end(), superslabs = hak__plan_span(end) / HAK_SUPERSLAB_SIZE;
    tables size = tables_for(superslabs);
    size_t all = size.room + size.supers + size.units;
    for (size_t i = 0; i < TRIES; i++) {
        uintptr_t base = hak__plan_base(end, all, hak__os_random());
        char *room = (char *)base - all;
        hak_mapped mapped = map_first(room, &size);
        if (mapped == HAK_REFUSED) return mapped;
        if (mapped == HAK_TAKEN) continue;
        note_step(0);
        *region = (hak_region){
            .base = base,
            .superslabs = superslabs,
            .unit_shift = HAK_UNIT_SHIFT,
            .grows = true,
            .supers = (hak_superslab *)(room + size.room),
            .slabs = (hak_unit *)(room + size.room + size.supers),
            .ready = STEP / UNITS_BYTES,
            .huge_hint = superslabs / 2,
            .units = superslabs * HAK_SUPERSLAB_UNITS,
            .records = size.room + 2 * STEP,
        };
        hak__room_open(&region->room, superslabs, HAK_SUPERS_A_LEAF, room);
        return HAK_MAPPED;
    }
    return HAK_TAKEN;
}

static bool map_records(hak_region *region, void *start, size_t size)
{
    if (hak__os_map_at(start, size) != HAK_MAPPED) return false;
    region->records += size;
    return true;
}

bool hak__plan_map_supers(hak_region *region, size_t first, size_t count)
{
    size_t last = (first + count - 1) / SUPERS_A_STEP;
    for (size_t step = first / SUPERS_A_STEP; step <= last; step++) {
        if (has_step(step)) continue;
        if (!map_records(region, &region->supers[step * SUPERS_A_STEP], STEP)) return false;
        note_step(step);
    }
    return true;
}

bool hak__plan_map_units(hak_region *region, size_t index)
{
    if (index < region->ready) return true;
    size_t end = hak__up(index + 1, STEP / UNITS_BYTES);
    if (end > region->superslabs) end = region->superslabs;
    void *start = &region->slabs[region->ready * HAK_SUPERSLAB_UNITS];
    if (!map_records(region, start, (end - region->ready) * UNITS_BYTES)) return false;
    __atomic_store_n(&region->ready, end, __ATOMIC_RELAXED);
    return true;
}

bool hak__plan_has_super(const hak_region *region, size_t index)
{
    return !region->grows || has_step(index / SUPERS_A_STEP);
}
