#include "pages/prewarm.h"

#include "os/os.h"
#include "pages/accounts.h"
#include "pages/growth.h"
#include "pages/superslabs.h"
#include "pages/supply.h"
#include "pages/units.h"

/* As many of `bytes` as the limit has room for, in pages. */
static size_t within_limit(const hak_pages *pages, size_t bytes)
{
    size_t over = hak__short_of(pages, bytes);
    return over < bytes ? (bytes - over) & ~(HAK_PAGE - 1) : 0;
}

/* Touches the first clean units of a superslab that lie side by side, up to `bytes`. */
static size_t touch_run(hak_pages *pages, hak_superslab *super, size_t bytes)
{
    uint64_t clean = super->free & ~super->dirty;
    size_t first = (size_t)__builtin_ctzll(clean), unit_size = hak__pages_unit_size(pages);
    uint64_t behind = ~clean >> first;
    size_t count = behind ? (size_t)__builtin_ctzll(behind) : HAK_SUPERSLAB_UNITS - first;
    size_t size = count * unit_size < bytes ? count * unit_size : bytes;
    if (size == 0 || !hak__os_touch(hak__superslab_start(super) + first * unit_size, size))
        return 0;
    hak_unit *slabs = hak__superslab_slabs(super);
    for (size_t i = 0; i * unit_size < size; i++) {
        slabs[first + i].touched = (uint32_t)hak__part_in_unit(size, i, unit_size);
        super->dirty |= (uint64_t)1 << (first + i);
    }
    pages->retained += size;
    hak__charge_always(pages, size);
    hak__superslabs_changed(pages, super);
    return size;
}

/* Those that come with a superslab from the pool count too. */
static size_t prewarm_new(hak_pages *pages, size_t bytes)
{
    size_t units = hak__up(bytes, (size_t)1 << HAK_UNIT_SHIFT) >> HAK_UNIT_SHIFT;
    if (units > HAK_SUPERSLAB_UNITS) units = HAK_SUPERSLAB_UNITS;
    hak_superslab *super = hak__growth_by(pages, units);
    if (super) return touch_run(pages, super, bytes);
    super = hak__supply_take(pages, hak__growth_least(pages, units));
    if (!super || !hak__units_adopt(pages, super)) return 0;
    size_t touched = hak__superslab_retained(super);
    if (touched < bytes && super->free & ~super->dirty)
        touched += touch_run(pages, super, within_limit(pages, bytes - touched));
    if (touched == 0) hak__units_return(pages, super, 0);
    return touched < bytes ? touched : bytes;
}

size_t hak__prewarm(hak_pages *pages, size_t bytes)
{
    bytes = within_limit(pages, bytes);
    if (bytes == 0) return 0;
    hak_superslab *super = hak__superslabs_find_clean(pages);
    return super ? touch_run(pages, super, bytes) : prewarm_new(pages, bytes);
}
