#include "kept.h"

#include "accounts.h"
#include "hugespace.h"
#include "superslabs.h"

#define LOOK_AT    16                  /* blocks of a list that may be large enough */
#define SMALLEST   18                  /* log2 of the bytes that the second list begins with … */
#define STEP       3                   /* … and of how many times as many the next one does */
#define LEAST_LEFT ((size_t)64 * 1024) /* a block cut below this goes whole */

/* The list for blocks of `size` bytes. */
static unsigned list_for(size_t size)
{
    unsigned log = 63 - (unsigned)__builtin_clzll(size);
    unsigned list = log < SMALLEST ? 0 : (log - SMALLEST) / STEP + 1;
    return list < HAK_KEPT ? list : HAK_KEPT - 1;
}

static void link_first(hak_heap *heap, hak_superslab *huge)
{
    hak_superslab **first = &heap->supers->kept[list_for(huge->huge_size)];
    huge->prev = NULL;
    huge->next = *first;
    if (*first) (*first)->prev = huge;
    *first = huge;
}

static void unlink(hak_heap *heap, hak_superslab *huge)
{
    if (huge->prev) huge->prev->next = huge->next;
    else heap->supers->kept[list_for(huge->huge_size)] = huge->next;
    if (huge->next) huge->next->prev = huge->prev;
}

void hak__kept_put(hak_heap *heap, hak_superslab *huge)
{
    huge->huge_retained = true;
    heap->retained += huge->huge_size;
    link_first(heap, huge);
}

/* The smallest block that will do, among the first of the lists that may have one. */
static hak_superslab *find(const hak_heap *heap, size_t size, size_t align)
{
    for (unsigned list = list_for(size); list < HAK_KEPT; list++) {
        hak_superslab *best = NULL, *huge = heap->supers->kept[list];
        for (size_t i = 0; huge && i < LOOK_AT; huge = huge->next, i++) {
            if (huge->huge_size < size || (best && huge->huge_size >= best->huge_size)) continue;
            if ((uintptr_t)hak__superslab_start(huge) % align == 0) best = huge;
        }
        if (best) return best;
    }
    return NULL;
}

/* Gives the end of a block back, so that `size` bytes are left, a multiple of the page; returns how
 * many. The block is in no list. */
static size_t cut(hak_heap *heap, hak_superslab *huge, size_t size)
{
    size_t rest = huge->huge_size - size;
    if (!hak__hugespace_cut(huge, size)) return 0;
    heap->retained -= rest;
    hak__discharge(heap, rest);
    heap->purges++;
    return rest;
}

hak_superslab *hak__kept_take(hak_heap *heap, size_t size, size_t align, size_t most)
{
    hak_superslab *huge = find(heap, size, align);
    if (!huge) return NULL;
    unlink(heap, huge);
    if (huge->huge_size > most) cut(heap, huge, most);
    huge->huge_retained = false;
    heap->retained -= huge->huge_size;
    return huge;
}

static size_t give(hak_heap *heap, hak_superslab *huge)
{
    size_t size = huge->huge_size;
    unlink(heap, huge);
    hak__hugespace_give(huge);
    heap->retained -= size;
    hak__discharge(heap, size);
    heap->purges++;
    return size;
}

void hak__kept_purge_to(hak_heap *heap, size_t keep)
{
    for (unsigned list = HAK_KEPT; list-- > 0;) {
        while (heap->supers->kept[list] && heap->retained > keep) {
            give(heap, heap->supers->kept[list]);
        }
    }
}

size_t hak__kept_purge_some(hak_heap *heap, size_t bytes)
{
    size_t given = 0;
    for (unsigned list = HAK_KEPT; list-- > 0;) {
        while (heap->supers->kept[list] && given < bytes) {
            hak_superslab *huge = heap->supers->kept[list];
            size_t rest = (bytes - given + HAK_PAGE - 1) & ~(HAK_PAGE - 1);
            if (huge->huge_size < rest + LEAST_LEFT) {
                given += give(heap, huge);
                continue;
            }
            unlink(heap, huge);
            size_t more = cut(heap, huge, huge->huge_size - rest);
            link_first(heap, huge);
            if (more == 0) return given; /* refused */
            given += more;
        }
    }
    return given;
}
