#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/mman.h"
#include "os/os.h"

#define FAILED_CODE 70

/* ------------------------------------------------------------------ assertions */

static bool in_child;

_Noreturn void support_fail(const char *file, int line, const char *what, const char *format, ...)
{
    char text[512];
    int n = snprintf(text, sizeof text, "%s:%d: %s ", file, line, what);
    va_list args;
    va_start(args, format);
    if (n >= 0 && (size_t)n < sizeof text) {
        vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    }
    va_end(args);
    if (in_child) {
        dprintf(STDERR_FILENO, "%s\n", text);
        _exit(FAILED_CODE);
    }
    print_error("%s\n", text);
    _fail(file, line);
    abort(); /* not reached: _fail jumps out of the test */
}

/* ------------------------------------------------------------------ files */

int support_temporary_file(char path[SUPPORT_PATH])
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, SUPPORT_PATH, "%s/hakmem-test-XXXXXX", folder ? folder : "/tmp");
    int file = mkstemp(path);
    REQUIRE_THAT(file >= 0, "%s", path);
    return file;
}

/* ------------------------------------------------------------------ builds */

#ifdef HAK_DEBUG
const bool support_debug = true;
#else
const bool support_debug = false;
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const bool support_sanitized = true;
#else
const bool support_sanitized = false;
#endif

size_t support_scale(void)
{
    const char *given = getenv("HAK_TEST_SCALE");
    size_t scale = given ? strtoull(given, NULL, 10) : 1;
    return scale ? scale : 1;
}

/* The larger of two reasons counts: what is short for one of them already need not be shorter. */
size_t support_scaled(size_t operations)
{
    size_t divisor = support_sanitized ? 20 : support_debug ? 8 : 1;
    return operations / (support_scale() > divisor ? support_scale() : divisor);
}

bool support_profile_is_fixed(void)
{
    return strchr(hak_profile_names(), ',') == NULL;
}

const char *support_profile(const char *name)
{
    return hak_profile_valid(name, NULL, 0) ? name : hak_profile_names();
}

size_t support_size(size_t size)
{
    volatile size_t hidden = size;
    return hidden;
}

/* ------------------------------------------------------------------ random numbers */

uint64_t support_seed(void)
{
    static uint64_t seed;
    if (seed) return seed;
    const char *given = getenv("HAK_TEST_SEED");
    seed = given ? strtoull(given, NULL, 0) : 0;
    if (!seed) seed = 20240229;
    print_message("seed %llu (HAK_TEST_SEED=%llu runs the same again)\n", (unsigned long long)seed,
                  (unsigned long long)seed);
    return seed;
}

uint64_t support_next(support_random *random) /* splitmix64, G. Steele et al., 2014 */
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

size_t support_below(support_random *random, size_t bound)
{
    return (size_t)((unsigned __int128)support_next(random) * bound >> 64);
}

/* ------------------------------------------------------------------ contents */

#define STEP 0xd1342543de82ef95u

void support_fill(void *start, size_t size, uint64_t stamp)
{
    unsigned char *byte = start;
    uint64_t word = stamp;
    for (; size >= sizeof word; size -= sizeof word, byte += sizeof word, word += STEP) {
        memcpy(byte, &word, sizeof word);
    }
    memcpy(byte, &word, size);
}

size_t support_intact(const void *start, size_t size, uint64_t stamp)
{
    const unsigned char *byte = start;
    uint64_t word = stamp;
    size_t i = 0;
    for (; size - i >= sizeof word; i += sizeof word, word += STEP) {
        if (memcmp(byte + i, &word, sizeof word) != 0) break;
    }
    unsigned char bytes[sizeof word];
    memcpy(bytes, &word, sizeof word);
    for (size_t j = 0; j < sizeof word && i < size; i++, j++) {
        if (byte[i] != bytes[j]) return i;
    }
    return i;
}

size_t support_zeros(const void *start, size_t size)
{
    const unsigned char *byte = start;
    size_t i = 0;
    for (uint64_t word; size - i >= sizeof word; i += sizeof word) {
        memcpy(&word, byte + i, sizeof word);
        if (word) break;
    }
    while (i < size && byte[i] == 0) i++;
    return i;
}

void support_fill_pages(void *start, size_t size, uint64_t stamp)
{
    for (size_t i = 0; i + sizeof stamp <= size; i += PAGE) {
        uint64_t word = stamp + i;
        memcpy((char *)start + i, &word, sizeof word);
    }
}

size_t support_intact_pages(const void *start, size_t size, uint64_t stamp)
{
    for (size_t i = 0; i + sizeof stamp <= size; i += PAGE) {
        uint64_t word = stamp + i;
        if (memcmp((const char *)start + i, &word, sizeof word) != 0) return i;
    }
    return size;
}

/* ------------------------------------------------------------------ this process */

/* The number after `field` in a file of /proc, which counts in KiB, as bytes. */
static size_t proc_field(const char *path, const char *field)
{
    char line[512];
    size_t kib = SIZE_MAX;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtoull(line + strlen(field), NULL, 10);
    }
    if (file) fclose(file);
    REQUIRE_THAT(kib != SIZE_MAX, "no %s in %s", field, path);
    return kib * KIB;
}

size_t support_resident(void)
{
    return proc_field("/proc/self/smaps_rollup", "Rss:");
}

size_t support_status(const char *field)
{
    return proc_field("/proc/self/status", field);
}

size_t support_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    REQUIRE(maps);
    size_t lines = 0;
    for (int c; (c = getc(maps)) != EOF;) lines += c == '\n';
    fclose(maps);
    return lines;
}

size_t support_others_space(void)
{
    hak_process_stats stats;
    hak_process_stats_read(&stats);
    return support_status("VmSize:") - stats.reserved;
}

void support_take_places(void)
{
    size_t end = hak__os_address_end();
    char *first = (char *)(end / 4);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    REQUIRE((char *)syscall(SYS_mmap, first, end / 8 * 3, PROT_NONE, flags, -1, 0) == first);
}

/* ------------------------------------------------------------------ statistics */

hak_stats support_stats(const hak_heap *heap)
{
    hak_stats stats;
    memset(&stats, 0xa5, sizeof stats);
    hak_heap_stats(heap, &stats);
    return stats;
}

/* Whether `part` is what of `footprint` bytes holds no block, to four places. */
static bool is_part(double part, size_t footprint, size_t live)
{
    double exact = footprint > live ? 1 - (double)live / (double)footprint : 0;
    return part - exact < 0.000051 && exact - part < 0.000051;
}

void support_check_stats(const hak_heap *heap)
{
    hak_stats stats = support_stats(heap);
    REQUIRE_THAT(stats.footprint >= stats.retained + stats.live_bytes,
                 "footprint %zu, retained %zu, live %zu", stats.footprint, stats.retained,
                 stats.live_bytes);
    REQUIRE_THAT(stats.footprint <= stats.footprint_peak, "footprint %zu, peak %zu",
                 stats.footprint, stats.footprint_peak);
    REQUIRE_THAT(!stats.limit || stats.footprint <= stats.limit, "footprint %zu, limit %zu",
                 stats.footprint, stats.limit);
    REQUIRE_THAT(stats.footprint % PAGE == 0, "footprint %zu", stats.footprint);
    REQUIRE(stats.metadata > 0);
    REQUIRE(stats.classes <= HAK_CLASS_STATS_MAX);
    REQUIRE(stats.os.total == stats.os.mmap + stats.os.madvise + stats.os.mremap + stats.os.munmap);
    REQUIRE(stats.os.failed <= stats.os.total);

    size_t blocks = stats.large_blocks, bytes = stats.large_bytes, last = 0;
    size_t footprint = stats.retained + stats.large_bytes;
    for (size_t i = 0; i < stats.classes; i++) {
        const hak_class_stats *class = &stats.class_stats[i];
        REQUIRE_THAT(class->block_size > last, "%zu after %zu", class->block_size, last);
        REQUIRE(class->footprint > 0);
        REQUIRE_THAT(class->footprint >= class->live * class->block_size,
                     "class %zu: footprint %zu, %zu live", class->block_size, class->footprint,
                     class->live);
        REQUIRE_THAT(
            is_part(class->fragmentation, class->footprint, class->live * class->block_size),
            "class %zu: %f", class->block_size, class->fragmentation);
        last = class->block_size;
        blocks += class->live;
        bytes += class->live * class->block_size;
        footprint += class->footprint;
    }
    REQUIRE_THAT(blocks == stats.live_blocks, "%zu in classes, %zu in all", blocks,
                 stats.live_blocks);
    REQUIRE_THAT(bytes == stats.live_bytes, "%zu in classes, %zu in all", bytes, stats.live_bytes);
    REQUIRE_THAT(is_part(stats.fragmentation, stats.footprint - stats.retained, stats.live_bytes),
                 "%f", stats.fragmentation);
    blocks = bytes = 0;
    for (size_t i = 0; i < stats.kinds; i++) {
        blocks += stats.kind_stats[i].live_blocks;
        bytes += stats.kind_stats[i].live_bytes;
    }
    REQUIRE_THAT(!stats.kinds || (blocks == stats.live_blocks && bytes == stats.live_bytes),
                 "%zu blocks of %zu bytes by kind, %zu of %zu in all", blocks, bytes,
                 stats.live_blocks, stats.live_bytes);
    REQUIRE_THAT(footprint <= stats.footprint, "%zu in parts, %zu in all", footprint,
                 stats.footprint);
}

void support_check_live(const hak_heap *heap, size_t blocks, size_t bytes)
{
    hak_stats stats = support_stats(heap);
    REQUIRE_THAT(stats.live_blocks == blocks, "%zu live, not %zu", stats.live_blocks, blocks);
    REQUIRE_THAT(stats.live_bytes == bytes, "%zu live, not %zu", stats.live_bytes, bytes);
}

/* ------------------------------------------------------------------ shapes of heaps */

hak_heap *support_fresh_heap(const char *profile)
{
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.profile = profile});
    REQUIRE(heap);
    hak_heap_trim(heap);
    REQUIRE(support_stats(heap).footprint == 0);
    return heap;
}

size_t support_punched_slab(hak_heap *heap, void *blocks[SUPPORT_PUNCHED_MOST])
{
    enum { NEST = 1100, IN_A_PAGE = 64, SIZE = 64 }; /* more blocks than the nest holds */
    void *page[IN_A_PAGE];
    size_t n = 0;
    while (n < NEST) blocks[n++] = hak_heap_alloc(heap, SIZE);
    /* Until a slab is full, and a fresh one is current with a page that is free. */
    for (size_t had = support_stats(heap).class_stats[0].slabs;
         support_stats(heap).class_stats[0].slabs == had;) {
        REQUIRE(n < SUPPORT_PUNCHED_MOST);
        blocks[n++] = hak_heap_alloc(heap, SIZE);
    }
    hak_heap_free(heap, blocks[--n]);
    for (size_t i = 0; i < IN_A_PAGE; i++) page[i] = hak_heap_alloc(heap, SIZE);
    for (size_t i = 0; i < IN_A_PAGE; i++) hak_heap_free(heap, page[i]);
    hak_heap_free(heap, blocks[--n]); /* the page goes */
    return n;
}

/* ------------------------------------------------------------------ children */

/* What cmocka catches it would take for a failure of the parent's test. */
static void restore_signals(void)
{
    static const int caught[] = {SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGABRT};
    if (support_sanitized) return; /* it has handlers of its own, that report */
    for (size_t i = 0; i < COUNT(caught); i++) signal(caught[i], SIG_DFL);
}

void support_become_child(void)
{
    in_child = true;
    restore_signals();
}

support_child support_fork(void (*body)(void *), void *context, unsigned seconds)
{
    support_child child = {0};
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        support_become_child();
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        alarm(seconds);
        body(context);
        fflush(NULL);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (;;) {
        char rest[512];
        size_t room = sizeof child.text - 1 - length;
        ssize_t n = read(ends[0], room ? child.text + length : rest, room ? room : sizeof rest);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        if (room) length += (size_t)n;
    }
    close(ends[0]);
    /* An emulator has a line of its own when a signal ends the program. */
    char *emulators = strstr(child.text, "qemu: uncaught target signal");
    if (emulators) *emulators = '\0', length = (size_t)(emulators - child.text);
    int status;
    while (waitpid(pid, &status, 0) < 0) REQUIRE(errno == EINTR);
    child.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    child.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    for (size_t i = 0; i < length; i++) child.lines += child.text[i] == '\n';
    return child;
}

void support_in_child(void (*body)(void *), void *context, unsigned seconds)
{
    support_child child = support_fork(body, context, seconds);
    if (child.signal || child.code) print_error("%s\n", child.text);
    REQUIRE_THAT(child.signal == 0 && child.code == 0, "signal %d (%s), code %d", child.signal,
                 child.signal ? strsignal(child.signal) : "none", child.code);
}
