/* A region on a caller's memory: laid out once with all its records. Makes no system call. */
#include <string.h>

#include "pages/region.h"

#define UNITS_A_LEAF ((size_t)1) /* a word is 64 units */

/* Small memories get units of 4 KiB, so that each size class can have a slab. */
static unsigned memory_unit_shift(size_t size)
{
    unsigned shift = 12;
    while (shift < HAK_UNIT_SHIFT && size >> shift > 512) shift++;
    return shift;
}

hak_region *hak__region_on_memory(void *memory, size_t size, size_t control_size)
{
    unsigned shift = memory_unit_shift(size);
    uintptr_t begin = hak__up((uintptr_t)memory, sizeof(hak_unit));
    uintptr_t end = (uintptr_t)memory + size;
    size_t units = size >> shift;
    for (; units > 0; units--) {
        size_t superslabs = (units + HAK_SUPERSLAB_UNITS - 1) / HAK_SUPERSLAB_UNITS;
        uintptr_t supers = begin + hak__up(sizeof(hak_region), sizeof(hak_unit));
        uintptr_t slabs = supers + superslabs * sizeof(hak_superslab);
        uintptr_t room = slabs + units * sizeof(hak_unit);
        uintptr_t control = hak__up(room + hak__room_size(units, UNITS_A_LEAF), sizeof(hak_unit));
        uintptr_t base = hak__up(control + control_size, HAK_PAGE);
        if (base + (units << shift) > end) continue;

        memset((void *)begin, 0, base - begin);
        hak_region *region = (hak_region *)begin;
        *region = (hak_region){
            .base = base,
            .superslabs = superslabs,
            .unit_shift = shift,
            .fixed = true,
            .supers = (hak_superslab *)supers,
            .slabs = (hak_unit *)slabs,
            .control = (void *)control,
            .ready = superslabs,
            .units = units,
        };
        hak__room_open(&region->room, units, UNITS_A_LEAF, (void *)room);
        for (size_t i = 0; i < superslabs; i++) {
            size_t left = units - i * HAK_SUPERSLAB_UNITS;
            if (left > HAK_SUPERSLAB_UNITS) left = HAK_SUPERSLAB_UNITS;
            region->supers[i] = (hak_superslab){
                .free = hak__bits(0, left),
                .units = (uint8_t)left,
                .region = region,
                .type = HAK_SUPERSLAB_SLABS,
                .mapped = true,
            };
        }
        return region;
    }
    return NULL;
}
