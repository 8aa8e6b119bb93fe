/* Moving pages that no single call moves. */
#ifndef HAK_MOVE_H
#define HAK_MOVE_H

#include "os/os.h"

/* Moves the pages of a block that lies in several kernel mappings, as after an earlier move, one
 * superslab after the other. Those that the OS does not move are copied. The source stays mapped,
 * so that what has moved can be brought back: HAK_TARGET_LOST is as if nothing had been done, and
 * [*lost, *lost_end) of the target is what others may have. The region's lock is held, and let go
 * while bytes are copied. */
hak_moved hak__move_in_parts(char *from, char *to, size_t size, size_t *lost, size_t *lost_end);

#endif
