#include "pages/kept.h"

#include "pages/accounts.h"
#include "pages/hugespace.h"
#include "pages/reaper.h"
#include "pages/superslabs.h"

#define LOOK_AT    16                  /* blocks of a list examined for one that is large enough */
#define SMALLEST   18                  /* log2 of the least bytes in list 1 */
#define STEP       3                   /* log2 of that size's ratio from list to list */
#define GROWS_TO   64                  /* a growing block takes at most that many times its size */
#define LEAST_LEFT ((size_t)64 * 1024) /* bytes; a block is not cut to less */

/* The list for blocks of `size` bytes. */
static unsigned list_for(size_t size)
{
    unsigned log = 63 - (unsigned)__builtin_clzll(size);
    unsigned list = log < SMALLEST ? 0 : (log - SMALLEST) / STEP + 1;
    return list < HAK_KEPT ? list : HAK_KEPT - 1;
}

static hak_superslab **list_of(hak_pages *pages, const hak_superslab *huge)
{
    return &pages->supers->kept[list_for(huge->huge_size)];
}

void hak__kept_put(hak_pages *pages, hak_superslab *huge)
{
    hak__kept_grow(pages, huge, SIZE_MAX);
    huge->huge_retained = true;
    pages->retained += huge->huge_size;
    hak__superslab_push(list_of(pages, huge), huge);
}

/* The smallest sufficient block among the first LOOK_AT of a list. */
static hak_superslab *find(const hak_pages *pages, size_t size, size_t align)
{
    for (unsigned list = list_for(size); list < HAK_KEPT; list++) {
        hak_superslab *best = NULL, *huge = pages->supers->kept[list];
        for (size_t i = 0; huge && i < LOOK_AT; huge = huge->next, i++) {
            if (huge->huge_size < size || (best && huge->huge_size >= best->huge_size)) continue;
            if ((uintptr_t)hak__superslab_start(huge) % align == 0) best = huge;
        }
        if (best) return best;
    }
    return NULL;
}

/* The largest such block. */
static hak_superslab *find_largest(const hak_pages *pages, size_t size)
{
    for (unsigned list = HAK_KEPT; list-- > list_for(size);) {
        hak_superslab *best = NULL, *huge = pages->supers->kept[list];
        for (size_t i = 0; huge && i < LOOK_AT; huge = huge->next, i++) {
            if (huge->huge_size >= (best ? best->huge_size + 1 : size)) best = huge;
        }
        if (best) return best;
    }
    return NULL;
}

/* Purges the end of a block down to `size` bytes, a multiple of the page; returns the bytes purged.
 * The block is in no list. */
static size_t cut(hak_pages *pages, hak_superslab *huge, size_t size)
{
    size_t rest = huge->huge_size - size;
    if (!hak__hugespace_cut(huge, size)) return 0;
    pages->retained -= rest;
    hak__discharge(pages, rest);
    pages->purges++;
    return rest;
}

hak_superslab *hak__kept_take(hak_pages *pages, size_t size, size_t align, size_t most)
{
    hak_superslab *huge = find(pages, size, align);
    if (!huge) return NULL;
    hak__superslab_remove(list_of(pages, huge), huge);
    if (huge->huge_size > most) cut(pages, huge, most);
    huge->huge_retained = false;
    pages->retained -= huge->huge_size;
    return huge;
}

/* ------------------------------------------------------------------ spare */

static void set_spare(hak_superslab *huge, size_t size, size_t spare)
{
    huge->huge_size = size;
    huge->huge_spare = spare;
}

/* Purges the last `bytes` of the spare; returns the bytes purged: all of them, or 0 on refusal. */
static size_t give_spare(hak_pages *pages, size_t bytes)
{
    if (!hak__kept_spare(pages)) return 0;
    hak_superslab *huge = pages->huge;
    size_t size = huge->huge_size, spare = huge->huge_spare;
    bytes = bytes < spare ? (bytes + HAK_PAGE - 1) & ~(HAK_PAGE - 1) : spare;
    huge->huge_size = size + spare;
    size_t given = cut(pages, huge, size + spare - bytes);
    set_spare(huge, size, spare - given);
    return given;
}

bool hak__kept_drop_spare(hak_pages *pages, const hak_superslab *huge)
{
    return !huge->huge_spare || give_spare(pages, SIZE_MAX) > 0;
}

/* A block from waiting.h. Not with a limit: what waits does not count for it. */
static hak_superslab *take_waiting(hak_pages *pages, size_t size)
{
    if (pages->limit != SIZE_MAX || hak__kept_spare(pages)) return NULL;
    hak_superslab *huge = hak__hugespace_take_waiting(pages, size, HAK_PAGE, size * GROWS_TO);
    if (!huge) return NULL;
    pages->retained += huge->huge_size;
    hak__charge_always(pages, huge->huge_size);
    return huge;
}

hak_superslab *hak__kept_take_to_grow(hak_pages *pages, size_t size)
{
    hak_superslab *huge = find_largest(pages, size);
    if (huge && hak__kept_spare(pages) && !hak__kept_drop_spare(pages, pages->huge)) return NULL;
    if (huge) hak__superslab_remove(list_of(pages, huge), huge);
    else huge = take_waiting(pages, size);
    if (!huge) return NULL;
    huge->huge_retained = false;
    pages->retained -= size;
    set_spare(huge, size, huge->huge_size - size);
    return huge;
}

size_t hak__kept_grow(hak_pages *pages, hak_superslab *huge, size_t size)
{
    if (!huge->huge_spare) return 0;
    size_t more = size - huge->huge_size;
    if (more > huge->huge_spare) more = huge->huge_spare;
    pages->retained -= more;
    set_spare(huge, huge->huge_size + more, huge->huge_spare - more);
    return more;
}

void hak__kept_ungrow(hak_pages *pages, hak_superslab *huge, size_t bytes)
{
    if (!bytes) return;
    pages->retained += bytes;
    set_spare(huge, huge->huge_size - bytes, bytes);
}

/* ------------------------------------------------------------------ giving back */

/* Gives up a kept block, after `wait` milliseconds if a thread can be had; returns its bytes. */
static size_t give(hak_pages *pages, hak_superslab *huge, size_t wait)
{
    size_t size = huge->huge_size;
    hak__superslab_remove(list_of(pages, huge), huge);
    if (!hak__reaper_let_wait(huge, size, wait)) hak__hugespace_give(huge);
    pages->retained -= size;
    hak__discharge(pages, size);
    pages->purges++;
    return size;
}

void hak__kept_purge_to(hak_pages *pages, size_t keep, size_t wait)
{
    if (!wait && pages->retained > keep) give_spare(pages, pages->retained - keep);
    for (unsigned list = HAK_KEPT; list-- > 0;) {
        while (pages->supers->kept[list] && pages->retained > keep) {
            give(pages, pages->supers->kept[list], wait);
        }
    }
}

size_t hak__kept_purge_some(hak_pages *pages, size_t bytes)
{
    size_t given = give_spare(pages, bytes);
    for (unsigned list = HAK_KEPT; list-- > 0;) {
        while (pages->supers->kept[list] && given < bytes) {
            hak_superslab *huge = pages->supers->kept[list];
            size_t rest = (bytes - given + HAK_PAGE - 1) & ~(HAK_PAGE - 1);
            if (huge->huge_size < rest + LEAST_LEFT) {
                given += give(pages, huge, 0);
                continue;
            }
            hak__superslab_remove(list_of(pages, huge), huge);
            size_t more = cut(pages, huge, huge->huge_size - rest);
            hak__superslab_push(list_of(pages, huge), huge);
            if (more == 0) return given; /* refused */
            given += more;
        }
    }
    return given;
}
