/* A process as the core finds it when it starts, for each input anew. */
#ifndef FUZZ_PROCESS_H
#define FUZZ_PROCESS_H

#include "os_calls.h"

/* Begins one: the core's variables are as in a new process, on such a machine. */
void process_begin(const os_machine *machine);

/* Ends it: whatever the core has mapped is gone. */
void process_end(void);

#endif
