#define _GNU_SOURCE
#include "steps.h"

#include "support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 120 /* for preparing and counting */
#define DENIED  71  /* the child's exit when it may not be traced */

static void run_child(const counted *what, size_t size)
{
    support_become_child();
    alarm(SECONDS);
    void *prepared = what->prepare(size);
    what->measured(prepared); /* once before: pages and lazy bindings are there */
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(DENIED);
    raise(SIGSTOP);
    what->measured(prepared);
    raise(SIGSTOP);
    _exit(0);
}

/* Waits for the child to stop; false when it has ended. */
static bool stopped(pid_t child, int *status)
{
    while (waitpid(child, status, 0) < 0) REQUIRE(errno == EINTR);
    return WIFSTOPPED(*status);
}

static size_t count(pid_t child)
{
    int status;
    if (!stopped(child, &status)) {
        REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == DENIED);
        return 0;
    }
    REQUIRE(WSTOPSIG(status) == SIGSTOP);
    size_t steps = 0;
    for (;; steps++) {
        REQUIRE(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        REQUIRE_THAT(stopped(child, &status), "the child ended with status %#x", (unsigned)status);
        if (WSTOPSIG(status) == SIGSTOP) return steps;
        REQUIRE_THAT(WSTOPSIG(status) == SIGTRAP, "the child was stopped by signal %d",
                     WSTOPSIG(status));
    }
}

/* On one processor the two hand over to each other several times as fast. */
static void stay_on_one_processor(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
}

size_t steps_of(const counted *what, size_t size)
{
    stay_on_one_processor();
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) run_child(what, size);
    size_t steps = count(child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return steps;
}
