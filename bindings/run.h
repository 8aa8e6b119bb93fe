/* `hakmem run`: a program with hakmem in place of malloc. */
#ifndef HAK_RUN_H
#define HAK_RUN_H

/* argv[0] is "run"; what follows is that of `hakmem run`, hakmem(1). Does not return if the program
 * begins. Otherwise a line on stderr has the reason, and the result is an exit code: 2 for wrong
 * usage, 126 if the program cannot be run so, 127 if there is none. */
int hak__run(int argc, char **argv);

#endif
