/* Runs random programs of operations on up to four heaps, in a new process each, on machines that
 * may refuse system calls, and checks after each what the header promises. libFuzzer finds the
 * programs: see fuzz.mk for how it is run, and how one input is run again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "heap.h"
#include "known.h"
#include "process.h"
#include "program.h"

#define TIME          150000 /* an input's, in the units of shadow_time_left */
#define CHECK_EACH    4      /* instructions */
#define CONTENTS_EACH 64     /* instructions */
#define CHILD_RUNS    8      /* instructions */
#define CHILD_SECONDS 60
#define FORK_TIME     100000
#define FORK_RARELY   16 /* … that many times less than other operations */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ------------------------------------------------------------------ sizes */

static const size_t edges[] = {
    0,       1,        8,        16,        128,     256,
    1024,    2048,     4096,     8192,      12288,   14336,
    16384,   20480,    32768,    61440,     65536,   69632,
    131072,  196608,   258048,   262144,    520192,  524288,
    1 << 20, 3 << 19,  2 << 20,  5 << 19,   4 << 20, (4 << 20) + 4096,
    8 << 20, 12 << 20, 64 << 20, 512 << 20,
};

static const size_t absurd[] = {
    SIZE_MAX, SIZE_MAX - 4096, SIZE_MAX / 2 + 4096, SIZE_MAX / 2, SIZE_MAX / 2 - 4096, ABSURD * 2,
};

size_t program_size(const shadow *s, uint8_t b, uint8_t c)
{
    size_t value = ((size_t)(b >> 3) << 8) + c; /* 13 bits */
    switch (b & 7) {
    case 0: return value % 300;
    case 1: return hak__class_size(1 + c % (HAK_CLASSES - 9), s->granularity) + (b >> 3) % 3 - 1;
    case 2: return value % 1100;
    case 3: return 1024 + value * 2;
    case 4: return 16 * KIB + value * 64;
    case 5: return edges[c % COUNT(edges)] + (b >> 3) % 3 - (c % COUNT(edges) > 0);
    case 6:
        return b >> 3 == 31 ? absurd[c % COUNT(absurd)] - c / COUNT(absurd)
                            : 16 * KIB + value * 256;
    default: return value < 4096 ? value % 64 : MIB + value * 1408;
    }
}

/* ------------------------------------------------------------------ blocks */

/* How many blocks `a` stands for: mostly few, so that programs go on. */
static size_t draw_count(uint8_t a)
{
    if (a < 128) return 1 + a % 4;
    return a < 224 ? 1 + a % 64 : (size_t)(a - 223) * 16;
}

static void allocate(shadow *s, instruction i, unsigned kind)
{
    size_t size = program_size(s, i.b, i.c);
    for (size_t n = draw_count(i.a); n > 0 && shadow_has_room(s, size); n--) {
        if (!shadow_alloc(s, size, kind)) return;
    }
}

static void allocate_zeroed(shadow *s, instruction i)
{
    size_t size = program_size(s, i.b, i.c), count = 1 + (i.a & 7), bytes;
    if (i.a >= 250) count = SIZE_MAX / (size + 1) + (i.a & 3);
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    if (bytes < ABSURD && bytes > 12 * MIB) count = 1, bytes = size;
    for (size_t n = 1 + (i.a >> 5); n > 0 && shadow_has_room(s, bytes); n--) {
        if (!shadow_zalloc(s, count, size)) return;
    }
}

static void allocate_aligned(shadow *s, instruction i)
{
    static const size_t invalid[] = {0,       3, 24, 48, 4097, (size_t)1 << 23, (size_t)1 << 63,
                                     SIZE_MAX};
    size_t size = program_size(s, i.b, i.c), alignment = (size_t)1 << i.a % 23;
    if (i.a >= 248) alignment = invalid[i.a - 248];
    for (size_t n = 1 + (i.a >> 6); n > 0 && shadow_has_room(s, size); n--) {
        if (!shadow_aligned(s, alignment, size)) return;
    }
}

static bool resizes(const shadow *s, size_t size)
{
    return size >= ABSURD || shadow_has_room(s, size);
}

static void resize(shadow *s, instruction i)
{
    size_t size = program_size(s, i.b, i.c);
    if (i.a == 255 && resizes(s, size)) shadow_realloc_null(s, size);
    else if (s->count && resizes(s, size)) shadow_realloc(s, i.a * s->count / 255, size);
}

/* By how much it is changed depends on the block: so that it grows and shrinks in small steps. */
static void resize_by(shadow *s, instruction i)
{
    if (s->count == 0) return;
    size_t index = i.a * s->count / 256, amount = (size_t)i.c * 16 + 1;
    const block *b = &s->blocks[index];
    size_t had = b->usable, size = 0;
    switch (i.b % 12) {
    case 0: size = had + 1; break;
    case 1: size = had + had / 8 + 1; break;
    case 2: size = had * 2; break;
    case 3: size = had / 2 + 1; break;
    case 4: size = had - 1; break;
    case 5: size = b->size; break;
    case 6: size = had; break;
    case 7: size = had + amount; break;
    case 8: size = had > amount ? had - amount : 1; break;
    case 9: size = had + amount * PAGE; break;
    case 10: size = had > amount * PAGE ? had - amount * PAGE : 1; break;
    default: size = i.c & 1 ? 0 : had / 8 + 1;
    }
    if (resizes(s, size)) shadow_realloc(s, index, size);
}

static void free_one(shadow *s, instruction i)
{
    if (s->count) shadow_free(s, (((size_t)i.a << 16) + ((size_t)i.b << 8) + i.c) % s->count);
}

/* Neighbours, all of them or each second, third, …, in either direction. */
static void free_run(shadow *s, instruction i)
{
    if (s->count == 0) return;
    size_t index = (size_t)i.a * s->count / 256, step = 1 + (i.b & 3);
    size_t count = 1 + (size_t)i.c * (1 + (i.b >> 3 & 3));
    bool down = i.b & 4;
    for (; count > 0 && index < s->count; count--) {
        shadow_free(s, index);
        if (down && index < step) break;
        index = down ? index - step : index + step;
    }
}

/* One of so many, or all but one of so many. */
static void free_each(shadow *s, instruction i)
{
    size_t each = 2 + i.a % 62, phase = i.b % each;
    bool others = i.c & 1;
    for (size_t at = 0; at < s->count; at++) {
        if ((at % each == phase) != others) shadow_free(s, at);
    }
}

static void free_all(shadow *s, instruction i)
{
    for (size_t at = 0; at < s->count; at++) shadow_free(s, i.a & 1 ? s->count - 1 - at : at);
}

/* All of about one size. */
static void free_size(shadow *s, instruction i)
{
    size_t size = program_size(s, i.b, i.c);
    if (i.a & 1 && s->count) size = s->blocks[i.b * s->count / 256].usable;
    for (size_t at = 0; at < s->count; at++) {
        size_t usable = s->blocks[at].usable;
        if (usable >= size && usable - size <= size / 8) shadow_free(s, at);
    }
}

/* ------------------------------------------------------------------ programs */

instruction program_next(program *p)
{
    uint8_t bytes[INSTRUCTION] = {0};
    for (size_t i = 0; i < INSTRUCTION && p->at < p->end; i++) bytes[i] = *p->at++;
    return (instruction){bytes[0], bytes[1], bytes[2], bytes[3]};
}

/* The child goes on with the program for a while, on its copy of everything. */
static void divide(program *p)
{
    if (p->forked || shadow_time_left < FORK_TIME) return;
    p->forked = true;
    shadow_time_left -= FORK_TIME;
    pid_t pid = fork();
    if (pid < 0) return;
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(CHILD_SECONDS);
        p->in_child = true;
        p->child_left = CHILD_RUNS;
        return;
    }
    int status;
    while (waitpid(pid, &status, 0) != pid) continue;
    REQUIRE_THAT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

enum {
    OP_ALLOC,
    OP_ALLOC_KIND,
    OP_ZALLOC,
    OP_ALIGNED,
    OP_REALLOC,
    OP_REALLOC_BY,
    OP_FREE,
    OP_FREE_RUN,
    OP_FREE_EACH,
    OP_FREE_ALL,
    OP_FREE_SIZE,
    OP_CHURN,
    OP_SELECT,
    OP_NEW,
    OP_DESTROY,
    OP_TRIM,
    OP_SETTLE,
    OP_PROFILE,
    OP_CONFIGURE,
    OP_LIMIT,
    OP_GRACE,
    OP_PREWARM,
    OP_TELL,
    OP_REFUSE,
    OP_RELENT,
    OP_WAIT,
    OP_CHECK,
    OP_FORK
};

static const char *const op_names[] = {
    "alloc",    "alloc_kind", "zalloc",   "aligned",   "realloc",   "realloc_by", "free",
    "free_run", "free_each",  "free_all", "free_size", "churn",     "select",     "new",
    "destroy",  "trim",       "settle",   "profile",   "configure", "limit",      "grace",
    "prewarm",  "tell",       "refuse",   "relent",    "wait",      "check",      "fork",
};

/* Operations by how often they are met. */
static const uint8_t ops[] = {
    OP_ALLOC,      OP_ALLOC,      OP_ALLOC,      OP_ALLOC,     OP_ALLOC,    OP_ALLOC,
    OP_ALLOC,      OP_ALLOC,      OP_ALLOC_KIND, OP_ZALLOC,    OP_ZALLOC,   OP_ZALLOC,
    OP_ALIGNED,    OP_ALIGNED,    OP_REALLOC,    OP_REALLOC,   OP_REALLOC,  OP_REALLOC_BY,
    OP_REALLOC_BY, OP_REALLOC_BY, OP_FREE,       OP_FREE,      OP_FREE,     OP_FREE_RUN,
    OP_FREE_RUN,   OP_FREE_RUN,   OP_FREE_EACH,  OP_FREE_EACH, OP_FREE_ALL, OP_FREE_SIZE,
    OP_FREE_SIZE,  OP_CHURN,      OP_SELECT,     OP_SELECT,    OP_NEW,      OP_NEW,
    OP_DESTROY,    OP_TRIM,       OP_TRIM,       OP_SETTLE,    OP_SETTLE,   OP_PROFILE,
    OP_CONFIGURE,  OP_CONFIGURE,  OP_LIMIT,      OP_LIMIT,     OP_GRACE,    OP_PREWARM,
    OP_PREWARM,    OP_TELL,       OP_REFUSE,     OP_REFUSE,    OP_REFUSE,   OP_RELENT,
    OP_WAIT,       OP_CHECK,
};
#define OP_FORK_BYTE 255

static bool tracing; /* each operation is told on stderr: for FUZZ_TRACE=1 in the environment */

static void run(program *p, instruction i)
{
    shadow *s = &shadows[p->current];
    uint8_t op = i.op == OP_FORK_BYTE && i.a % FORK_RARELY == 0 ? OP_FORK : ops[i.op % COUNT(ops)];
    if (tracing) {
        fprintf(stderr, "%zu: %s %u %u %u, %zu blocks, size %zu\n", p->current, op_names[op], i.a,
                i.b, i.c, s->count, program_size(s, i.b, i.c));
    }
    switch (op) {
    case OP_SELECT: p->current = i.a % HEAPS; return;
    case OP_NEW: manage_new(p, i); return;
    case OP_REFUSE: manage_refuse(i); return;
    case OP_RELENT: os_relent(); return;
    case OP_WAIT: os_wait((uint64_t)1 << i.a % 12); return;
    case OP_CHECK:
        shadow_check_blocks();
        shadow_check_process();
        return;
    case OP_FORK: divide(p); return;
    }
    if (!s->heap) return;
    switch (op) {
    case OP_ALLOC: allocate(s, i, 0); break;
    case OP_ALLOC_KIND: allocate(s, i, i.op % HAK_KINDS); break;
    case OP_ZALLOC: allocate_zeroed(s, i); break;
    case OP_ALIGNED: allocate_aligned(s, i); break;
    case OP_REALLOC: resize(s, i); break;
    case OP_REALLOC_BY: resize_by(s, i); break;
    case OP_FREE: free_one(s, i); break;
    case OP_FREE_RUN: free_run(s, i); break;
    case OP_FREE_EACH: free_each(s, i); break;
    case OP_FREE_ALL: free_all(s, i); break;
    case OP_FREE_SIZE: free_size(s, i); break;
    case OP_CHURN: shadow_churn(s, program_size(s, i.b, i.c), i.a); break;
    case OP_DESTROY: manage_destroy(s); break;
    case OP_TRIM: manage_trim(s); break;
    case OP_SETTLE: manage_settle(s, i); break;
    case OP_PROFILE: manage_profile(s, i); break;
    case OP_CONFIGURE: manage_configure(s, i); break;
    case OP_LIMIT: manage_limit(s, i); break;
    case OP_GRACE: manage_grace(s, i); break;
    case OP_PREWARM: manage_prewarm(s, i); break;
    case OP_TELL: manage_tell(s, i); break;
    }
    shadow_compact(s);
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
            free_all(s, (instruction){0});
            shadow_compact(s);
            manage_trim(s);
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
static void begin(program *p)
{
    static const char *const variables[][2] = {
        {"HAKMEM_PREWARM", "256k"},     {"HAKMEM_CARVE", "8k"},      {"HAKMEM_KINDS", "1"},
        {"HAKMEM_PROFILE", "lean"},     {"HAKMEM_WAKE", "1"},        {"HAKMEM_AHEAD", "64k"},
        {"HAKMEM_RETAIN_LEAST", "64k"}, {"HAKMEM_SS_MEM_LEAN", "1"},
    };
    instruction first = program_next(p);
    uint8_t bits = first.a & first.b;
    os_machine machine = {
        .little_space = (first.a & 0x81) == 0x81,
        .small_space = bits & 64,
        .old_kernel = bits & 2,
        .no_populate = bits & 4,
        .no_claims = bits & 8,
        .late_refusal = bits & 16,
        .single_mapped = bits & 32,
    };
    if (KNOWN_HALF_MOVED_BLOCK_DIES && machine.single_mapped) {
        machine.no_claims = machine.late_refusal = false;
    }
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
    program p = {.at = data, .end = data + size};
    begin(&p);
    manage_new(&p, (instruction){.a = 0});
    for (size_t n = 1; p.at < p.end && shadow_time_left > 0; n++) {
        run(&p, program_next(&p));
        shadow *s = &shadows[p.current];
        if (n % CHECK_EACH == 0 && s->heap) shadow_check(s);
        if (n % CONTENTS_EACH == 0) check_all();
        if (p.in_child && p.child_left-- == 0) break;
    }
    if (p.in_child) {
        check_all();
        _exit(0);
    }
    end();
    process_end();
    return 0;
}
