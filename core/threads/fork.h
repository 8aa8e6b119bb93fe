/* Forks of a process with threads. */
#ifndef HAK_FORK_H
#define HAK_FORK_H

/* Makes fork() hold all thread heaps, so that the child has each of them whole, whatever the other
 * threads were doing. Repeating the call is harmless. To be called early: handlers that are
 * registered later run before these, and may wait for a thread that calls malloc. */
void hak__threads_respect_fork(void);

#endif
