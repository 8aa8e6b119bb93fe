/* Events that an allocator must know of, and for which CPython has no callback: from 3.12 on it
 * creates interpreters with their own GIL, and resets all allocators when it is initialized again.
 * Older versions do neither. */
#ifndef HAK_PY_WATCH_H
#define HAK_PY_WATCH_H

#include <stdbool.h>

/* Starts watching; again is harmless. False: it cannot, out of memory. */
bool hak__py_watch(void);

/* The handlers, in py_install.c. */

/* Called before another interpreter begins: exchanges our functions for those that lock. False:
 * ours were not found below unknown hooks. */
bool hak__py_lock_from_now_on(void);

/* Called after Python has been initialized again: puts our functions back into the table. */
void hak__py_take_over_again(void);

#endif
