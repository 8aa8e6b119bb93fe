#include "pages/scatter.h"

#include "os/os.h"

#define PIECE_SHIFT 19
#define PIECE_UNITS (((size_t)1 << PIECE_SHIFT) >> HAK_UNIT_SHIFT)
#define PIECES      (HAK_SUPERSLAB_UNITS / PIECE_UNITS)

static size_t piece_of(const hak_unit *slab)
{
    return (uintptr_t)slab->start >> PIECE_SHIFT & (PIECES - 1);
}

static hak_superslab *superslab_of(const hak_unit *slab)
{
    return hak__superslab_of(hak__region_of(slab->start), slab->start);
}

/* Another superslab of the heap, such that 16 pieces follow each other in both. Only its neighbours
 * are looked at: it is one of the heap's two, or the heap has many slabs in each piece. */
static hak_superslab *other_of(hak_superslab *super)
{
    hak_superslab *near[] = {super->next_owned, super->previous_owned};
    for (size_t i = 0; i < 2; i++) {
        bool is_other = near[i] && near[i]->type == HAK_SUPERSLAB_SLABS &&
                        (hak__superslab_index(near[i]) ^ hak__superslab_index(super)) & 1;
        if (is_other) return near[i];
    }
    return super;
}

hak_place hak__scatter(const hak_unit *last)
{
    size_t piece = (piece_of(last) + 1) % PIECES;
    hak_superslab *super = superslab_of(last);
    if (piece == 0) super = other_of(super);
    uint64_t units = super->free & hak__bits(piece * PIECE_UNITS, PIECE_UNITS);
    return units ? (hak_place){super, (unsigned)__builtin_ctzll(units)} : (hak_place){0};
}

bool hak__scatter_needs_another(const hak_pages *pages, const hak_unit *last)
{
    return pages->super_count == 1 && piece_of(last) == PIECES - 1;
}
