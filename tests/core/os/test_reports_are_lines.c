/* What the allocator says is one line on stderr, whole as long as it fits 256 bytes and cut behind
 * that; it arrives even where a pipe takes a few bytes at a time. And what is read or written for a
 * report goes through files of any number, is complete, and leaves errno alone. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/calls.h"
#include "os/file.h"
#include "os/report.h"

/* ------------------------------------------------------------------ writing */

static size_t piece_most = SIZE_MAX; /* bytes that a call writes at most */
static bool interrupting;            /* every second call */

ssize_t __real_write(int file, const void *start, size_t size);
ssize_t __wrap_write(int file, const void *start, size_t size);

ssize_t __wrap_write(int file, const void *start, size_t size)
{
    static bool interrupted;
    interrupted = interrupting && !interrupted;
    if (!interrupted) return __real_write(file, start, size < piece_most ? size : piece_most);
    errno = EINTR;
    return -1;
}

/* ------------------------------------------------------------------ lines */

typedef struct told {
    char what[400], why[400];
    const void *where;
} told;

static void set(char *text, char c, size_t length)
{
    memset(text, c, length);
    text[length] = 0;
}

static void warn(void *context)
{
    const told *t = context;
    hak__warn(t->what, t->why);
}

static void die(void *context)
{
    const told *t = context;
    hak__fatal(t->what, t->where, t->why);
}

static void check_line(const support_child *child, const char *expected)
{
    REQUIRE(child->lines == 1);
    char cut[257];
    snprintf(cut, sizeof cut, "%s", expected);
    if (strlen(expected) > 256) cut[255] = '\n';
    REQUIRE_THAT(strcmp(child->text, cut) == 0, "it says %s", child->text);
}

static void lines_are_whole_or_cut(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 30, 118, 119, 120, 121, 235, 244, 245, 246, 247, 300};
    static const void *const places[] = {NULL, (void *)1, (void *)0x0123456789abcdef,
                                         (void *)0xfedcba9876543210};
    static told t;
    char expected[1000];
    for (size_t i = 0; i < COUNT(lengths) * COUNT(lengths); i++) {
        piece_most = i % 3 ? i % 3 : SIZE_MAX;
        set(t.what, 'a', lengths[i / COUNT(lengths)]);
        set(t.why, 'b', lengths[i % COUNT(lengths)]);
        t.where = places[i % COUNT(places)];
        support_child child = support_fork(warn, &t, 20);
        REQUIRE(child.signal == 0 && child.code == 0);
        snprintf(expected, sizeof expected, "hakmem: %s: %s\n", t.what, t.why);
        check_line(&child, expected);

        child = support_fork(die, &t, 20);
        REQUIRE(child.signal == SIGABRT);
        snprintf(expected, sizeof expected, "hakmem: %s 0x%016zx: %s\n", t.what, (size_t)t.where,
                 t.why);
        check_line(&child, expected);
    }
    piece_most = SIZE_MAX;
}

/* Where nobody listens it goes on, or ends as it would. */
static void warn_nobody(void *context)
{
    close(STDERR_FILENO);
    warn(context);
    piece_most = 0;
    dup2(STDOUT_FILENO, STDERR_FILENO);
    warn(context);
}

static void nobody_need_listen(void **state)
{
    (void)state;
    static told t = {"what", "why", NULL};
    support_in_child(warn_nobody, &t, 20);
}

/* ------------------------------------------------------------------ files */

static void read_all(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    REQUIRE(file);
    text[fread(text, 1, size - 1, file)] = 0;
    fclose(file);
}

/* More than a buffer in pieces of all lengths, the longest cut to what it has room for. */
static void what_is_put_is_there(void **state)
{
    (void)state;
    enum { TOTAL = 300000 };
    static char expected[TOTAL], found[TOTAL], piece[1000];
    char path[SUPPORT_PATH];
    hak_file file;
    size_t length = 0;
    close(support_temporary_file(path));
    REQUIRE(hak__file_open(&file, path));
    piece_most = 1000;
    interrupting = true;
    for (size_t i = 0; length + sizeof piece < TOTAL; i++) {
        set(piece, (char)('a' + i % 26), i * 7 % 990);
        hak__file_put(&file, "%s%zu", piece, i % 10);
        length += (size_t)sprintf(expected + length, "%s%zu", piece, i % 10);
    }
    REQUIRE(hak__file_close(&file));
    read_all(path, found, sizeof found);
    REQUIRE(strcmp(found, expected) == 0);
    /* What was there before goes. */
    REQUIRE(hak__file_open(&file, path));
    hak__file_put(&file, "%s", "short");
    REQUIRE(hak__file_close(&file));
    read_all(path, found, sizeof found);
    REQUIRE(strcmp(found, "short") == 0);
    piece_most = SIZE_MAX;
    interrupting = false;
    unlink(path);
}

static void write_beyond_a_limit(void *context)
{
    const char *path = context;
    struct rlimit limit = {5000, 5000};
    hak_file file;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    REQUIRE(hak__file_open(&file, path));
    for (size_t i = 0; i < 300; i++) hak__file_put(&file, "%01000zu", i);
    REQUIRE(!hak__file_close(&file) && errno == EFBIG);
    /* Nothing is tried again behind a failure. */
    static char found[10000];
    read_all(path, found, sizeof found);
    REQUIRE(strlen(found) <= 5000);
    REQUIRE(!hak__file_open(&file, "/there/is/none") && errno == ENOENT);
}

static void a_failure_is_told(void **state)
{
    (void)state;
    char path[SUPPORT_PATH];
    close(support_temporary_file(path));
    support_in_child(write_beyond_a_limit, path, 20);
    unlink(path);
}

/* Nor does it end in a loop, or as if all was well, where a call writes nothing and says so; and
 * what happens to errno before the end does not matter. */
static void nothing_written_is_a_failure(void **state)
{
    (void)state;
    char path[SUPPORT_PATH];
    hak_file file;
    close(support_temporary_file(path));
    REQUIRE(hak__file_open(&file, path));
    piece_most = 0;
    for (size_t i = 0; i < 20; i++) {
        hak__file_put(&file, "%01000zu", i);
        errno = 0;
    }
    REQUIRE(!hak__file_close(&file) && errno == EIO);
    piece_most = SIZE_MAX;

    REQUIRE(hak__file_open(&file, "/dev/full"));
    for (size_t i = 0; i < 20; i++) {
        hak__file_put(&file, "%01000zu", i);
        errno = 0;
    }
    REQUIRE(!hak__file_close(&file) && errno == ENOSPC);
    unlink(path);
}

/* ------------------------------------------------------------------ the process */

static void read_without_files(void *context)
{
    (void)context;
    struct rlimit none = {3, 3};
    hak_process_stats stats;
    hak_heap *heap = hak_heap_new(NULL);
    setrlimit(RLIMIT_NOFILE, &none);
    errno = EDOM;
    hak_process_stats_read(&stats);
    REQUIRE(errno == EDOM && stats.resident == 0 && stats.heaps == 1 && stats.page_faults > 0);
    REQUIRE(!hak__os_huge_pages() && errno == EDOM);
    REQUIRE(!hak_heap_map(heap, "/dev/null") && errno == EMFILE);
}

static void the_process_is_told_without_files(void **state)
{
    (void)state;
    support_in_child(read_without_files, NULL, 20);
}

/* A coarse clock in milliseconds. */
static void the_clock_goes_on(void **state)
{
    (void)state;
    uint64_t before = hak__os_clock();
    usleep(60000);
    uint64_t after = hak__os_clock();
    REQUIRE_THAT(after - before >= 40 && after - before < 20000, "%zu ms",
                 (size_t)(after - before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_whole_or_cut),
        cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(what_is_put_is_there),
        cmocka_unit_test(a_failure_is_told),
        cmocka_unit_test(nothing_written_is_a_failure),
        cmocka_unit_test(the_process_is_told_without_files),
        cmocka_unit_test(the_clock_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
