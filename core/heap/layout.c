#include "heap/layout.h"

#define COLOURS_MOST 8
#define LOST_PART    128 /* one block in so many may be lost */

static size_t period(const hak_unit *slab)
{
    return hak__layout_group(slab) * slab->block_size + HAK_GAP;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t hak__layout_begin_within(const hak_unit *slab, size_t bytes)
{
    size_t size = slab->block_size;
    if (!slab->has_gaps) return (bytes + size - 1) / size;
    size_t group = hak__layout_group(slab), of_group = (bytes % period(slab) + size - 1) / size;
    return bytes / period(slab) * group + least(of_group, group);
}

size_t hak__layout_end_within_groups(const hak_unit *slab, size_t bytes)
{
    size_t size = slab->block_size;
    size_t group = hak__layout_group(slab), of_group = bytes % period(slab) / size;
    return bytes / period(slab) * group + least(of_group, group);
}

size_t hak__layout_carved_end(const hak_unit *slab)
{
    if (!slab->carved) return 0;
    size_t last = hak__layout_offset(slab, slab->carved - (size_t)1);
    return hak__unit_colour(slab) + last + slab->block_size;
}

/* The sum of a number's digits. The base is the number of colours, rounded up to a power of two.
 * So, at any stride that is a power of two, as many successive numbers have different sums. */
static size_t sum_of_digits(size_t number, size_t colours)
{
    size_t sum = 0, digit = 1;
    while (digit < colours) digit *= 2;
    for (; number; number /= digit) sum += number % digit;
    return sum;
}

void hak__layout_colour(hak_unit *slab, size_t unit, size_t bytes, size_t granularity,
                        bool wants_gaps)
{
    size_t size = slab->block_size, rest = bytes % size, step = size % 16 ? granularity : 16;
    bool needs_gaps = wants_gaps && (size & -size) > HAK_GAP;
    size_t gaps = needs_gaps ? (slab->capacity - (size_t)1) / hak__layout_group(slab) * HAK_GAP : 0;
    size_t colours = least(size / step, COLOURS_MOST);
    size_t needed = (colours - 1) * step + gaps, lost = 0;
    if (needed > rest) lost = (needed - rest + size - 1) / size;
    if (lost <= slab->capacity / LOST_PART) {
        slab->capacity = (uint16_t)(slab->capacity - lost);
    } else {
        gaps = 0;
        colours = rest / step + 1;
    }
    slab->has_gaps = gaps > 0;
    if (colours > 1) slab->start += sum_of_digits(unit, colours) % colours * step;
}
