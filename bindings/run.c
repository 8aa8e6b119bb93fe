#define _GNU_SOURCE
#include "run.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hakmem.h"
#include "run_vms.h"

#define LIBRARY "libhakmem-preload.so"

enum { WRONG_USAGE = 2, CANNOT_RUN = 126, NOT_FOUND = 127 };

static int refuse(int code, const char *program, const char *why)
{
    fprintf(stderr, "hakmem run: %s: %s\n", program, why);
    return code;
}

/* ------------------------------------------------------------------ the library */

/* Beside this command, or in the lib of its prefix. False: it is in neither. */
static bool find_library(char path[PATH_MAX])
{
    static const char *const places[] = {"", "../lib/"};
    char self[PATH_MAX], candidate[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) return false;
    self[length] = '\0';
    *(strrchr(self, '/') + 1) = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(candidate, sizeof candidate, "%s%s" LIBRARY, self, places[i]);
        if (realpath(candidate, path)) return true;
    }
    return false;
}

/* In front of what is preloaded already. */
static void preload(const char *library)
{
    const char *others = getenv("LD_PRELOAD");
    char *all = NULL;
    if (asprintf(&all, "%s%s%s", library, others && *others ? ":" : "", others ? others : "") < 0)
        abort();
    setenv("LD_PRELOAD", all, 1);
    free(all);
}

/* ------------------------------------------------------------------ the program */

/* As the shell finds it. Returns 0, or the exit code. */
static int find_program(const char *name, char path[PATH_MAX])
{
    int found = NOT_FOUND;
    const char *folders = strchr(name, '/') ? "" : getenv("PATH");
    for (const char *at = folders ? folders : "/bin:/usr/bin"; at;) {
        const char *end = strchrnul(at, ':');
        int folder = (int)(end - at);
        bool here = strchr(name, '/') != NULL;
        snprintf(path, PATH_MAX, "%.*s%s%s", folder, at, here ? "" : folder ? "/" : "./", name);
        struct stat about;
        bool is_file = stat(path, &about) == 0 && !S_ISDIR(about.st_mode);
        if (is_file && access(path, X_OK) == 0) return 0;
        if (is_file) found = CANNOT_RUN;
        at = *end ? end + 1 : NULL;
    }
    return found;
}

/* Whether it would run with rights that the caller does not have: the loader ignores LD_PRELOAD
 * then. */
static bool gains_rights(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0) return false;
    bool as_user = about.st_mode & S_ISUID && about.st_uid != geteuid();
    bool as_group = about.st_mode & S_ISGID && about.st_gid != getegid();
    bool capable = geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
    return as_user || as_group || capable;
}

/* The interpreter that the first line of a script names; false: it is none. */
static bool interpreter_of(const char *begin, char path[PATH_MAX])
{
    if (strncmp(begin, "#!", 2) != 0) return false;
    begin += 2 + strspn(begin + 2, " \t");
    snprintf(path, PATH_MAX, "%.*s", (int)strcspn(begin, " \t\r\n"), begin);
    return true;
}

/* Whether an executable has a loader, which is what preloads. */
static bool has_loader(int file, const Elf64_Ehdr *header)
{
    for (size_t i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        off_t at = (off_t)(header->e_phoff + i * header->e_phentsize);
        if (pread(file, &segment, sizeof segment, at) != sizeof segment) return false;
        if (segment.p_type == PT_INTERP) return true;
    }
    return false;
}

/* Why hakmem cannot be loaded into an executable; NULL: it can. */
static const char *unsuitable(int file, const char *begin)
{
    Elf64_Ehdr theirs, ours;
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool known = self >= 0 && pread(self, &ours, sizeof ours, 0) == sizeof ours;
    if (self >= 0) close(self);
    memcpy(&theirs, begin, sizeof theirs);
    if (memcmp(theirs.e_ident, ELFMAG, SELFMAG) != 0) return NULL; /* exec will tell */
    if (known &&
        (theirs.e_ident[EI_CLASS] != ours.e_ident[EI_CLASS] || theirs.e_machine != ours.e_machine))
        return "it is for another processor than this hakmem";
    if (!has_loader(file, &theirs)) return "it is linked statically, and nothing can be preloaded";
    return NULL;
}

/* The same for a program, which may be a script. */
static const char *why_not(const char *path)
{
    char begin[PATH_MAX + 64] = "", interpreter[PATH_MAX];
    if (gains_rights(path))
        return "it runs with other rights than yours, and nothing may be preloaded";
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return NULL;
    bool is_read = pread(file, begin, sizeof begin - 1, 0) > 0;
    const char *why = is_read ? unsuitable(file, begin) : NULL;
    close(file);
    if (!why && is_read && interpreter_of(begin, interpreter)) return why_not(interpreter);
    return why;
}

/* ------------------------------------------------------------------ all */

static int usage(const char *problem)
{
    fprintf(stderr,
            "hakmem run: %s; usage: hakmem run [--profile P] [--stats] PROGRAM [ARGUMENT …]\n",
            problem);
    return WRONG_USAGE;
}

/* Reads the options; returns the index of the program, or 0 after a message. */
static int read_options(int argc, char **argv)
{
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        char message[256];
        if (strcmp(argv[at], "--") == 0) return at + 1;
        if (strcmp(argv[at], "--stats") == 0) {
            setenv("HAKMEM_STATS", "1", 1);
        } else if (strcmp(argv[at], "--profile") == 0 && at + 1 < argc) {
            if (!hak_profile_valid(argv[++at], message, sizeof message)) return usage(message), 0;
            setenv("HAKMEM_PROFILE", argv[at], 1);
        } else {
            snprintf(message, sizeof message, "there is no option %s", argv[at]);
            return usage(message), 0;
        }
    }
    return at;
}

int hak__run(int argc, char **argv)
{
    char library[PATH_MAX], path[PATH_MAX];
    int at = read_options(argc, argv);
    if (at == 0) return WRONG_USAGE;
    if (at >= argc) return usage("no program is named");
    if (!find_library(library) || strpbrk(library, ": "))
        return refuse(CANNOT_RUN, LIBRARY, "it is not beside this command, nor in ../lib");
    int code = find_program(argv[at], path);
    if (code) return refuse(code, argv[at], strerror(code == NOT_FOUND ? ENOENT : EACCES));
    const char *why = why_not(path);
    if (why) return refuse(CANNOT_RUN, argv[at], why);
    preload(library);
    *strrchr(library, '/') = '\0';
    hak__run_vms(library);
    execv(path, &argv[at]);
    return refuse(CANNOT_RUN, argv[at], strerror(errno));
}
