/* What CPython does that an allocator must know of in time, and tells nobody: from 3.12 on it
 * creates interpreters with a GIL of their own, and forgets all allocators when it is initialized
 * again. Older versions do neither. */
#ifndef HAK_PY_WATCH_H
#define HAK_PY_WATCH_H

#include <stdbool.h>

/* Watches from now on; again is harmless. False when that cannot be done. */
bool hak__py_watch(void);

/* What is done about it, in py_install.c. */

/* Before another interpreter begins: exchanges our functions for those that lock. False when they
 * cannot be found: something unknown lies around them. */
bool hak__py_lock_from_now_on(void);

/* Python has been initialized again: puts our functions back into the table. */
void hak__py_take_over_again(void);

#endif
