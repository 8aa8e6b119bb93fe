/* Events that an allocator must know of, and for which CPython has no callback: from 3.12 on it
 * creates interpreters with their own GIL, and resets all allocators when it is initialized again.
 * Older versions do neither. */
#ifndef HAK_PY_WATCH_H
#define HAK_PY_WATCH_H

#include <stdbool.h>

typedef struct hak_py_handlers {
    bool (*another_interpreter)(void); /* before one begins; false: it must not */
    void (*initialized_again)(void);   /* after Python has been initialized again */
} hak_py_handlers;

/* Starts watching, with handlers that stay valid. Again is harmless. False: out of memory. */
bool hak__py_watch(const hak_py_handlers *handlers);

#endif
