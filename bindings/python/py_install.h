/* What installing offers to tests, beside hakmem_python.h. */
#ifndef HAK_PY_INSTALL_H
#define HAK_PY_INSTALL_H

#include <stdbool.h>

/* Exchanges our functions for those that lock, before another interpreter begins. False, and no
 * change: they were not found below unknown hooks. */
bool hak__py_lock_from_now_on(void);

#endif
