#include "pages/shelf.h"

#define NONE  0  /* the first unit of the region is never shelved */
#define DEPTH 32 /* spans of a length, so that to free all of them does not take long */

static hak_unit *at(uint32_t number)
{
    return number == NONE ? NULL : &hak__shared.slabs[number];
}

bool hak__shelf_put(hak_pages *pages, hak_unit *run)
{
    hak_superslab_lists *lists = pages->supers;
    if (run->units > HAK_SHELF || run == hak__shared.slabs) return false;
    uint32_t *first = &lists->shelf[run->units - 1];
    hak_unit *below = at(*first);
    unsigned depth = below ? below->depth + 1u : 0;
    if (depth == DEPTH) return false;
    run->next = below;
    run->depth = (uint16_t)depth;
    run->free = NULL;
    run->countdown = 0;
    run->span_size = 0;
    hak__unit_set_state(run, HAK_SPAN_SHELVED);
    *first = (uint32_t)(run - hak__shared.slabs);
    return true;
}

hak_unit *hak__shelf_take(hak_pages *pages, size_t count)
{
    hak_superslab_lists *lists = pages->supers;
    if (count > HAK_SHELF) return NULL;
    uint32_t *first = &lists->shelf[count - 1];
    hak_unit *run = at(*first);
    if (!run) return NULL;
    *first = run->next ? (uint32_t)(run->next - hak__shared.slabs) : NONE;
    run->next = NULL;
    run->depth = 0;
    return run;
}

hak_unit *hak__shelf_take_any(hak_pages *pages)
{
    hak_unit *run = NULL;
    for (size_t count = 1; !run && count <= HAK_SHELF; count++) run = hak__shelf_take(pages, count);
    return run;
}
