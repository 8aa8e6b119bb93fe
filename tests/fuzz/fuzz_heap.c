/* Runs random programs of operations on up to four heaps, in a new process each, on machines that
 * may refuse system calls, and checks after each what the header promises. libFuzzer finds the
 * programs: see fuzz.mk for how it is run, and how one input is run again. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "process.h"
#include "program.h"

#define TIME          100000 /* an input's, in the units of shadow_time_left */
#define CHECK_EACH    4      /* instructions */
#define CONTENTS_EACH 64     /* instructions */
#define CHILD_RUNS    8      /* instructions */
#define CHILD_SECONDS 60
#define FORK_TIME     50000
#define FORK_RARELY   16 /* … that many times less than other operations */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct program {
    const uint8_t *at, *end;
    size_t current;        /* the heap that operations are for */
    bool forked, in_child; /* a program forks once */
    size_t child_left;     /* instructions until the child ends */
} program;

static program now;

/* ------------------------------------------------------------------ programs */

instruction program_next(void)
{
    uint8_t bytes[INSTRUCTION] = {0};
    for (size_t i = 0; i < INSTRUCTION && now.at < now.end; i++) bytes[i] = *now.at++;
    return (instruction){bytes[0], bytes[1], bytes[2], bytes[3]};
}

/* The child goes on with the program for a while, on its copy of everything. */
static void divide(void)
{
    if (now.forked || shadow_time_left < FORK_TIME) return;
    now.forked = true;
    shadow_time_left -= FORK_TIME;
    pid_t pid = fork();
    if (pid < 0) return;
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(CHILD_SECONDS);
        now.in_child = true;
        now.child_left = CHILD_RUNS;
        return;
    }
    int status;
    while (waitpid(pid, &status, 0) != pid) REQUIRE(errno == EINTR);
    REQUIRE_THAT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

void program_select(size_t place)
{
    now.current = place;
}

static void select_heap(shadow *s, instruction i)
{
    (void)s;
    program_select(i.a % HEAPS);
}

static void relent(shadow *s, instruction i)
{
    (void)s, (void)i;
    os_relent();
}

static void set_limit_of_space(shadow *s, instruction i)
{
    (void)s;
    os_limit(i.a & 1);
}

static void wait_some(shadow *s, instruction i)
{
    (void)s;
    os_wait((uint64_t)1 << i.a % 12);
}

static void check_contents(shadow *s, instruction i)
{
    (void)s, (void)i;
    shadow_check_blocks();
    shadow_check_process();
}

static const struct operation {
    const char *name;
    size_t weight; /* how often it is met */
    void (*run)(shadow *s, instruction i);
    bool on_heap; /* it needs one */
} operations[] = {
    /* The byte that means an operation follows from what stands before it: add at the end, or the
     * programs that are kept mean something else. */
    {"alloc", 8, operate_alloc, true},
    {"alloc_kind", 1, operate_alloc_kind, true},
    {"zalloc", 3, operate_zalloc, true},
    {"aligned", 2, operate_aligned, true},
    {"realloc", 3, operate_realloc, true},
    {"realloc_by", 3, operate_realloc_by, true},
    {"free", 3, operate_free, true},
    {"free_run", 3, operate_free_run, true},
    {"free_each", 2, operate_free_each, true},
    {"free_all", 1, operate_free_all, true},
    {"free_size", 2, operate_free_size, true},
    {"churn", 1, operate_churn, true},
    {"select", 2, select_heap, false},
    {"new", 2, manage_new, false},
    {"destroy", 1, manage_destroy, true},
    {"trim", 2, manage_trim, true},
    {"settle", 2, manage_settle, true},
    {"profile", 1, manage_profile, true},
    {"configure", 2, manage_configure, true},
    {"limit", 2, manage_limit, true},
    {"grace", 1, manage_grace, true},
    {"prewarm", 2, manage_prewarm, true},
    {"tell", 1, manage_tell, true},
    {"refuse", 3, manage_refuse, false},
    {"relent", 1, relent, false},
    {"wait", 1, wait_some, false},
    {"check", 1, check_contents, false},
    {"space", 2, set_limit_of_space, false},
};

static const struct operation *operation_of(uint8_t byte)
{
    size_t sum = 0;
    for (size_t i = 0; i < COUNT(operations); i++) sum += operations[i].weight;
    size_t at = byte % sum;
    const struct operation *found = operations;
    for (; at >= found->weight; found++) at -= found->weight;
    return found;
}

#define FORK_BYTE 255

static bool tracing; /* each operation is told on stderr: for FUZZ_TRACE=1 in the environment */

static void run(instruction i)
{
    shadow *s = &shadows[now.current];
    bool forks = i.op == FORK_BYTE && i.a % FORK_RARELY == 0;
    const struct operation *operation = operation_of(i.op);
    if (tracing) {
        fprintf(stderr, "%zu: %s %u %u %u, %zu blocks, size %zu\n", now.current,
                forks ? "fork" : operation->name, i.a, i.b, i.c, s->count,
                program_size(s, i.b, i.c));
    }
    if (forks) {
        divide();
    } else if (!operation->on_heap || s->heap) {
        operation->run(s, i);
        shadow_compact(s);
    }
}

static void check_all(void)
{
    for (size_t h = 0; h < HEAPS; h++) {
        if (shadows[h].heap) shadow_check(&shadows[h]);
    }
    shadow_check_blocks();
    shadow_check_process();
}

/* Nothing is left of heaps that are gone, once the OS takes what it is given. */
static void end(void)
{
    check_all();
    os_relent();
    for (size_t h = 0; h < HEAPS; h++) {
        shadow *s = &shadows[h];
        if (!s->heap) continue;
        if (h % 2) {
            operate_free_all(s, (instruction){0});
            shadow_compact(s);
            manage_trim(s, (instruction){0});
        }
        shadow_destroy(s);
    }
    hak_heap *last = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    REQUIRE(last);
    hak_heap_trim(last);
    hak_heap_destroy(last);
    hak_process_stats process;
    hak_process_stats_read(&process);
    REQUIRE_THAT(process.pooled == 0, "%zu bytes", process.pooled);
    REQUIRE_THAT(process.superslabs_taken == process.superslabs_given, "%zu taken, %zu given",
                 process.superslabs_taken, process.superslabs_given);
    shadow_check_process();
}

/* The first instruction says what machine it is, and what the environment sets. */
static void begin(void)
{
    static const char *const variables[][2] = {
        {"HAKMEM_PREWARM", "256k"},     {"HAKMEM_CARVE", "8k"},      {"HAKMEM_KINDS", "1"},
        {"HAKMEM_PROFILE", "lean"},     {"HAKMEM_WAKE", "1"},        {"HAKMEM_RETAIN_BUSY", "1m"},
        {"HAKMEM_RETAIN_LEAST", "64k"}, {"HAKMEM_SS_MEM_LEAN", "1"},
    };
    instruction first = program_next();
    uint8_t bits = first.a & first.b;
    os_machine machine = {
        .no_place = (first.a & 0x81) == 0x81,
        .limited = bits & 128,
        .little_space = bits & 64,
        .old_kernel = bits & 2,
        .no_populate = bits & 4,
        .no_claims = bits & 8,
        .late_refusal = bits & 16,
        .single_mapped = bits & 32,
    };
    for (size_t i = 0; i < COUNT(variables); i++) unsetenv(variables[i][0]);
    if (first.c >= 128 && first.c - 128 < (int)COUNT(variables)) {
        setenv(variables[first.c - 128][0], variables[first.c - 128][1], 1);
    }
    process_begin(&machine);
    shadow_time_left = TIME;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tracing = getenv("FUZZ_TRACE") != NULL;
    now = (program){.at = data, .end = data + size};
    begin();
    manage_new(&shadows[0], (instruction){0});
    for (size_t n = 1; now.at < now.end && shadow_time_left > 0; n++) {
        run(program_next());
        shadow *s = &shadows[now.current];
        if (n % CHECK_EACH == 0 && s->heap) shadow_check(s);
        if (n % CONTENTS_EACH == 0) check_all();
        if (now.in_child && now.child_left-- == 0) break;
    }
    if (now.in_child) {
        check_all();
        _exit(0);
    }
    end();
    process_end();
    return 0;
}
