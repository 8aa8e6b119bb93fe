/* Runs a program to its end, with a library preloaded or none ("-"), and prints one line of JSON: the
 * processor time of the program and of all it has started, and the highest peak RSS among them. What
 * the program writes is dropped.
 *
 * It is small, because ru_maxrss of a child begins with what its parent had when it forked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void start(const char *library, char **command)
{
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
    if (strcmp(library, "-") != 0) setenv("LD_PRELOAD", library, 1);
    execvp(command[0], command);
    fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
    _exit(127);
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    if (argc < 3) {
        fprintf(stderr, "usage: %s LIBRARY|- PROGRAM ARGUMENTS…\n", argv[0]);
        return 2;
    }
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return 1;
    }
    if (child == 0) start(argv[1], argv + 2);
    if (wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "%s did not end well: status %#x\n", argv[2], status);
        return 1;
    }
    printf("{\"seconds\": %.6f, \"peak_rss_kib\": %ld}\n",
           seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss);
    return 0;
}
