#include "pages/mapping.h"

#include <stdatomic.h>

#include "os/os.h"
#include "pages/plan.h"

/* Free superslabs that may stay mapped: so many bytes, or one for so many in use. Under a limit of
 * address space none stays: what is free is there for the rest of the program. */
#define SPARE_LEAST ((size_t)32 << 20)
#define SPARE_PART  8

/* Of the process's mappings (vm.max_map_count, 65,530) the region should not have more. */
#define MAPPINGS_MANY ((size_t)8192)

/* Short superslabs should not have more mappings than this. Those of huge blocks are extra. */
#define APART_MOST ((size_t)16384)

/* Holes in packs, each of which divides a mapping, and short superslabs should not have more
 * together.
 */
#define HOLES_MOST ((size_t)32768)

/* NEAR: with records of units, for slabs; FAR: for huge blocks only. */
enum { NEAR, FAR, LISTS };
static hak_superslab *spares[LISTS];
static size_t spare_count, mapped_count; /* superslabs */

/* Mappings begin and end at a border between superslabs, at the end of a huge block that is mapped
 * in part, and round one whose pages have been moved. */
static atomic_size_t borders, ends, moved_blocks;
static size_t missing; /* bytes behind such ends, behind short superslabs, and in holes */
static atomic_size_t apart_count; /* mapped superslabs that do not join their neighbours */
static atomic_size_t holes;       /* unmapped ranges inside packs */

bool hak__mapping_crowded(void)
{
    return atomic_load_explicit(&borders, memory_order_relaxed) / 2 +
               atomic_load_explicit(&ends, memory_order_relaxed) +
               2 * atomic_load_explicit(&moved_blocks, memory_order_relaxed) >
           MAPPINGS_MANY;
}

bool hak__mapping_may_be_short(void)
{
    return apart_count < APART_MOST && !hak__mapping_crowded();
}

/* ------------------------------------------------------------------ accounts */

/* Whether the neighbour of a superslab in a region is mapped. */
static bool neighbour_mapped(const hak_superslab *super, ptrdiff_t distance)
{
    size_t neighbour = hak__superslab_index(super) + (size_t)distance;
    return neighbour < super->region->superslabs && hak__plan_has_super(super->region, neighbour) &&
           super[distance].mapped;
}

void hak__mapping_set(hak_superslab *super, bool mapped)
{
    if (super->mapped == mapped) return;
    for (ptrdiff_t distance = -1; distance <= 1; distance += 2) {
        if (neighbour_mapped(super, distance) == mapped) borders--;
        else borders++;
    }
    size_t change = mapped ? 1 : (size_t)-1;
    mapped_count += change;
    super->region->mapped += change;
    super->mapped = mapped;
    if (!mapped && super->apart) {
        super->apart = false;
        apart_count--;
    }
}

void hak__mapping_set_end(hak_superslab *super, size_t end)
{
    size_t was = super->huge_mapped % HAK_SUPERSLAB_SIZE, is = end % HAK_SUPERSLAB_SIZE;
    if (was) missing -= HAK_SUPERSLAB_SIZE - was, ends--;
    if (is) missing += HAK_SUPERSLAB_SIZE - is, ends++;
    super->huge_mapped = end;
}

void hak__mapping_set_moved(hak_superslab *super, bool moved)
{
    if (super->huge_moved == moved) return;
    super->huge_moved = moved;
    if (moved) moved_blocks++;
    else moved_blocks--;
}

void hak__mapping_set_holes(hak_holes had, hak_holes has)
{
    holes += has.count - had.count;
    missing += has.bytes - had.bytes;
}

bool hak__mapping_may_have_holes(void)
{
    return atomic_load_explicit(&holes, memory_order_relaxed) +
               atomic_load_explicit(&apart_count, memory_order_relaxed) <
           HOLES_MOST;
}

size_t hak__mapping_count(void)
{
    return mapped_count;
}

size_t hak__mapping_bytes(void)
{
    return mapped_count * HAK_SUPERSLAB_SIZE - missing;
}

/* ------------------------------------------------------------------ mapping */

static void take_spare(hak_superslab *super)
{
    hak__superslab_remove(&spares[super->list], super);
    spare_count--;
}

static size_t missing_of(const hak_superslab *super)
{
    return HAK_SUPERSLAB_SIZE - hak__superslab_bytes(super);
}

/* Sets the mapped units of a mapped superslab. Other threads may read them at the same time, to
 * find the region of a pointer. */
static void set_units(hak_superslab *super, size_t units)
{
    __atomic_store_n(&super->units, (uint8_t)units, __ATOMIC_RELAXED);
    missing += missing_of(super);
    if (units == HAK_SUPERSLAB_UNITS || super->apart) return;
    super->apart = true;
    apart_count++;
}

static char *end_of(const hak_superslab *super)
{
    return hak__superslab_start(super) + hak__superslab_bytes(super);
}

hak_mapped hak__mapping_add(hak_superslab *super, size_t units)
{
    hak_mapped mapped = hak__os_map_at(hak__superslab_start(super), units << HAK_UNIT_SHIFT);
    if (mapped != HAK_MAPPED) return mapped;
    hak__mapping_set(super, true);
    set_units(super, units);
    return mapped;
}

bool hak__mapping_remove(hak_superslab *super)
{
    if (!hak__os_unmap(hak__superslab_start(super), hak__superslab_bytes(super))) return false;
    missing -= missing_of(super);
    hak__mapping_set(super, false);
    return true;
}

hak_mapped hak__mapping_grow(hak_superslab *super, size_t units)
{
    size_t more = (units - super->units) << HAK_UNIT_SHIFT;
    hak_mapped mapped;
    do {
        mapped = hak__os_map_at(end_of(super), more);
    } while (mapped == HAK_REFUSED && hak__mapping_trim_all());
    if (mapped != HAK_MAPPED) return mapped;
    missing -= missing_of(super);
    set_units(super, units);
    return mapped;
}

void hak__mapping_shorten(hak_superslab *super, size_t units)
{
    size_t less = (super->units - units) << HAK_UNIT_SHIFT;
    if (!hak__os_unmap(end_of(super) - less, less)) return;
    set_units(super, units);
}

/* The next superslabs from `*first` on, below `count`, that are not mapped: [*first, result). */
static size_t next_unmapped(const hak_superslab *from, size_t *first, size_t count)
{
    while (*first < count && from[*first].mapped) ++*first;
    size_t end = *first;
    while (end < count && !from[end].mapped) end++;
    return end;
}

/* The bytes of superslabs [first, last) that lie before `end`. */
static size_t bytes_before(const hak_superslab *from, size_t first, size_t last, const char *end)
{
    char *start = hak__superslab_start(&from[first]);
    size_t size = (last - first) * HAK_SUPERSLAB_SIZE, before = (size_t)(end - start);
    return before < size ? before : size;
}

static void unmap_run(const hak_superslab *from, size_t count, const char *end)
{
    for (size_t first = 0, last; (last = next_unmapped(from, &first, count)) > first; first = last)
        hak__os_unmap(hak__superslab_start(&from[first]), bytes_before(from, first, last, end));
}

hak_mapped hak__mapping_add_run(hak_superslab *from, size_t count, char *end)
{
    for (size_t first = 0, last; (last = next_unmapped(from, &first, count)) > first;
         first = last) {
        char *start = hak__superslab_start(&from[first]);
        hak_mapped mapped = hak__os_map_at(start, bytes_before(from, first, last, end));
        if (mapped == HAK_MAPPED) continue;
        unmap_run(from, first, end);
        return mapped;
    }
    for (size_t i = 0; i < count; i++) {
        if (from[i].mapped) take_spare(&from[i]);
        hak__mapping_set(&from[i], true);
        from[i].units = HAK_SUPERSLAB_UNITS;
    }
    return HAK_MAPPED;
}

/* ------------------------------------------------------------------ spare ones */

static size_t spares_most(void)
{
    if (hak__mapping_crowded()) return SIZE_MAX;
    if (hak__os_address_limit() != SIZE_MAX) return 0;
    size_t part = (mapped_count - spare_count) / SPARE_PART;
    size_t least = SPARE_LEAST / HAK_SUPERSLAB_SIZE;
    return part > least ? part : least;
}

bool hak__mapping_drop(hak_superslab *super)
{
    bool is_whole = super->units == HAK_SUPERSLAB_UNITS;
    bool may_stay = is_whole && super->region->grows && spare_count < spares_most();
    if (!may_stay && hak__mapping_remove(super)) return true;
    if (!is_whole) return false;
    return hak__os_purge(hak__superslab_start(super), HAK_SUPERSLAB_SIZE) ||
           (may_stay && hak__mapping_remove(super));
}

void hak__mapping_note_free(hak_superslab *super)
{
    if (!super->mapped) return;
    super->list = hak__superslab_index(super) < super->region->ready ? NEAR : FAR;
    hak__superslab_push(&spares[super->list], super);
    spare_count++;
}

hak_superslab *hak__mapping_take(void)
{
    hak_superslab *super = spares[NEAR];
    if (super) take_spare(super);
    return super;
}

static bool unmap_spare(hak_superslab *super)
{
    if (!hak__mapping_remove(super)) return false;
    take_spare(super);
    return true;
}

static void trim_to(size_t most)
{
    for (size_t i = LISTS; i-- > 0;) {
        while (spares[i] && spare_count > most && unmap_spare(spares[i])) {
        }
    }
}

void hak__mapping_trim(void)
{
    if (spare_count > 0) trim_to(spares_most());
}

bool hak__mapping_trim_all(void)
{
    size_t before = spare_count;
    trim_to(0);
    return spare_count < before;
}
