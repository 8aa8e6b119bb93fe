#include "pages/growth.h"

#include "os/os.h"
#include "pages/supply.h"

size_t hak__growth_least(const hak_pages *pages, size_t count)
{
    return pages->super_count > 0 || pages->keeps_whole ? HAK_SUPERSLAB_UNITS : count;
}

/* Grows the short superslab to at least `least` units. If others are in its way, it is not tried
 * again. */
static bool grow(hak_pages *pages, size_t least)
{
    hak_superslab *super = hak__superslabs_growing(pages);
    if (least > HAK_SUPERSLAB_UNITS) return false;
    if (least <= super->units) return true;
    hak_mapped mapped = hak__supply_grow(super, least);
    if (mapped == HAK_TAKEN || super->units == HAK_SUPERSLAB_UNITS) pages->growing = 0;
    if (mapped != HAK_MAPPED) return false;
    hak__superslabs_changed(pages, super);
    return true;
}

/* The unit behind the last one in use. */
static size_t first_behind(const hak_superslab *super)
{
    uint64_t used = hak__superslab_all(super) & ~super->free;
    return used ? HAK_SUPERSLAB_UNITS - (size_t)__builtin_clzll(used) : 0;
}

hak_place hak__growth_find(hak_pages *pages, size_t count, size_t align)
{
    hak_superslab *super = hak__superslabs_growing(pages);
    if (!super) return (hak_place){0};
    size_t first = hak__up(first_behind(super), align);
    return grow(pages, first + count) ? (hak_place){super, (unsigned)first} : (hak_place){0};
}

bool hak__growth_behind(hak_pages *pages, hak_superslab *super, size_t from, size_t end)
{
    return super == hak__superslabs_growing(pages) && first_behind(super) <= from &&
           grow(pages, end);
}

hak_superslab *hak__growth_by(hak_pages *pages, size_t more)
{
    hak_superslab *super = hak__superslabs_growing(pages);
    if (!super) return NULL;
    size_t units = super->units + more;
    return grow(pages, units < HAK_SUPERSLAB_UNITS ? units : HAK_SUPERSLAB_UNITS) ? super : NULL;
}
