/* How many instructions a piece of a program takes, to compare it with the same piece on a larger
 * heap: counted one by one, so that no clock and no other load has a part in it. */
#ifndef HAK_TEST_STEPS_H
#define HAK_TEST_STEPS_H

#include <stddef.h>

/* What is counted. `prepare` is not; its result is handed to `measured`. Both run in a child. */
typedef struct counted {
    void *(*prepare)(size_t size);
    void (*measured)(void *prepared);
} counted;

/* Instructions that `measured` takes after prepare(size), in user space; 0 where the system does
 * not let a process be traced. */
size_t steps_of(const counted *what, size_t size);

#endif
