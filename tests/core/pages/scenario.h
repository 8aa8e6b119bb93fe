/* A scenario of all that leads to system calls, in which a plan refuses some: in a child, where the
 * region is fresh; once, and again when the OS has relented. */
#ifndef HAK_TEST_SCENARIO_H
#define HAK_TEST_SCENARIO_H

#include "refusing.h"

/* A new heap; where its creation is refused, another try. NULL when that is refused too. */
hak_heap *new_heap(const char *profile);

void run_in_child(plan with);

/* Refuses the first, the second, … call of the plan's kinds, until the scenario has no further. */
void refuse_each_in_turn(plan with);

#endif
