#include "pages/move.h"

#include <string.h>

#include "pages/region.h"

/* Copying takes long, and unmaps nothing. */
static void copy_unlocked(char *to, const char *from, size_t size)
{
    hak__region_unlock();
    memcpy(to, from, size);
    hak__region_lock();
}

hak_moved hak__move_in_parts(char *from, char *to, size_t size, size_t *lost, size_t *lost_end)
{
    for (size_t done = 0, part; done < size; done += part) {
        part = size - done < HAK_SUPERSLAB_SIZE ? size - done : HAK_SUPERSLAB_SIZE;
        hak_moved moved = hak__os_move_part(from + done, part, to + done);
        if (moved == HAK_NOT_MOVED) copy_unlocked(to + done, from + done, part);
        if (moved != HAK_TARGET_LOST) continue;
        memcpy(from, to, done);
        *lost = done;
        *lost_end = done + part;
        return moved;
    }
    return HAK_MOVED;
}
